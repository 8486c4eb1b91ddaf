"""An encoder that reads no text: whoever asks is told what to use instead."""

from collections.abc import Sequence
from typing import NoReturn

from engine.config.errors import ConfigError


class PicturesOnly:
    """The texts' side of an encoder that has none."""

    name: str
    option: str

    def embed_texts(self, texts: Sequence[str]) -> NoReturn:
        """ConfigError: it reads none."""
        self._refuse()

    def count_truncated(self, texts: Sequence[str]) -> NoReturn:
        """ConfigError: it reads none."""
        self._refuse()

    def logit_scale(self) -> NoReturn:
        """ConfigError: it has none."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ConfigError(f"{self.option}={self.name}: reads pictures alone. Use a CLIP or SigLIP for texts.")
