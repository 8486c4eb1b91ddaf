"""The pictures of a run, in whatever form they are given."""

from pathlib import Path

from engine.config import DatasetConfig, Layout
from engine.data.kohya_folders import scan_kohya_folders
from engine.data.kohya_scan import scan_kohya_file
from engine.data.scan import Scan, scan_folder


def scan_dataset(config: DatasetConfig, source: Path) -> Scan:
    """The pictures of a folder, a parent of folders or a dataset file; problems are in the scan."""
    if config.layout is Layout.kohya_toml:
        return scan_kohya_file(config, source)
    if config.layout is Layout.kohya:
        reg = None if config.reg_path is None else Path(config.reg_path)
        return scan_kohya_folders(config, source, reg)
    return scan_folder(config, source)
