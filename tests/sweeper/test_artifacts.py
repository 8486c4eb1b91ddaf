"""The pictures of a trial in its Optuna study."""

import io
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
from PIL import Image

from sweeper.study.folder import StudyFolder
from sweeper.study.storage import open_storage
from sweeper.tracking.artifacts import attach_pictures, contact_sheet, open_store

COLOURS = [(40 * n % 256, 200, 255 - 40 * n % 256) for n in range(20)]


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    folder = StudyFolder(tmp_path / "toy")
    folder.make()
    return optuna.create_study(study_name="toy", storage=open_storage("journal", folder))


@pytest.fixture
def store(tmp_path: Path) -> FileSystemArtifactStore:
    return open_store(tmp_path / "toy" / "artifacts")


def test_a_trial_gets_a_sheet_and_six_pictures_spread_over_all(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    trial, folder = study.ask(), _drawn(tmp_path / "trials/0000", 20)
    assert attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail) == 7
    metas = {meta.filename: meta for meta in get_all_artifact_meta(trial)}
    names = [f"p{place:02d}_s1.png" for place in (0, 3, 6, 10, 13, 16)]
    assert sorted(metas) == ["contact_sheet.png", *names]
    assert {meta.mimetype for meta in metas.values()} == {"image/png"}
    for name in names:
        with store.open_reader(metas[name].artifact_id) as stream:
            assert stream.read() == (folder / "samples/final" / name).read_bytes()


def test_the_same_call_again_adds_nothing(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    trial, folder = study.ask(), _drawn(tmp_path / "trials/0000", 3)
    for _ in range(2):
        assert attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail) == 4
    assert len(get_all_artifact_meta(trial)) == 4
    assert len(list((tmp_path / "toy/artifacts").iterdir())) == 4


def test_pictures_drawn_anew_take_the_place_of_the_old(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    trial, folder = study.ask(), _drawn(tmp_path / "trials/0000", 2)
    attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(folder / "samples/final/p00_s1.png")
    attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail)
    (meta,) = [meta for meta in get_all_artifact_meta(trial) if meta.filename == "p00_s1.png"]
    with store.open_reader(meta.artifact_id) as stream:
        assert Image.open(stream).getpixel((0, 0)) == (1, 2, 3)


def test_two_trials_with_pictures_of_one_name_keep_their_own(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    for number in range(2):
        folder = _drawn(tmp_path / f"trials/{number:04d}", 1)
        attach_pictures(study, study.ask()._trial_id, folder, store, warn=pytest.fail)
    ids = [
        meta.artifact_id
        for trial in study.trials
        for meta in get_all_artifact_meta(trial, storage=study._storage)
    ]
    assert len(set(ids)) == len(ids) == 4


def test_a_kill_between_file_and_note_leaves_no_picture_that_cannot_be_shown(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    trial, folder = study.ask(), _drawn(tmp_path / "trials/0000", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(study._storage, "set_trial_system_attr", die)
        attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail)
    assert get_all_artifact_meta(trial) == []
    assert attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail) == 2


def test_a_trial_that_drew_nothing_has_no_pictures(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    assert attach_pictures(study, study.ask()._trial_id, tmp_path, store, warn=pytest.fail) == 0
    assert attach_pictures(study, study.ask()._trial_id, tmp_path / "no", store, warn=pytest.fail) == 0


def test_a_picture_that_can_not_be_read_costs_a_line_and_not_the_trial(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    folder, warnings = _drawn(tmp_path / "trials/0000", 1), list[str]()
    (folder / "samples/final/p00_s1.png").write_bytes(b"torn")
    assert attach_pictures(study, study.ask()._trial_id, folder, store, warn=warnings.append) == 0
    assert len(warnings) == 1
    assert warnings[0].endswith("the trial counts without them")


def test_the_sheet_alone_can_be_asked_for(
    study: optuna.Study, store: FileSystemArtifactStore, tmp_path: Path
) -> None:
    trial, folder = study.ask(), _drawn(tmp_path / "trials/0000", 3)
    assert attach_pictures(study, trial._trial_id, folder, store, warn=pytest.fail, num_single=0) == 1
    assert [meta.filename for meta in get_all_artifact_meta(trial)] == ["contact_sheet.png"]


def test_the_sheet_shows_the_pictures_in_order_and_shrinks_the_large_ones(tmp_path: Path) -> None:
    folder = _drawn(tmp_path, 3, side=8)
    Image.new("RGB", (320, 640), (9, 9, 9)).save(folder / "samples/final/p02_s1.png")
    sheet = Image.open(io.BytesIO(contact_sheet(sorted((folder / "samples/final").iterdir()))))
    assert sheet.size == (2 * (80 + 4) + 4, 2 * (160 + 4) + 4)  # two columns of the widest, two rows
    places = [(4, 4), (4 + 84, 4), (4, 4 + 164)]
    assert [sheet.getpixel(place) for place in places] == [*COLOURS[:2], (9, 9, 9)]


def _drawn(folder: Path, count: int, side: int = 32) -> Path:
    """A run folder with final pictures, each of its own colour."""
    final = folder / "samples" / "final"
    final.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (side, side), COLOURS[number]).save(final / f"p{number:02d}_s1.png")
    return folder
