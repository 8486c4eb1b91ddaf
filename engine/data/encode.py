"""A data set as the denoiser sees it: latents and text embeddings, from the cache or from the encoders."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from engine.config import ConfigError
from engine.data.buckets import BucketChoice, Size
from engine.data.cache import ContentCache, latent_key, text_key
from engine.data.images import DecodeError, decode_pixels, fit_pixels, to_tensor
from engine.data.scan import Picture, Scan

_log = logging.getLogger(__name__)
_DTYPE = torch.float32  # latents and embeddings are kept in full
_NUM_NAMED = 5
Side = tuple[int, bool]  # index of a picture, mirrored or not


class MeanAndStd(Protocol):
    """The VAE's Gaussian over latents, scaled to what the denoiser is trained on; each [B, C, h, w]."""

    @property
    def mean(self) -> Tensor: ...

    @property
    def std(self) -> Tensor: ...


@dataclass(kw_only=True, slots=True, frozen=True)
class Encoders:
    """What turns pictures and captions into tensors, and the fingerprints that results are kept under."""

    encode_images: Callable[[Tensor], MeanAndStd] | None  # pixels [B, 3, H, W] in [-1, 1]; None: not kept
    encode_prompts: Callable[[Sequence[str]], Tensor] | None  # B prompts -> [B, L, D]; None: not kept
    vae_fingerprint: str
    text_fingerprint: str
    vae_dtype: torch.dtype  # in which they compute; what they give is kept in float32
    text_dtype: torch.dtype
    clip_skip: int = 1  # 1 = the last layer
    token_length: int = 77  # tokens of a prompt, with its start and end
    mirrored_too: bool = False  # latents of both sides are kept


@dataclass(kw_only=True, slots=True, frozen=True)
class Latents:
    """The VAE's Gaussian over the latents of one picture; each [C, h, w] float32."""

    mean: Tensor
    std: Tensor


@dataclass(kw_only=True, slots=True)
class EncodedDataset:
    """The pictures that could be read, all in memory; every list has one place for each."""

    pictures: list[Picture] = field(default_factory=list)
    bucket_of: list[Size] = field(default_factory=list)
    latents: list[Latents] = field(default_factory=list)  # empty where they are not kept
    mirrored: list[Latents] = field(default_factory=list)  # empty where that side is not kept
    text: list[Tensor] = field(default_factory=list)  # [L, D] float32; empty where captions are not kept
    skipped: list[str] = field(default_factory=list)  # "sub/a.png (why)" of those that could not
    num_encoded: int = 0  # pictures and captions that were not in the cache

    @property
    def repeats(self) -> list[int]:
        """How often each picture is seen in an epoch."""
        return [picture.repeats for picture in self.pictures]


@dataclass(kw_only=True, slots=True)
class _Waiting:
    """A picture that is not in the cache, ready for the VAE."""

    side: Side
    key: str
    pixels: Tensor  # [3, H, W]


class _Progress:
    """Counts pictures and captions, and tells whoever watches."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def advance(self) -> None:
        self._done += 1
        if self._tell is not None:
            self._tell(self._done, self._total)


def encode_dataset(
    scan: Scan,
    choices: Sequence[BucketChoice],
    *,
    encoders: Encoders,
    cache_dir: Path,
    batch_size: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> EncodedDataset:
    """Latents and text embeddings of a scanned folder; only what the cache lacks is computed.

    choices      the way into its bucket of each of scan.pictures
    batch_size   pictures that the VAE takes at a time. With 1 a latent is a function of its picture alone.
                 In larger batches its last bits depend on the batch's shape (2e-6 apart on a CPU) and stay
                 in the cache; they are for GPUs that one picture does not fill.
    on_progress  is told (done, all), pictures and captions together
    raises       ConfigError when no picture can be decoded, or the cache cannot be written
    """
    captions = sorted({picture.caption for picture in scan.pictures} if encoders.encode_prompts else ())
    num_sides = 2 if encoders.mirrored_too else 1
    progress = _Progress(len(scan.pictures) * num_sides + len(captions), on_progress)
    work = _Work(scan=scan, encoders=encoders, cache_dir=cache_dir, progress=progress)
    order, latents = work.encode_pictures(choices, batch_size)
    if not order:
        raise ConfigError(
            f"{scan.source}: no picture can be decoded: {_listed(work.skipped)}. Repair or replace them."
        )
    texts = {caption: work.encode_caption(caption) for caption in captions}
    work.report()
    return EncodedDataset(
        pictures=[scan.pictures[index] for index in order],
        bucket_of=[choices[index].bucket for index in order],
        latents=[latents[index, False] for index in order if (index, False) in latents],
        mirrored=[latents[index, True] for index in order if (index, True) in latents],
        text=[texts[scan.pictures[index].caption] for index in order] if texts else [],
        skipped=work.skipped,
        num_encoded=work.num_encoded,
    )


class _Work:
    """The encoders beside their caches, and what happened on the way."""

    def __init__(self, *, scan: Scan, encoders: Encoders, cache_dir: Path, progress: _Progress) -> None:
        self._scan, self._encoders, self._progress = scan, encoders, progress
        self._cache_dir = cache_dir
        self._latent_cache = ContentCache(cache_dir / "latents")
        self._text_cache = ContentCache(cache_dir / "text")
        self.skipped: list[str] = []
        self.num_encoded = 0

    def encode_pictures(
        self, choices: Sequence[BucketChoice], batch_size: int
    ) -> tuple[list[int], dict[Side, Latents]]:
        """The pictures that can be decoded, the others being named in skipped; and what is kept of them."""
        latents: dict[Side, Latents] = {}
        waiting: dict[Size, list[_Waiting]] = {}
        order: list[int] = []
        for index, choice in enumerate(choices):
            found = self._find_sides(index, choice)
            if found is None:
                continue
            order.append(index)
            for side in found:
                if isinstance(side, _Waiting):
                    queue = waiting.setdefault(choice.bucket, [])
                    queue.append(side)
                    if len(queue) == batch_size:
                        latents.update(self._encode_batch(waiting.pop(choice.bucket)))
                else:
                    latents[side[0]] = side[1]
        for queue in waiting.values():
            latents.update(self._encode_batch(queue))
        return order, latents

    def encode_caption(self, caption: str) -> Tensor:
        """[L, D]; one caption at a time, so that the others play no part in its last bits."""
        encoders = self._encoders
        key = text_key(
            caption,
            text_fingerprint=encoders.text_fingerprint,
            clip_skip=encoders.clip_skip,
            token_length=encoders.token_length,
            dtype=encoders.text_dtype,
        )
        entry = self._text_cache.get(key)
        if entry is None:
            assert encoders.encode_prompts is not None, "captions are kept"
            entry = {"text": _finite(encoders.encode_prompts([caption])[0], f"the caption {caption!r}")}
            self._keep(self._text_cache, key, entry)
        self._progress.advance()
        return entry["text"]

    def report(self) -> None:
        """One warning for all damaged entries, one for all skipped pictures."""
        damaged = [path.name for path in (*self._latent_cache.damaged, *self._text_cache.damaged)]
        if damaged:
            _log.warning("%d damaged cache entries were computed again: %s", len(damaged), _listed(damaged))
        if self.skipped:
            _log.warning("%d pictures left out: %s", len(self.skipped), _listed(self.skipped))

    def _find_sides(self, index: int, choice: BucketChoice) -> list[_Waiting | tuple[Side, Latents]] | None:
        """Each side from the cache, else decoded; None for a picture that cannot be."""
        picture = self._scan.pictures[index]
        mirrored = (False, True) if self._encoders.mirrored_too else (False,)
        try:
            content = _read(picture)
            if self._encoders.encode_images is None:
                decode_pixels(content, expected=(picture.width, picture.height))
                self._progress.advance()
                return []
            return [self._find_side((index, side), choice, content) for side in mirrored]
        except DecodeError as error:
            self.skipped.append(f"{self._scan.name(picture)} ({error})")
            for _ in mirrored:
                self._progress.advance()
            return None

    def _find_side(self, side: Side, choice: BucketChoice, content: bytes) -> _Waiting | tuple[Side, Latents]:
        picture, is_mirrored = self._scan.pictures[side[0]], side[1]
        key = latent_key(
            hashlib.sha256(content).hexdigest(),
            choice,
            vae_fingerprint=self._encoders.vae_fingerprint,
            dtype=self._encoders.vae_dtype,
            flipped=is_mirrored,
        )
        entry = self._latent_cache.get(key)
        if entry is not None:
            self._progress.advance()
            return side, Latents(mean=entry["mean"], std=entry["std"])
        upright = decode_pixels(content, expected=(picture.width, picture.height))
        pixels = to_tensor(fit_pixels(upright, choice))
        return _Waiting(side=side, key=key, pixels=pixels.flip(-1) if is_mirrored else pixels)

    def _encode_batch(self, batch: Sequence[_Waiting]) -> Iterator[tuple[Side, Latents]]:
        assert self._encoders.encode_images is not None, "latents are kept"
        latents = self._encoders.encode_images(torch.stack([waiting.pixels for waiting in batch]))
        for waiting, mean, std in zip(batch, latents.mean, latents.std, strict=True):
            name = self._scan.name(self._scan.pictures[waiting.side[0]])
            entry = {"mean": _finite(mean, name), "std": _finite(std, name)}
            self._keep(self._latent_cache, waiting.key, entry)
            self._progress.advance()
            yield waiting.side, Latents(**entry)

    def _keep(self, cache: ContentCache, key: str, entry: dict[str, Tensor]) -> None:
        self.num_encoded += 1
        try:
            cache.put(key, entry)
        except OSError as error:
            raise ConfigError(
                f"cache_dir={self._cache_dir}: cannot be written ({error.strerror}). "
                "Make room, or name another."
            ) from error


def _read(picture: Picture) -> bytes:
    try:
        return picture.path.read_bytes()
    except OSError as error:
        raise DecodeError(error.strerror or "cannot be read") from error


def _finite(tensor: Tensor, of: str) -> Tensor:
    kept = tensor.detach().to("cpu", _DTYPE).clone()
    if not bool(torch.isfinite(kept).all()):
        raise FloatingPointError(f"{of}: the encoder gives numbers that are not finite")
    return kept


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {more} more" if more > 0 else "")
