"""How fast pictures are found, encoded and fed to the steps: python benchmarks/data.py.

Arguments as key=value (data_settings.py): part=scan, encode or wait; rounds, threads, pictures, files ...
Ways of a part run in turn; medians over the rounds, with the range. Figures of 2026-11-21, AMD EPYC, 4 cores,
Pillow 13.0.0, torch 2.13.0+cpu, diffusers 0.42.1.

The scan: a made folder of pictures (half JPEG, some turned by EXIF; PNG; one in twenty WebP) with a caption
each. Listing, sizes and captions, the first time and with the index, against Pillow in one thread over the
same headers: Image.open and size; and with the orientation too, as engine.data.headers.read_size, which is
what the scan does. cold=1 drops the files' pages (not the folders') before each first scan and each of
Pillow's. 20,000 pictures in 20 folders, others at work on the machine:
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
x: times as fast as Pillow with the orientation, and with the captions where they are read. With nothing else
running, from memory: first 0.44 s, 3.9 x (sizes alone 3.0 x), second 0.25 s, of which the dates are 0.16 s. A
second scan is 1.6 to 1.8 times as fast as a first from memory and 4.8 times as a first from a disk, not 20
times: looking at the date of each file is two thirds of it, and without that a file edited in place would go
unseen.

The encoding: photographs of 0.6 megapixels (scikit-image's, JPEG of quality 90 and one PNG in eight) into an
empty cache, against the VAE alone on the same pixels in the same batches; pictures a second, ours / alone:
                                               batch 1                   batch 4
    Stable Diffusion 1's VAE, 256 px     0.98 (0.96 to 1.01)      0.98 (0.97 to 0.99)    0.60, 0.55 a second
    the demo's VAE, 64 px                0.20 (0.19 to 0.20)      0.10 (0.10 to 0.13)    55, 59 a second
part=encode threads=2; of the first row sd_files=4 rounds=4, of the second 512 files, rounds=3. The wish was
0.90 or more: a VAE of usual size has it, the demo's has not. That takes 3.5 ms for a picture, 1.6 ms in
batches of 4, but reading, decoding and shrinking one takes 14 ms even with four threads (72 a second, nothing
else running), most of it the area average. With others at work one round of the first row fell to
0.62. From the full cache 512 pictures take 0.27 s, the first time 9.2 s (34 times). Hashes of the files
are known, as after a scan. Not measured: a GPU, whose VAE may outrun four threads (56 a second at 512 px).

The wait: share of a step of the demo's default run (batch 8) that waits for its pictures, StepReport.waited /
seconds. part=wait threads=2 rounds=4 steps=60, others at work, a step of 155 to 280 ms; files in memory:
                                             the demo's pictures           512 photographs
    latents in memory                      0.33 % (0.27 to 0.43)        0.34 % (0.22 to 0.37)
    latents and text read from the cache   1.15 % (1.01 to 1.32)        1.40 % (1.09 to 1.79)
    pictures decoded, workers=0            8.9 %  (8.2 to 15.2)         49 %   (40 to 52)
    pictures decoded, workers=2            9.7 %  (8.5 to 10.7)         10 %   (8 to 13)
Below 3 %, as wished, where latents are kept. Of what the last two rows wait, 16 to 21 ms a step is the VAE,
which no worker can take over; workers start in 0.3 s, and do nothing for the demo's own small pictures.
"""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from data_photographs import photographs
from data_scan import measure_scan
from data_settings import read_settings


def main(arguments: list[str]) -> None:
    """Measure the parts that are asked for."""
    settings = read_settings(arguments)
    print(f"{_machine()}; {settings}", flush=True)
    if settings.measures("scan"):
        measure_scan(settings)
    if settings.part == "scan":
        return
    from data_encode import measure_encoding
    from data_wait import measure_wait

    with photographs(Path(settings.folder, "photographs"), settings.files) as folder:
        if settings.measures("encode"):
            measure_encoding(settings, folder)
        if settings.measures("wait"):
            measure_wait(settings, folder)


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    names = ", ".join(f"{name} {version(name)}" for name in ("pillow", "torch", "diffusers"))
    return f"{(models or [platform.machine()])[0]}, {os.cpu_count()} cores; {names}"


if __name__ == "__main__":
    main(sys.argv[1:])
