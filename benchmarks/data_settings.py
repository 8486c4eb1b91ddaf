"""What benchmarks/data.py measures, from arguments written key=value."""

from collections.abc import Sequence
from dataclasses import dataclass

PARTS = ("all", "scan", "encode", "wait")


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """How much of what is measured."""

    part: str = "all"  # of PARTS
    rounds: int = 5  # of each way of a part, in turn
    folder: str = ".cache/benchmarks"  # of the pictures and caches; removed at the end
    pictures: int = 20_000  # of the scan
    cold: int = 0  # 1 = the bytes of the scanned files come from the disk
    files: int = 512  # photographs that are decoded
    sd_files: int = 4  # of them, for a VAE of Stable Diffusion's size
    sd_size: int = 256  # pixels; that VAE's resolution here
    threads: int = 2  # of torch, in the encoding and the steps
    steps: int = 100  # of training, for each way of feeding them

    def measures(self, part: str) -> bool:
        """Whether a part is asked for."""
        return self.part in ("all", part)


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings of arguments such as rounds=3."""
    given = dict(word.split("=") for word in arguments)
    words = {key: given.pop(key) for key in ("part", "folder") if key in given}
    settings = Settings(**words, **{key: int(value) for key, value in given.items()})  # type: ignore[arg-type]
    assert settings.part in PARTS, f"part={settings.part}: one of {', '.join(PARTS)}"
    return settings
