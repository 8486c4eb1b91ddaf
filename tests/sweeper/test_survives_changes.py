"""A study that is not what it was: an older schema, another space, other pictures."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from demo.folder import prepare_demo
from sweeper.study.folder import StudyFolder
from sweeper.study.read import read_study
from sweeper.study.records import TrialState
from tests.sweeper.real_sweeps import Toy, check_whole

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Toy:
    """A study of two trials on a folder of pictures."""
    folder = tmp_path_factory.mktemp("changed")
    photos = folder / "photos"
    photos.mkdir()
    made = prepare_demo("sks", cache).train
    for name in ("00", "01", "02", "03"):
        for ending in (".png", ".txt"):
            shutil.copy(made / f"{name}{ending}", photos)
    toy = Toy(
        folder=folder,
        cache=cache,
        overrides=("training.steps=4", f"dataset.path={photos}", "evaluation.enabled=false"),
        settings={"objectives": {"val_loss": "minimize"}},
    )
    toy.run("hydra.sweeper.budget.trials=2")
    check_whole(toy.read(), 2)
    return toy


def test_a_study_of_an_older_schema_is_refused_and_left_as_it_is(toy: Toy) -> None:
    whole = toy.study.file.read_bytes()
    values = json.loads(whole)
    toy.study.file.write_text(json.dumps({**values, "schema": 0}))
    before = _bytes(toy.study.root)
    printed = toy.run("hydra.sweeper.budget.trials=3", code=2)
    assert "study.json is of schema 0, this version reads schema 1" in printed, printed
    assert "give the study another name" in printed and "Traceback" not in printed
    assert _bytes(toy.study.root) == before
    toy.study.file.write_bytes(whole)


def test_another_space_is_refused_with_the_difference_and_nothing_is_touched(toy: Toy) -> None:
    before = _bytes(toy.study.root)
    toy.space = {
        **toy.space,
        "optimizer.lr": "tag(log,interval(1e-4,1e-2))",
        "noise.offset": "interval(0,0.1)",
    }
    toy.write()
    printed = toy.run("hydra.sweeper.budget.trials=3", code=2)
    assert "a study of this name has other trials" in printed and "Traceback" not in printed
    lines = [line for line in printed.splitlines() if "was -> is" in line]
    assert len(lines) == 2, printed
    assert "optimizer.lr" in lines[0] and "0.001" in lines[0] and "0.0001" in lines[0]
    assert "noise.offset" in lines[1]
    assert _bytes(toy.study.root) == before


def test_forked_it_is_a_study_beside_it_and_the_same_line_goes_on_in_the_fork(toy: Toy) -> None:
    before = _bytes(toy.study.root)
    toy.run("hydra.sweeper.budget.trials=1", "hydra.sweeper.on_change=fork")
    toy.run("hydra.sweeper.budget.trials=2", "hydra.sweeper.on_change=fork")
    assert _bytes(toy.study.root) == before
    assert sorted(path.name for path in toy.study.root.parent.iterdir()) == ["toy", "toy-2"]
    fork = read_study(StudyFolder(toy.study.root.with_name("toy-2")))
    assert [trial.state for trial in fork.trials] == [TrialState.complete] * 2
    assert "noise.offset" in fork.trials[1].params


def test_extended_earlier_trials_stay_and_count(toy: Toy) -> None:
    earlier = toy.read().trials
    toy.run("hydra.sweeper.budget.trials=3", "hydra.sweeper.on_change=extend")
    record = toy.read()
    check_whole(record, 3)
    assert record.trials[:2] == earlier
    assert "noise.offset" in record.trials[2].params and "noise.offset" not in record.trials[1].params


def test_changed_pictures_are_refused_by_name(toy: Toy) -> None:
    before = _bytes(toy.study.root)
    caption = toy.folder / "photos/01.txt"
    written = caption.read_bytes()
    caption.write_text("something else")
    printed = toy.run("hydra.sweeper.budget.trials=4", code=2)
    assert "was -> is   the pictures, captions or masks are others now" in printed, printed
    assert _bytes(toy.study.root) == before
    caption.write_bytes(written)
    printed = toy.run("hydra.sweeper.budget.trials=3")
    assert "this study has 3 trials, and hydra.sweeper.budget.trials=3 asks for no more" in printed, printed


def _bytes(folder: Path) -> dict[Path, str]:
    """Every file of a folder and the hash of its content."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
