"""How much looking at pictures costs beside the encoder itself: python benchmarks/evaluation.py.

Arguments as key=value (Settings): pictures, size, rounds, threads, batch_size, many, encoder=b32 or toy.
Ways run in turn; medians over the rounds, with the range. Figures of 2026-11-21, AMD EPYC, 4 cores, Pillow
13.0.0, torch 2.13.0+cpu, transformers 5.23.0.

Scoring: what python -m evaluation does with pictures before metrics compare (hashes, decoding, facts of
pixels, embeddings, the cache) against the forward pass of the same encoder over the same pictures, ready in
memory, in the same batches of 32. CLIP ViT-B/32 with random weights, 128 PNG files of photographs at 512 px,
torch with one thread, others at work on the machine (load 3 at the start), rounds=4 many=0:
    forward pass alone    13.9 s   (12.9 to 14.0)
    first look            14.6 s   (13.8 to 15.3)     1.06 x (1.05 to 1.09); wished: 1.10 at the most
    second look            0.022 s (0.022 to 0.024)   640 times as fast as the first; wished: 20
With more at work than there are cores (load 5 to 9) three runs of 3 to 7 rounds gave medians of 1.07, 1.11
and 1.11 (1.01 to 1.25), the last savings not yet made: decoding and shrinking a picture takes 10 ms of a
core (the PNG alone 6), its facts 2.4, the forward pass 110, and threads can only hide that behind it where a
core is free. Not measured: a GPU, whose forward pass may outrun the threads that decode.

Memory: what a process that has looked at 64 pictures grows by when it looks at 10,000 of 256 px, with a toy
encoder that reads 224 px: 60 MB, for embeddings, facts and names; a second look adds none. Decoded the
pictures would be 1966 MB, as the encoder reads them 6 GB.
"""

import multiprocessing
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from data_photographs import photographs
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from engine.models.quiet import quiet_loading
from evaluation.encoders.load import load_encoder
from evaluation.tools import Role, load_tools

TOWERS = {  # hidden size, layers, heads, width of the projection
    "b32": (768, 12, 12, 512),
    "toy": (32, 1, 2, 16),
}
SETTLED = 2.1  # seconds after which an index trusts the date of a file
MEMORY_SIDE = 256  # pixels of the pictures that memory is measured with


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """How much of what is measured."""

    encoder: str = "b32"  # of TOWERS, with random weights: what they are does not change their speed
    pictures: int = 128  # PNG files, as runs draw them
    size: int = 512  # pixels of their sides
    rounds: int = 5  # of each way, in turn
    threads: int = 1  # of torch
    batch_size: int = 32
    many: int = 10_000  # pictures of the memory, of 256 px, with the toy encoder; 0 = not measured
    folder: str = ".cache/benchmarks"  # of pictures, encoder and caches; removed at the end


def main(arguments: Sequence[str]) -> None:
    """Print what each part found."""
    settings = read_settings(arguments)
    torch.set_num_threads(settings.threads)
    quiet_loading()
    print(f"{_machine()}, load {os.getloadavg()[0]:.1f}; {settings}", flush=True)
    folder = Path(settings.folder, "evaluation")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        encoder = save_clip(folder / "clip", settings.encoder)
        paths = draw(folder / "pictures", settings.pictures, settings.size)
        time.sleep(SETTLED)
        measure_scoring(settings, encoder, paths, folder / "cache")
        if settings.many:
            measure_memory(settings, save_clip(folder / "toy", "toy"), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings of arguments such as rounds=3."""
    given = dict(word.split("=") for word in arguments)
    words = {key: given.pop(key) for key in ("encoder", "folder") if key in given}
    return Settings(**words, **{key: int(value) for key, value in given.items()})  # type: ignore[arg-type]


def measure_scoring(settings: Settings, encoder: Path, paths: Sequence[Path], cache: Path) -> None:
    """The encoder alone on prepared pixels, a first look at the files, and a second, in turn."""
    bare = load_encoder(str(encoder), "cpu")
    prepared = [bare.prepare(Image.open(path)) for path in paths]
    batches = [
        prepared[start : start + settings.batch_size] for start in range(0, len(paths), settings.batch_size)
    ]
    bare.embed_prepared(batches[0])  # loads the weights
    seconds: dict[str, list[float]] = {"forward alone": [], "first look": [], "second look": []}
    for _ in range(settings.rounds):
        shutil.rmtree(cache, ignore_errors=True)
        start = time.perf_counter()
        expected = np.concatenate([bare.embed_prepared(batch) for batch in batches])
        seconds["forward alone"].append(time.perf_counter() - start)
        for way in ("first look", "second look"):
            start = time.perf_counter()
            found = look(encoder, paths, cache, settings.batch_size)
            seconds[way].append(time.perf_counter() - start)
            assert np.abs(found - expected).max() < 1e-5
    for way, each in seconds.items():
        print(f"  {way:15} {statistics.median(each):8.3f} s  ({min(each):.3f} to {max(each):.3f})")
    _report("first look / forward alone", seconds["first look"], seconds["forward alone"])
    _report("first look / second look", seconds["first look"], seconds["second look"])
    _report_work(encoder, paths)


def look(encoder: Path, paths: Sequence[Path], cache: Path, batch_size: int) -> np.ndarray:
    """All that scoring does with pictures before metrics compare: hashes, facts, embeddings, the cache."""
    tools = load_tools(encoder=str(encoder), device="cpu", cache_dir=cache, batch_size=batch_size)
    tools.look(paths)
    assert all(tools.facts(path).fault is None for path in paths)
    return tools.embedder(Role.text_image).images(paths)


def measure_memory(settings: Settings, encoder: Path, folder: Path) -> None:
    """What looking at many pictures adds to a process that has looked at a few."""
    few = draw(folder / "few", min(64, settings.many), MEMORY_SIDE)
    many = copies(few, folder / "many", settings.many)
    time.sleep(SETTLED)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        before, after, again = pool.apply(memory_of_look, (encoder, few, many, folder / "memory_cache"))
    decoded = settings.many * MEMORY_SIDE**2 * 3
    print(
        f"memory: {settings.many} pictures add {(after - before) / 1e6:.0f} MB to {before / 1e6:.0f} MB; a "
        f"second look {(again - after) / 1e6:.0f} MB more; decoded they would be {decoded / 1e6:.0f} MB"
    )


def memory_of_look(encoder: Path, few: Sequence[Path], many: Sequence[Path], cache: Path) -> list[int]:
    """Peaks in bytes after a few pictures, after many, and after many from the cache."""
    torch.set_num_threads(1)
    peaks = []
    for paths in (few, many, many):
        look(encoder, paths, cache, 32)
        peaks.append(_peak_bytes())
    return peaks


def save_clip(folder: Path, size: str) -> Path:
    """A CLIP that reads 224 pixels, with the weights that it is made with."""
    from transformers import CLIPConfig, CLIPModel

    width, layers, heads, projection = TOWERS[size]
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {"hidden_size": width, "intermediate_size": 4 * width, "patch_size": 32}
    config = CLIPConfig(
        text_config={**text, "vocab_size": 60, "bos_token_id": 1, "eos_token_id": 2},
        vision_config={**vision, "num_hidden_layers": layers, "num_attention_heads": heads},
        projection_dim=projection,
    )
    CLIPModel(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")  # no text is read here
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "CLIPImageProcessor"}')
    return folder


def draw(folder: Path, count: int, size: int) -> list[Path]:
    """PNG files of photographs."""
    folder.mkdir(parents=True)
    paths = []
    with photographs(folder.with_name("photographs"), count) as originals:
        for number, path in enumerate(sorted(p for p in originals.iterdir() if p.suffix != ".txt")):
            paths.append(folder / f"{number:04}.png")
            with Image.open(path) as picture:
                picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS).save(paths[-1])
    return paths


def copies(paths: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """So many files, no two of the same bytes: what stands behind the end of a PNG is not looked at."""
    folder.mkdir()
    made = [folder / f"{number:05}.png" for number in range(count)]
    for number, path in enumerate(made):
        path.write_bytes(paths[number % len(paths)].read_bytes() + str(number).encode())
    return made


def _report(what: str, first: Sequence[float], second: Sequence[float]) -> None:
    ratios = [one / other for one, other in zip(first, second, strict=True)]
    print(f"{what} = {statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")


def _report_work(encoder: Path, paths: Sequence[Path]) -> None:
    """What a thread does for a picture beside the forward pass: reads, hashes, decodes, counts."""
    tools = load_tools(encoder=str(encoder), device="cpu")
    start = time.process_time()
    tools.look(paths, roles=())
    milliseconds = (time.process_time() - start) / len(paths) * 1e3
    print(f"facts of a picture alone take {milliseconds:.1f} ms of a core")


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    names = ", ".join(f"{name} {version(name)}" for name in ("pillow", "torch", "transformers"))
    return f"{(models or [platform.machine()])[0]}, {os.cpu_count()} cores; {names}"


def _peak_bytes() -> int:
    """From /proc: getrusage would count what the parent held when it started the process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
