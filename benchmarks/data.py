"""How fast pictures are found and read: python benchmarks/data.py.

The scan: a made folder of pictures (half JPEG, some turned by EXIF; PNG; one in twenty WebP) with a caption
each. Listing, sizes and captions, the first time and with the index, against Pillow in one thread over the
same headers: Image.open and size; and with the orientation too, as engine.data.headers.read_size, which is
what the scan does. Rounds of each in turn; medians. cold=1 drops the files' pages (not the folders') before
each first scan and each of Pillow's. Arguments as key=value: pictures, rounds, cold, folder.

2026-11-21, AMD EPYC, 4 cores (others at work on them), Pillow 13.0.0, 20,000 pictures in 20 folders:
                                     from memory, rounds=7    from a disk, cold=1 rounds=3
    Pillow, size                              0.77 s                  3.56 s
    Pillow, size and orientation              0.99                    3.69
    Pillow and captions, one by one           1.63                    6.42
    first scan, sizes                         0.31   3.2 x            0.92   4.0 x
    first scan, captions too                  0.47   3.5 x            1.41   4.6 x
    second scan, sizes                        0.20   5.1 x            0.19   19 x
    second scan, captions too                 0.26   6.3 x            0.29   22 x
    the date of every file alone              0.17                    0.17
    memory: 42 MB, and 38 MB of three processes during the first scan
x: times as fast as Pillow with the orientation, and with the captions where they are read. A second scan is
1.6 to 1.8 times as fast as a first from memory and 4.8 times as a first from a disk, not 20 times: looking at
the date of each file is two thirds of it, and without that a file edited in place would go unseen.
"""

import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from engine.data.captions import read_captions
from engine.data.folder import FolderListing, list_files
from engine.data.headers import header_reader, read_size, read_sizes
from engine.data.read_worker import TEXTS
from engine.data.scan_index import index_file, load_index, save_index

PROJECT = Path(__file__).resolve().parents[1]
CAPTION_ENDINGS = (".caption", ".txt")
FILES_OF_A_FOLDER = 1000
ONE_BY_ONE = "Pillow and captions, one by one"
SETTLED = 2.1  # seconds after which an index trusts the date of a file


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """What is measured."""

    pictures: int = 20_000
    rounds: int = 5
    cold: int = 0  # 1 = the bytes of the files come from the disk
    folder: str = ".cache/benchmarks"  # of the pictures and the index; removed at the end


def main(arguments: list[str]) -> None:
    """Measure the scan."""
    given = dict(word.split("=") for word in arguments)
    settings = Settings(folder=given.pop("folder", Settings().folder))
    settings = replace(settings, **{key: int(value) for key, value in given.items()})  # type: ignore[arg-type]
    print(f"{_machine()}; {settings}")
    measure_scan(settings)


def measure_scan(settings: Settings) -> None:
    """Print the seconds of each way, their ratios, and the memory of a process that scans."""
    pictures, cache = Path(settings.folder, "scan_pictures"), Path(settings.folder, "scan_cache")
    shutil.rmtree(pictures, ignore_errors=True)
    make_pictures(pictures, settings.pictures)
    time.sleep(SETTLED)
    try:
        seconds = _seconds_of_scans(settings, pictures, cache)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            growth = pool.apply(memory_of_scan, (pictures, cache))
        workers = (os.cpu_count() or 1) - 1
        of_workers = workers * memory_of_worker(pictures, workers)
    finally:
        shutil.rmtree(pictures)
        shutil.rmtree(cache, ignore_errors=True)
    for way, each in seconds.items():
        print(f"  {way:35} {statistics.median(each):7.3f} s  ({min(each):.3f} to {max(each):.3f})")
    of = {way: statistics.median(each) for way, each in seconds.items()}
    for what, plain in (("sizes", "Pillow, size and orientation"), ("captions too", ONE_BY_ONE)):
        first, second = of[f"first, {what}"], of[f"second, {what}"]
        print(
            f"{what}: {plain} / first = {of[plain] / first:.2f}, / second = {of[plain] / second:.2f}; "
            f"Pillow, size / first = {of['Pillow, size'] / first:.2f}; first / second = {first / second:.2f}"
        )
    print(f"second / looking at the dates alone = {of['second, captions too'] / of['dates alone']:.2f}")
    print(
        f"memory: scans add {growth / 1e6:.0f} MB, {workers} processes beside them {of_workers / 1e6:.0f} MB"
    )


def make_pictures(folder: Path, count: int) -> None:
    """Small pictures of 40 kinds, in folders of a thousand, each with a caption of its own."""
    kinds = [_kind(number) for number in range(40)]
    for number in range(count):
        ending, content = kinds[number * 7 % 40]
        path = folder / f"part{number // FILES_OF_A_FOLDER:02}" / f"picture_{number:05}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.with_suffix(".txt").write_text(f"a photo of thing {number}, outdoors, sunny, high quality\n")


def scan(folder: Path, cache: Path, *, with_captions: bool) -> None:
    """List a folder, take or read sizes and captions, keep what was read."""
    listing = list_files(folder)
    file = index_file(cache, folder)
    index = load_index(file, reader=header_reader())
    names = _picture_names(listing)
    sizes = read_sizes(listing, names, index).sizes
    texts = read_captions(listing, names, CAPTION_ENDINGS, index).texts if with_captions else sizes
    assert len(sizes) == len(texts) == len(names)
    save_index(index, file, listing, reader=header_reader())


def memory_of_scan(folder: Path, cache: Path) -> int:
    """Bytes that a first and a second scan add to this process, and those of the processes that it starts."""
    shutil.rmtree(cache, ignore_errors=True)
    Image.init()
    before = _peak_bytes()
    for _ in range(2):
        scan(folder, cache, with_captions=True)
    return _peak_bytes() - before


def memory_of_worker(folder: Path, num_workers: int) -> int:
    """Bytes of one of the processes that read a share of the captions."""
    names = [name for name in list_files(folder).stamps if name.endswith(CAPTION_ENDINGS)]
    job = {"kind": TEXTS, "top": str(folder), "names": names[:: num_workers + 1], "most_pixels": 1e9}
    code = (
        f"import sys, json; sys.path.insert(0, {str(PROJECT)!r}); from engine.data.read_worker import do_job;"
        "json.dumps(do_job(json.load(sys.stdin))); print(open('/proc/self/status').read())"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=True)
    return _peak_bytes(done.stdout)


def _seconds_of_scans(settings: Settings, folder: Path, cache: Path) -> dict[str, list[float]]:
    paths = [folder / name for name in _picture_names(list_files(folder))]
    cold = [_drop_pages] if settings.cold else []

    def first(folder: Path) -> None:
        shutil.rmtree(cache, ignore_errors=True)
        for drop in cold:
            drop(folder)

    def pillow(folder: Path) -> None:
        for drop in cold:
            drop(folder)

    ways: dict[str, tuple[Callable[[Path], None], Callable[[], object]]] = {
        "Pillow, size": (pillow, lambda: [_pillow_size(path) for path in paths]),
        "Pillow, size and orientation": (pillow, lambda: [read_size(path) for path in paths]),
        ONE_BY_ONE: (
            pillow,
            lambda: [(read_size(path), _plain_caption(path)) for path in paths],
        ),
        "dates alone": (lambda folder: None, lambda: list_files(folder)),
    }
    for name, with_captions in (("sizes", False), ("captions too", True)):

        def run(with_captions: bool = with_captions) -> None:
            scan(folder, cache, with_captions=with_captions)

        ways |= {f"first, {name}": (first, run), f"second, {name}": (lambda folder: None, run)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    Image.init()
    for _ in range(settings.rounds):
        for way, (prepare, measured) in ways.items():
            prepare(folder)
            start = time.perf_counter()
            measured()
            seconds[way].append(time.perf_counter() - start)
    return seconds


def _picture_names(listing: FolderListing) -> list[str]:
    return [name for name in listing.stamps if not name.endswith(CAPTION_ENDINGS)]


def _pillow_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _plain_caption(picture: Path) -> str | None:
    """As a script would read it."""
    for ending in CAPTION_ENDINGS:
        path = picture.with_suffix(ending)
        if path.is_file():
            return path.read_text(encoding="utf-8-sig").split("\n", 1)[0].strip()
    return None


def _kind(number: int) -> tuple[str, bytes]:
    chance = np.random.default_rng(number)
    height, width = chance.integers(64, 160, 2)
    image = Image.fromarray(chance.integers(0, 256, (height, width, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x0110: "Model", 0x0112: number % 8 + 1})
    form, ending = (
        ("JPEG", ".jpg") if number % 2 else ("WEBP", ".webp") if number % 20 == 0 else ("PNG", ".png")
    )
    stream = BytesIO()
    if form == "JPEG" and number % 4 == 1:
        image.save(stream, form, exif=exif)
    else:
        image.save(stream, form)
    return ending, stream.getvalue()


def _drop_pages(folder: Path) -> None:
    os.sync()
    for path in folder.rglob("*.*"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _peak_bytes(status: str | None = None) -> int:
    """From /proc: getrusage would count what the parent held when it started a process."""
    lines = (status or Path("/proc/self/status").read_text()).splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return f"{(models or [platform.machine()])[0]}, {os.cpu_count()} cores; Pillow {version('pillow')}"


if __name__ == "__main__":
    main(sys.argv[1:])
