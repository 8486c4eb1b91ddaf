"""Encoding a folder into the cache against the VAE alone, on the same pixels in the same batches."""

import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from data_settings import Settings
from torch import Tensor

from demo.folder import WEIGHTS
from engine.config import DatasetConfig
from engine.data.ahead import in_order
from engine.data.buckets import BucketChoice, buckets_of, choose_bucket
from engine.data.encode import encode_dataset
from engine.data.encoded import Encoders, Storage
from engine.data.images import load_pixels, to_tensor
from engine.data.scan import Picture, Scan, scan_folder
from engine.models.family import LatentDistribution

BATCHES = (1, 4)
OURS, BARE, FULL, DECODING = "into the cache", "the VAE alone", "from the full cache", "decoding alone"

VaeCall = Callable[[Tensor], LatentDistribution]


@dataclass(kw_only=True, slots=True, frozen=True)
class Job:
    """A VAE, and the pictures that it is given."""

    name: str
    encode: VaeCall
    scan: Scan
    choices: list[BucketChoice]


def measure_encoding(settings: Settings, photographs: Path) -> None:
    """Print the throughput of each VAE and batch, ours / bare, and the seconds of a full cache."""
    torch.set_num_threads(settings.threads)
    jobs = [
        _job("the demo's VAE", _demo_vae(), photographs, resolution=64, files=settings.files),
        _job(
            "Stable Diffusion 1's VAE",
            _sd1_vae(),
            photographs,
            resolution=settings.sd_size,
            files=settings.sd_files,
        ),
    ]
    for job in jobs:
        for batch in BATCHES:
            _report(
                job, batch, measure_job(job, batch, Path(settings.folder, "encode_cache"), settings.rounds)
            )


def measure_job(job: Job, batch: int, cache: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round; the first of encoding and bare VAE in turn."""
    given = batches_of(job, batch)
    ways: dict[str, Callable[[], object]] = {
        OURS: lambda: encode(job, batch, cache),
        BARE: lambda: [job.encode(pixels) for pixels in given],
        FULL: lambda: encode(job, batch, cache),
        DECODING: lambda: list(in_order(_decoded, list(zip(job.scan.pictures, job.choices, strict=True)))),
    }
    for pixels in {tuple(one.shape): one for one in given}.values():
        job.encode(pixels)  # what torch sets up for a shape is not measured
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for round_ in range(rounds):
        for way in (OURS, FULL, BARE, DECODING) if round_ % 2 == 0 else (BARE, DECODING, OURS, FULL):
            if way == OURS:
                shutil.rmtree(cache, ignore_errors=True)
            start = time.perf_counter()
            ways[way]()
            seconds[way].append(time.perf_counter() - start)
    shutil.rmtree(cache)
    return seconds


def encode(job: Job, batch: int, cache: Path | None, vae: VaeCall | None = None) -> int:
    """How many latents were computed."""
    encoders = Encoders(
        encode_images=vae or job.encode,
        encode_prompts=None,
        vae_fingerprint=job.name,
        text_fingerprint="",
        vae_dtype=torch.float32,
        text_dtype=torch.float32,
    )
    storage = Storage(cache_dir=cache)
    data = encode_dataset(job.scan, job.choices, encoders=encoders, storage=storage, batch_size=batch)
    assert not data.skipped and len(data.pictures) == len(job.choices)
    return data.num_encoded


def batches_of(job: Job, batch: int) -> list[Tensor]:
    """The pixels that encode_dataset gives to the VAE, in its batches."""
    given: list[Tensor] = []

    def write_down(pixels: Tensor) -> LatentDistribution:
        given.append(pixels)
        nothing = torch.zeros(len(pixels), 4, 1, 1)
        return LatentDistribution(mean=nothing, std=nothing)

    encode(job, batch, None, write_down)
    return given


def _report(job: Job, batch: int, seconds: dict[str, list[float]]) -> None:
    count = len(job.choices)
    shapes = len({choice.bucket for choice in job.choices})
    ratios = [bare / ours for ours, bare in zip(seconds[OURS], seconds[BARE], strict=True)]
    print(
        f"{job.name}, {count} files in {shapes} buckets, batch {batch}, {torch.get_num_threads()} threads: "
        f"throughput, encoding to the cache / VAE alone = {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )
    for way, each in seconds.items():
        median = statistics.median(each)
        print(
            f"  {way:20} {median:8.3f} s ({min(each):.3f} to {max(each):.3f}), "
            f"{count / median:8.2f} pictures a second"
        )
    first, second = statistics.median(seconds[OURS]), statistics.median(seconds[FULL])
    print(f"  first / second = {first / second:.1f}", flush=True)


def _decoded(one: tuple[Picture, BucketChoice]) -> None:
    to_tensor(load_pixels(*one))


def _job(name: str, vae: torch.nn.Module, folder: Path, *, resolution: int, files: int) -> Job:
    """The first files of a folder in buckets as a run has them."""
    step = 8 if resolution < 256 else 64
    config = DatasetConfig(
        path=str(folder),
        resolution=resolution,
        min_bucket_reso=max(step, resolution // 2),
        max_bucket_reso=resolution * 2,
        bucket_reso_steps=step,
    )
    scan = scan_folder(config, folder)
    assert not scan.problems, scan.problems
    del scan.pictures[files:]
    buckets = buckets_of(config)
    choices = [choose_bucket(picture.width, picture.height, buckets) for picture in scan.pictures]
    return Job(name=name, encode=_call(vae), scan=scan, choices=choices)


def _call(vae: torch.nn.Module) -> VaeCall:
    """As engine.models.sd1 asks a VAE."""

    @torch.no_grad()
    def encode_images(pixels: Tensor) -> LatentDistribution:
        posterior = vae.encode(pixels).latent_dist  # type: ignore[operator]
        return LatentDistribution(mean=posterior.mean, std=posterior.std)

    return cast(VaeCall, encode_images)


def _demo_vae() -> torch.nn.Module:
    from diffusers import AutoencoderKL

    return cast(torch.nn.Module, AutoencoderKL.from_pretrained(WEIGHTS / "vae").eval())


def _sd1_vae() -> torch.nn.Module:
    """Random weights: the time does not depend on them."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    return cast(torch.nn.Module, vae.eval())
