"""The pictures of a run, in whatever form they are given."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.config import DatasetConfig, Layout, is_dataset_file
from engine.data.hold_out import hold_out
from engine.data.indexes import Indexes
from engine.data.kohya_folders import scan_kohya_folders
from engine.data.metadata import scan_metadata
from engine.data.repeats import regularisation_repeats
from engine.data.scan import Picture, Scan, Subset, scan_folder
from engine.data.subset_scan import VAE_STEP, scan_dataset_file


def scan_dataset(
    config: DatasetConfig, source: Path, indexes: Indexes | None = None, *, side_step: int = VAE_STEP
) -> Scan:
    """The pictures of a folder, a parent of folders or a file of datasets; problems are in the scan.

    Some are held out where a validation split is asked for; regularisation pictures are repeated, or left
    unused, until they are as many as those to learn.
    indexes    what earlier scans have read; the caller saves what this one adds
    side_step  pixels; the sides that a file of datasets asks for are multiples of it
    """
    indexes = indexes or Indexes()
    whole = _joined(_parts(config, source, indexes, side_step), config, source)
    whole.indexes = indexes
    if not whole.problems:
        hold_out(whole)
    _balance(whole)
    return whole


def _parts(config: DatasetConfig, source: Path, indexes: Indexes, side_step: int) -> list[Scan]:
    if is_dataset_file(config):
        return scan_dataset_file(config, source, indexes, side_step=side_step)
    if config.layout is Layout.kohya:
        reg = None if config.reg_path is None else Path(config.reg_path)
        return scan_kohya_folders(config, source, reg, indexes)
    if config.metadata_file is not None:
        subset = Subset(source=f"dataset.path={config.path or source}", folder=source, config=config)
        return [scan_metadata(subset, config, source, indexes)]
    return [scan_folder(config, source, indexes)]


def _joined(parts: Sequence[Scan], config: DatasetConfig, source: Path) -> Scan:
    folder = source.parent if is_dataset_file(config) else source
    whole = Scan(folder=folder, source=parts[0].source, config=config)
    for part in parts:
        whole.subsets += part.subsets
        whole.pictures += part.pictures
        whole.problems += part.problems
        where = "" if part.folder == folder else f"{part.folder.name}: "
        whole.notes += [f"{where}{note}" for note in part.notes]
    return whole


def _balance(scan: Scan) -> None:
    """As many regularisation pictures as there are to learn, in each data set by itself."""
    kept = [picture for picture in scan.pictures if not picture.is_reg]
    for dataset in sorted({subset.dataset for subset in scan.subsets if subset.is_reg}):
        reg = [one for one in scan.pictures if one.is_reg and one.subset.dataset == dataset]
        learnt = sum(one.repeats for one in kept if not one.is_reg and one.subset.dataset == dataset)
        used = _repeated(reg, learnt)
        if len(used) < len(reg):
            unused = len(reg) - len(used)
            scan.notes.append(f"{unused} regularisation pictures are not used: there are enough without them")
        kept += used
    scan.pictures = kept


def _repeated(regularisation: Sequence[Picture], num_learnt: int) -> list[Picture]:
    repeats = regularisation_repeats(num_learnt, [picture.repeats for picture in regularisation])
    return [
        replace(picture, repeats=count)
        for picture, count in zip(regularisation, repeats, strict=True)
        if count
    ]
