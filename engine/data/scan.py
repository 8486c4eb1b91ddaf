"""The pictures of a folder with their captions, as the file system and the file headers show them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from engine.config import DatasetConfig, dataset_size
from engine.data.caption_changes import caption_settler
from engine.data.caption_scan import CaptionScan
from engine.data.face_crop import face_of
from engine.data.folder import folder_problem, left_out, list_files, no_pictures
from engine.data.headers import Headers, read_sizes, readable_endings
from engine.data.indexes import Indexes
from engine.data.mask_files import find_masks
from engine.data.sentences import listed, pictures


@dataclass(kw_only=True, slots=True, frozen=True, eq=False)
class Subset:
    """Pictures that come from one place and are treated alike."""

    source: str  # how a sentence names it: "dataset.path=photos"
    folder: Path
    config: DatasetConfig  # what is done to its pictures and captions, how they are cut and batched
    options: str = "dataset."  # what stands before the name of an option in a sentence
    dataset: int = 0  # subsets of one data set share their batches
    is_reg: bool = False  # regularisation: of the class, not of what is learnt


@dataclass(kw_only=True, slots=True, frozen=True)
class Picture:
    """One picture to learn from."""

    path: Path
    width: int  # pixels, as the picture is shown
    height: int
    caption: str  # as the text encoder gets it; as in its file where captions vary
    repeats: int  # times in an epoch; 0 where it is held out
    subset: Subset
    caption_file: Path | None = None  # None = class tokens
    mask: Path | None = None  # its own file; a mask may also lie in the picture
    held_out: bool = False  # for the validation loss, never trained on

    @property
    def is_reg(self) -> bool:
        """Whether it is of the class, and not of what is learnt."""
        return self.subset.is_reg


@dataclass(kw_only=True, slots=True)
class Scan:
    """What a data set holds, and what is wrong with it."""

    folder: Path
    source: str  # how a sentence names it: "dataset.path=photos"
    config: DatasetConfig  # the run's
    subsets: list[Subset] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)  # by subset; sorted by their path within its folder
    problems: list[str] = field(default_factory=list)  # sentences for ConfigError
    notes: list[str] = field(default_factory=list)  # sentences for the plan
    indexes: Indexes = field(default_factory=Indexes)  # what was read of its folders

    def name(self, picture: Picture) -> str:
        """A picture's path within the folder of the data set, else of its subset, as on every system."""
        for folder in (self.folder, picture.subset.folder):
            if picture.path.is_relative_to(folder):
                return picture.path.relative_to(folder).as_posix()
        return picture.path.as_posix()

    def content_of(self, picture: Picture) -> str:
        """sha256 of the bytes of a picture's file, in hexadecimal.

        raises  OSError
        """
        return self.indexes.sha256(picture.path, picture.subset.folder)

    def mask_content_of(self, picture: Picture) -> str | None:
        """sha256 of the file that holds a picture's mask, be it its own; None: it has no mask.

        raises  OSError
        """
        config = picture.subset.config
        if picture.mask is None:
            return self.content_of(picture) if config.alpha_mask else None
        assert config.mask_dir is not None, "masks lie in a folder"
        return self.indexes.sha256(picture.mask, Path(config.mask_dir))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the largest of its data sets."""
        sizes = {dataset_size(subset.config) for subset in self.subsets} or {dataset_size(self.config)}
        return max(sizes, key=lambda size: (size[0] * size[1], size))

    @property
    def captions_by_ending(self) -> dict[str, int]:
        """Pictures whose caption is read from a file of an ending."""
        files = (picture.caption_file for picture in self.pictures)
        return dict(sorted(Counter(file.suffix for file in files if file is not None).items()))


def scan_folder(config: DatasetConfig, folder: Path, indexes: Indexes | None = None) -> Scan:
    """Find the pictures of a folder and its sub-folders, their sizes and their captions.

    folder   what config.path means, or the folder that stands in for it
    returns  a Scan whose problems hold everything that keeps a run from starting
    """
    subset = Subset(source=f"dataset.path={config.path or folder}", folder=folder, config=config)
    scan = scan_subset(subset, config, indexes or Indexes())
    tokens = config.class_tokens
    if tokens is not None and scan.pictures and all(one.caption_file for one in scan.pictures):
        scan.problems.append(
            f"dataset.class_tokens={tokens}: every picture has a caption of its own. Leave it out."
        )
    return scan


def scan_subset(subset: Subset, config: DatasetConfig, indexes: Indexes) -> Scan:
    """The pictures of one folder; config is the whole run's."""
    folder, shown = subset.folder, subset.source
    scan = Scan(folder=folder, source=shown, config=config, subsets=[subset], indexes=indexes)
    where = (
        shown if subset.options else f"{shown}: image_dir={folder}"
    )  # a file's own subset, told by its place
    missing = folder_problem(folder)
    if missing:
        scan.problems.append(f"{where}: {missing}")
        return scan
    listing = list_files(folder)
    if listing.closed:
        closed = "it" if listing.closed == ["."] else listed(listing.closed)
        scan.problems.append(f"{where}: no permission to open {closed}. Allow it, or move it away.")
    endings = readable_endings()
    names = [name for name in listing.stamps if PurePath(name).suffix.lower() in endings]
    names = _without_masks(names, subset)
    if not names and not listing.closed:
        scan.problems.append(f"{where}: {no_pictures(len(listing.stamps), endings)}")
        return scan
    index = indexes.of(listing)
    captions = CaptionScan(subset.config, listing, names, index)
    scan.notes = captions.notes() + left_out(listing.stamps, endings)
    add_pictures(scan, subset, read_sizes(listing, names, index), captions.texts)
    scan.problems += [f"{shown}: {problem}" for problem in captions.problems(subset.options)]
    return scan


def _without_masks(names: list[str], subset: Subset) -> list[str]:
    """Without the files of a folder of masks that lies within that of the pictures."""
    if subset.config.mask_dir is None:
        return names
    masks, folder = Path(subset.config.mask_dir).resolve(), subset.folder.resolve()
    if masks == folder or not masks.is_relative_to(folder):
        return names
    prefix = f"{masks.relative_to(folder).as_posix()}/"
    return [name for name in names if not name.startswith(prefix)]


def add_pictures(
    scan: Scan, subset: Subset, headers: Headers, texts: Mapping[str, tuple[str, Path | None]]
) -> None:
    """Those of a subset whose header can be read, with their masks; the others become a problem.

    headers  of pictures by their name within subset.folder
    texts    caption as it is written, and the file that it is from, of each picture that has one
    """
    folder, config = subset.folder, subset.config
    if headers.errors:
        unreadable = [f"{name} ({why})" for name, why in headers.errors.items()]
        count = f"{len(unreadable)} of {pictures(len(unreadable) + len(headers.sizes))} cannot be read"
        scan.problems.append(f"{subset.source}: {count}: {listed(unreadable)}. Repair or remove them.")
    paths = {name: folder / name for name in headers.sizes}
    masks, without_mask = find_masks(config, headers.sizes, scan.indexes)
    scan.problems += [f"{subset.source}: {problem}" for problem in without_mask]
    if config.face_crop_aug_range is not None:
        faceless = [name for name in headers.sizes if face_of(paths[name]) is None]
        _tell_of_faceless(scan, subset, faceless, num_pictures=len(headers.sizes))
    settle = caption_settler(config)
    for name, (width, height) in headers.sizes.items():
        if name in texts:
            caption, file = texts[name]
            scan.pictures.append(
                Picture(
                    path=paths[name],
                    width=width,
                    height=height,
                    caption=settle(caption),
                    caption_file=file,
                    repeats=config.num_repeats,
                    subset=subset,
                    mask=masks.get(name),
                )
            )


def _tell_of_faceless(scan: Scan, subset: Subset, faceless: list[str], *, num_pictures: int) -> None:
    """Pictures whose name tells of no face are cut as all others are; none with a face is a mistake."""
    if num_pictures and len(faceless) == num_pictures:
        scan.problems.append(
            f"{subset.source}: {subset.options}face_crop_aug_range: no picture's name tells of a face. "
            "Name them name_x_y_width_height.png, or leave it out."
        )
    elif faceless:
        scan.notes.append(f"{pictures(len(faceless))} without a face in the name, cut as without face crops")
