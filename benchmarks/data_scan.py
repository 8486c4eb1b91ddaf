"""The scan of a folder: a first and a second, against Pillow and plain reading one by one."""

import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from data_settings import Settings
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
