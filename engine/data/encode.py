"""Latents, masks and text embeddings of a scanned data set, from the cache or computed."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import ConfigError
from engine.data.ahead import in_order
from engine.data.buckets import BucketChoice, Size
from engine.data.cache import ContentCache, latent_key, mask_key, text_key
from engine.data.encoded import EncodedDataset, Encoders, Storage
from engine.data.images import (
    DecodeError,
    decode_for,
    fit_pixels,
    mask_pixels,
    mask_to_latents,
    read_file,
    to_tensor,
)
from engine.data.kept import KeptTensors
from engine.data.scan import Picture, Scan
from engine.data.sentences import listed, pictures

_log = logging.getLogger(__name__)
_DTYPE = torch.float32  # latents and embeddings are kept in full


@dataclass(kw_only=True, slots=True)
class _Side:
    """One side of a picture: what the cache has of it, or its pixels for the VAE."""

    key: str
    name: str  # of the picture, for errors
    entry: dict[str, Tensor] | None
    pixels: Tensor | None = None  # [3, H, W]


@dataclass(kw_only=True, slots=True)
class _Read:
    """A picture that was read: one side, two with its mirror image, none where latents are not kept."""

    index: int
    sides: list[_Side]
    mask: Tensor | None


class _Progress:
    """Counts pictures and captions, and tells whoever watches."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def advance(self, by: int = 1) -> None:
        self._done += by
        if self._tell is not None:
            self._tell(self._done, self._total)


def encode_dataset(
    scan: Scan,
    choices: Sequence[BucketChoice],
    *,
    encoders: Encoders,
    storage: Storage,
    batch_size: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> EncodedDataset:
    """Latents, masks and text embeddings of a scanned data set; only what the cache lacks is computed.

    choices      the way into its bucket of each of scan.pictures
    batch_size   pictures that the VAE takes at a time. With 1 a latent is a function of its picture alone.
                 In larger batches its last bits depend on the batch's shape (2e-6 apart on a CPU) and stay
                 in the cache; they are for GPUs that one picture does not fill.
    on_progress  is told (done, all), pictures and captions together
    raises       ConfigError when no picture can be decoded, or the cache cannot be written
    """
    captions = sorted({picture.caption for picture in scan.pictures} if encoders.encode_prompts else ())
    num_sides = sum(max(1, _num_sides(picture, encoders)) for picture in scan.pictures)
    work = _Work(scan, choices, encoders, storage, _Progress(num_sides + len(captions), on_progress))
    work.encode_pictures(batch_size)
    data = work.data
    if not any(picture.repeats and not picture.is_reg for picture in data.pictures):
        raise ConfigError(
            f"{scan.source}: no picture to train on can be decoded: {listed(data.skipped)}. "
            "Repair or replace them."
        )
    keys = {caption: work.encode_caption(caption) for caption in captions}
    data.captions = [keys[picture.caption] for picture in data.pictures] if keys else []
    work.report()
    return data


def _num_sides(picture: Picture, encoders: Encoders) -> int:
    """Latents kept of a picture: none, one, or two with its mirror image."""
    if encoders.encode_images is None:
        return 0
    return 2 if picture.subset.config.flip_aug else 1


class _Work:
    """The encoders beside their caches, and what came of it."""

    def __init__(
        self,
        scan: Scan,
        choices: Sequence[BucketChoice],
        encoders: Encoders,
        storage: Storage,
        progress: _Progress,
    ) -> None:
        self._scan, self._choices, self._encoders, self._progress = scan, choices, encoders, progress
        self._storage = storage
        self._latents, self._text = storage.cache("latents"), storage.cache("text")
        self._masks = storage.cache("masks")
        self.data = EncodedDataset(
            latents=KeptTensors(self._latents, memory_bytes=storage.memory_bytes),
            text=KeptTensors(self._text, memory_bytes=storage.memory_bytes),
        )

    def encode_pictures(self, batch_size: int) -> None:
        """Fill the data set; a picture that cannot be decoded is named in skipped."""
        waiting: dict[Size, list[_Side]] = {}
        seen: set[str] = set()  # equal pictures are encoded once
        for read in in_order(self._read, range(len(self._choices))):
            if isinstance(read, str):
                self._progress.advance()
                self.data.skipped.append(read)
                continue
            self._note(read)
            for side in read.sides:
                self._progress.advance(int(side.entry is not None or side.key in seen))
                if side.entry is None and side.key not in seen:
                    seen.add(side.key)
                    queue = waiting.setdefault(self._choices[read.index].bucket, [])
                    queue.append(side)
                    if len(queue) == batch_size:
                        self._encode(queue)
                        queue.clear()
        for queue in waiting.values():
            self._encode(queue)

    def encode_caption(self, caption: str) -> str:
        """The key of its embedding; one at a time, so that the others play no part in its last bits."""
        encoders = self._encoders
        key = text_key(
            caption,
            text_fingerprint=encoders.text_fingerprint,
            clip_skip=encoders.clip_skip,
            token_length=encoders.token_length,
            dtype=encoders.text_dtype,
        )
        entry = None if self._text is None else self._text.get(key)
        if entry is None:
            assert encoders.encode_prompts is not None, "captions are kept"
            encoded = encoders.encode_prompts([caption])
            entry = {name: _finite(tensor[0], f"the caption {caption!r}") for name, tensor in encoded.items()}
            self._put(self._text, key, entry)
            self.data.num_encoded += 1
        self.data.text.add(key, entry)
        self._progress.advance()
        return key

    def report(self) -> None:
        """One warning for all damaged entries, one for all skipped pictures."""
        caches = [cache for cache in (self._latents, self._masks, self._text) if cache is not None]
        damaged = [path.name for cache in caches for path in cache.damaged]
        if damaged:
            _log.warning("%d damaged cache entries were computed again: %s", len(damaged), listed(damaged))
        if self.data.skipped:
            _log.warning("%s left out: %s", pictures(len(self.data.skipped)), listed(self.data.skipped))

    def _read(self, index: int) -> _Read | str:
        """A picture's bytes and what the cache has of it, else its pixels; "name (why)" where it has none."""
        picture, choice = self._scan.pictures[index], self._choices[index]
        try:
            sha256 = self._scan.content_of(picture)
            keys = self._side_keys(picture, choice, sha256)
            sides = [_Side(key=key, name=self._scan.name(picture), entry=self._find(key)) for key in keys]
            if not keys or any(side.entry is None for side in sides):
                content = read_file(picture.path)
                if hashlib.sha256(content).hexdigest() != sha256:  # the key would be that of other bytes
                    raise DecodeError("changed since the folder was read")
                pixels = to_tensor(
                    fit_pixels(decode_for(content, picture).pixels, choice, picture.subset.config)
                )
                for side, is_mirrored in zip(sides, (False, True), strict=False):
                    side.pixels = pixels.flip(-1) if is_mirrored else pixels
            return _Read(index=index, sides=sides, mask=self._mask(picture, choice))
        except DecodeError as error:
            return f"{self._scan.name(picture)} ({error})"
        except OSError as error:
            return f"{self._scan.name(picture)} ({error.strerror or 'cannot be read'})"

    def _side_keys(self, picture: Picture, choice: BucketChoice, sha256: str) -> list[str]:
        return [
            latent_key(
                sha256,
                choice,
                vae_fingerprint=self._encoders.vae_fingerprint,
                dtype=self._encoders.vae_dtype,
                flipped=flipped,
                config=picture.subset.config,
            )
            for flipped in (False, True)[: _num_sides(picture, self._encoders)]
        ]

    def _find(self, key: str) -> dict[str, Tensor] | None:
        return None if self._latents is None else self._latents.get(key)

    def _mask(self, picture: Picture, choice: BucketChoice) -> Tensor | None:
        """[h, w]: how much of each latent counts; None: all of it."""
        config, sha256 = picture.subset.config, self._scan.mask_content_of(picture)
        if sha256 is None:
            return None
        key = mask_key(sha256, choice, config=config, factor=self._encoders.latent_factor)
        entry = None if self._masks is None else self._masks.get(key)
        if entry is None:
            try:
                mask = mask_pixels(picture, read_file(picture.mask or picture.path))
            except DecodeError as error:
                raise DecodeError(f"its mask: {error}" if picture.mask else str(error)) from error
            whole = torch.ones(0)
            if mask is not None:
                whole = mask_to_latents(fit_pixels(mask, choice, config), self._encoders.latent_factor)
            entry = {"mask": whole}
            self._put(self._masks, key, entry)
        return entry["mask"] if entry["mask"].numel() else None

    def _note(self, read: _Read) -> None:
        """A picture's place in the data set, before its latents are known."""
        self.data.pictures.append(self._scan.pictures[read.index])
        self.data.choices.append(self._choices[read.index])
        self.data.sides.append(tuple(side.key for side in read.sides))
        self.data.masks.append(read.mask)
        for side in read.sides:
            if side.entry is not None:
                self.data.latents.add(side.key, side.entry)
        self._progress.advance(int(not read.sides))

    def _encode(self, batch: Sequence[_Side]) -> None:
        if not batch:
            return
        assert self._encoders.encode_images is not None, "latents are kept"
        latents = self._encoders.encode_images(
            torch.stack([side.pixels for side in batch if side.pixels is not None])
        )
        for side, mean, std in zip(batch, latents.mean, latents.std, strict=True):
            entry = {"mean": _finite(mean, side.name), "std": _finite(std, side.name)}
            self._put(self._latents, side.key, entry)
            self.data.latents.add(side.key, entry)
            self.data.num_encoded += 1
            self._progress.advance()

    def _put(self, cache: ContentCache | None, key: str, entry: dict[str, Tensor]) -> None:
        if cache is None:
            return
        try:
            cache.put(key, entry)
        except OSError as error:
            raise ConfigError(
                f"cache_dir={self._storage.cache_dir}: cannot be written ({error.strerror}). "
                "Make room, or name another."
            ) from error


def _finite(tensor: Tensor, of: str) -> Tensor:
    kept = tensor.detach().to("cpu", _DTYPE if tensor.is_floating_point() else tensor.dtype).clone()
    if not bool(torch.isfinite(kept).all()):
        raise FloatingPointError(f"{of}: the encoder gives numbers that are not finite")
    return kept
