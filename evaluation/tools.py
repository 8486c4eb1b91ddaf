"""What metrics look at pictures with: encoders by their role, the facts of pixels, and the aesthetic head."""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import ConfigError
from evaluation.encoders.aesthetic_head import AestheticHead, check_fits
from evaluation.encoders.embedder import BATCH_SIZE, Embedder
from evaluation.encoders.encoder_folder import ENCODER, IMAGE_ENCODER, PREFERENCE
from evaluation.encoders.facts_memory import FactsMemory
from evaluation.encoders.file_hashes import FileHashes
from evaluation.encoders.load import check_device, load_encoder
from evaluation.encoders.look import OnProgress, look_at
from evaluation.encoders.pixel_facts import UNREADABLE_FAULT, PixelFacts


class Role(Enum):
    """What a metric needs an encoder for."""

    text_image = "text_image"  # pictures and texts in one space: CLIP, SigLIP
    image = "image"  # pictures among each other: DINOv2, CLIP, SigLIP, pixels
    preference = "preference"  # what people prefer: PickScore's CLIP


OPTIONS = {Role.text_image: ENCODER, Role.image: IMAGE_ENCODER, Role.preference: PREFERENCE}


class Tools:
    """The encoders of a scoring by role, and what is known of each picture's pixels."""

    def __init__(
        self,
        embedders: Mapping[Role, Embedder],
        *,
        facts: FactsMemory | None = None,
        aesthetic: AestheticHead | None = None,
        hashes: FileHashes | None = None,
    ) -> None:
        self._embedders = dict(embedders)
        self._facts = FactsMemory() if facts is None else facts
        self._aesthetic = aesthetic
        self._hashes = FileHashes() if hashes is None else hashes
        self._unreadable: set[Path] = set()

    def has(self, role: Role) -> bool:
        """Whether an encoder is named for a role."""
        return role in self._embedders

    def embedder(self, role: Role) -> Embedder:
        """The encoder of a role with its memory; KeyError where `has` is False."""
        return self._embedders[role]

    def look(
        self,
        paths: Sequence[Path],
        *,
        roles: Sequence[Role] = tuple(Role),
        on_progress: OnProgress | None = None,
    ) -> None:
        """Find the facts of pictures and their embeddings in one pass: each is read and decoded at most once.

        roles  whose encoders will be asked for these pictures, as far as they are named; faulty pictures are
               not shown to them
        """
        wanted = {id(found): found for role in roles if (found := self._embedders.get(role)) is not None}
        failed = look_at(paths, [self._facts, *wanted.values()], hashes=self._hashes, on_progress=on_progress)
        self._unreadable |= failed.keys()

    def facts(self, path: Path) -> PixelFacts:
        """What the pixels of a picture say; a file that is no picture has the fault "unreadable"."""
        content = None if path in self._unreadable else self._content(path)
        if content is None or not self._facts.is_known(content):
            self.look([path], roles=())
            content = None if path in self._unreadable else self._content(path)
        return PixelFacts(fault=UNREADABLE_FAULT) if content is None else self._facts[content]

    def content(self, path: Path) -> str | None:
        """sha256 of the bytes of a picture that was looked at; None where the file cannot be read."""
        return None if path in self._unreadable else self._content(path)

    @property
    def has_aesthetic(self) -> bool:
        """Whether the head that rates pictures is named."""
        return self._aesthetic is not None

    def rate(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The aesthetic rating [N] of pictures, about 1 to 10, by the text-image encoder's embeddings.

        KeyError where `has_aesthetic` is False.
        """
        if self._aesthetic is None:
            raise KeyError("aesthetic")
        return self._aesthetic.rate(self._embedders[Role.text_image].images(paths))

    def count_truncated(self) -> int:
        """How many different texts were longer than the encoder reads that was asked about them."""
        different = {id(embedder): embedder for embedder in self._embedders.values()}
        return max((embedder.count_truncated() for embedder in different.values()), default=0)

    def _content(self, path: Path) -> str | None:
        try:
            return self._hashes.known(path)
        except OSError:
            return None


def load_tools(  # noqa: PLR0913  (the options of a scoring)
    *,
    encoder: str | None = None,
    image_encoder: str | None = None,
    preference: str | None = None,
    aesthetic: Path | None = None,
    device: str = "auto",
    cache_dir: Path | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tools:
    """The tools that are named; weights are loaded when something is not in the cache.

    image_encoder  None = the pictures' side of encoder
    cache_dir      where facts and embeddings are kept between runs; None: nowhere
    ConfigError with all problems: what was named is not there or of the wrong kind, no such device.
    """
    check_device(device)
    names = {Role.text_image: encoder, Role.image: image_encoder or encoder, Role.preference: preference}
    hashes = FileHashes(cache_dir)
    shared: dict[str, Embedder] = {}
    embedders: dict[Role, Embedder] = {}
    problems: list[str] = []
    for role, name in names.items():
        if name is None:
            continue
        try:
            option = ENCODER if role is Role.image and image_encoder is None else OPTIONS[role]
            found = load_encoder(name, device, option=option, hashes=hashes)
        except ConfigError as error:
            problems += [problem for problem in error.problems if problem not in problems]
            continue
        if found.fingerprint not in shared:
            shared[found.fingerprint] = Embedder(
                found, cache_dir=cache_dir, batch_size=batch_size, hashes=hashes
            )
        embedders[role] = shared[found.fingerprint]
    head = None if aesthetic is None else _load_head(aesthetic, encoder, problems)
    if problems:
        raise ConfigError(problems)
    return Tools(embedders, facts=FactsMemory(cache_dir), aesthetic=head, hashes=hashes)


def _load_head(file: Path, encoder: str | None, problems: list[str]) -> AestheticHead | None:
    """Its problems are added to the others."""
    problems += check_fits(file, encoder)
    try:
        return AestheticHead(file)
    except ConfigError as error:
        problems += error.problems
        return None
