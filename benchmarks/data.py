"""How fast pictures are found, encoded and fed to the steps: python benchmarks/data.py."""

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
