"""A trial's final pictures as artifacts of its Optuna trial, so that optuna-dashboard shows them."""

import json
import math
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from PIL import Image

if TYPE_CHECKING:
    import optuna
    from optuna.artifacts import FileSystemArtifactStore

SHEET = "contact_sheet.png"
NUM_SINGLE = 6
_SHEET_PICTURES = 48  # more would be too small to tell apart, and slow to read
_CELL = 160  # pixels of a picture's longer side in the sheet
_GAP = 4
_GROUND = (32, 32, 32)


def open_store(folder: Path) -> "FileSystemArtifactStore":
    """The store of a study's pictures: sweeps/<study>/artifacts."""
    from optuna.artifacts import FileSystemArtifactStore

    from sweeper.study.storage import quiet_optuna

    quiet_optuna()
    folder.mkdir(parents=True, exist_ok=True)
    return FileSystemArtifactStore(folder)


def attach_pictures(
    study: "optuna.Study",
    trial_id: int,
    folder: Path,
    store: "FileSystemArtifactStore",
    *,
    warn: Callable[[str], None],
    num_single: int = NUM_SINGLE,
) -> int:
    """Attach a contact sheet and single pictures of samples/final; call it before the trial is told.

    The same call again changes nothing: names follow from study, trial and picture, and a file is written
    before the trial is told of it, so that a kill leaves no picture that cannot be shown.

    trial_id    Optuna's id of the trial, not its number; the trial must not have ended
    folder      the trial's run folder
    num_single  pictures beside the sheet, spread over all of them; 0: the sheet alone
    warn        one line, where the disk is full or a picture cannot be read; nothing is raised then
    returns     how many are attached; 0 where nothing was drawn
    """
    from optuna.exceptions import UpdateFinishedTrialError

    pictures = sorted((folder / "samples" / "final").glob("*.png"))
    if not pictures:
        return 0
    try:
        contents = {SHEET: contact_sheet(_spread(pictures, _SHEET_PICTURES))}
        contents |= {path.name: path.read_bytes() for path in _spread(pictures, num_single)}
        for name, content in contents.items():
            _attach(study, trial_id, store, name=name, content=content)
    except (OSError, UpdateFinishedTrialError) as error:  # the last one: another worker told the trial
        warn(f"pictures for optuna-dashboard: {error}; the trial counts without them")
        return 0
    return len(contents)


def contact_sheet(paths: Sequence[Path]) -> bytes:
    """A PNG of small versions side by side, about as wide as high; pictures smaller than a cell stay so."""
    thumbs = [_thumbnail(path) for path in paths]
    width, height = (max(thumb.size[axis] for thumb in thumbs) for axis in (0, 1))
    columns = math.ceil(math.sqrt(len(thumbs)))
    rows = math.ceil(len(thumbs) / columns)
    size = (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _GROUND)
    for place, thumb in enumerate(thumbs):
        row, column = divmod(place, columns)
        sheet.paste(thumb, (_GAP + column * (width + _GAP), _GAP + row * (height + _GAP)))
    stream = BytesIO()
    sheet.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def artifact_id(study: str, trial_id: int, name: str) -> str:
    """Where a picture lies in the store; the dashboard takes only letters a-f, digits and hyphens."""
    return str(uuid5(NAMESPACE_URL, f"{study}/{trial_id}/{name}"))


def _attach(
    study: "optuna.Study", trial_id: int, store: "FileSystemArtifactStore", *, name: str, content: bytes
) -> None:
    """As optuna.artifacts.upload_artifact, which draws a new name each time and writes the file last."""
    from optuna.artifacts._upload import ARTIFACTS_ATTR_PREFIX

    place = artifact_id(study.study_name, trial_id, name)
    facts = {"artifact_id": place, "filename": name, "mimetype": "image/png", "encoding": None}
    store.write(place, BytesIO(content))
    key, value = ARTIFACTS_ATTR_PREFIX + place, json.dumps(facts)
    if study._storage.get_trial_system_attrs(trial_id).get(key) != value:
        study._storage.set_trial_system_attr(trial_id, key, value)


def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_CELL, _CELL), reducing_gap=2.0)  # a large one is halved first: quicker
    return small


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of them, evenly over the whole list."""
    if len(paths) <= count:
        return list(paths)
    return [paths[place * len(paths) // count] for place in range(count)]
