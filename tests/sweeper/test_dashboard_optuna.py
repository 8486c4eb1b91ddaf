"""optuna-dashboard on a study: its port, its address, what is asked of it, and what a browser sees."""

import json
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from PIL import Image, ImageDraw

from engine.config.errors import ConfigError
from sweeper.study.folder import StudyFolder
from sweeper.study.storage import open_storage
from sweeper.tracking.artifacts import attach_pictures, open_store
from sweeper.tracking.optuna_dashboard import running_dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NUM_TRIALS = 5
NUM_PICTURES = 4
WAIT_MS = 60_000  # a machine with other work starts a browser slowly


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A finished study with pictures: four complete trials, one pruned."""
    folder = StudyFolder(tmp_path_factory.mktemp("sweeps") / "toy")
    folder.make()
    study = optuna.create_study(
        study_name="toy", direction="maximize", storage=open_storage("journal", folder)
    )
    study.set_metric_names(["likeness"])
    store = open_store(folder.artifacts)
    for number in range(NUM_TRIALS):
        trial = study.ask()
        rank = trial.suggest_categorical("network.rank", [4, 8, 16])
        trial.suggest_float("optimizer.lr", 1e-5, 1e-2, log=True)
        trial.report(0.5 + 0.01 * number, 50)
        if number == 3:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        _draw(folder.trial(number), f"trial {number}")
        attached = attach_pictures(study, trial._trial_id, folder.trial(number), store, warn=pytest.fail)
        assert attached == NUM_PICTURES + 1
        study.tell(trial, 0.6 + 0.02 * number + 0.001 * rank)
    return folder


@pytest.fixture
def storage(folder: StudyFolder) -> optuna.storages.BaseStorage:
    return open_storage("journal", folder)


def test_it_serves_the_study_and_its_pictures_to_this_machine_only(
    folder: StudyFolder, storage: optuna.storages.BaseStorage
) -> None:
    with running_dashboard(storage, folder.artifacts, notes={"toy": "rank 16 wins"}) as address:
        assert address.startswith("http://127.0.0.1:")
        (study,) = _read(f"{address}api/studies")["study_summaries"]
        assert study["study_name"] == "toy"
        detail = _read(f"{address}api/studies/{study['study_id']}?after=0")
        assert len(detail["trials"]) == NUM_TRIALS
        assert "rank 16 wins" in detail["note"]["body"]
        (artifact, *_) = detail["trials"][0]["artifacts"]
        place = f"{study['study_id']}/{detail['trials'][0]['trial_id']}/{artifact['artifact_id']}"
        with urllib.request.urlopen(f"{address}artifacts/{place}", timeout=30) as response:
            assert response.headers["Content-Type"] == "image/png"
            assert Image.open(response).size[0] > 0
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=5)


def test_a_note_of_the_user_is_left_and_an_old_answer_is_replaced(
    folder: StudyFolder, storage: optuna.storages.BaseStorage
) -> None:
    from optuna_dashboard import get_note, save_note

    study = optuna.load_study(study_name="toy", storage=storage)
    for answer in ("first", "second"):
        with running_dashboard(storage, folder.artifacts, notes={"toy": answer}):
            assert get_note(study).endswith(answer)
    save_note(study, "mine")
    with running_dashboard(storage, folder.artifacts, notes={"toy": "third"}):
        assert get_note(study) == "mine"
    save_note(study, "")


def test_a_port_that_is_taken_is_passed_over_unless_it_was_asked_for(
    folder: StudyFolder, storage: optuna.storages.BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr("sweeper.tracking.optuna_dashboard.PORT", taken)
        with running_dashboard(storage, folder.artifacts) as address:
            assert taken < int(address.rstrip("/").split(":")[-1]) < taken + 50
        with (
            pytest.raises(ConfigError, match=f"port={taken}: another program has it"),
            running_dashboard(storage, folder.artifacts, port=taken),
        ):
            pass


def test_without_the_package_there_is_a_sentence(
    folder: StudyFolder, storage: optuna.storages.BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with (
        pytest.raises(ConfigError, match=r"pip install 'diffusion-sweeper\[dashboard\]'"),
        running_dashboard(storage, folder.artifacts),
    ):
        pass


@pytest.fixture(scope="module")
def page(folder: StudyFolder, browser: "Browser") -> Iterator["Page"]:
    """A page at the dashboard's address; whatever it asks beyond that address fails the tests."""
    asked: list[str] = []
    with running_dashboard(open_storage("journal", folder), folder.artifacts) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1000}, base_url=address)
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: asked.append(request.url))
        yield page
        page.close()
    beyond = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert asked and beyond == []


@pytest.mark.slow
def test_the_history_shows_a_point_for_each_complete_trial(page: "Page") -> None:
    page.goto("dashboard")
    page.locator("a[href='/dashboard/studies/0']").click()
    points = page.locator("#plot-history .scatterlayer path.point")
    points.first.wait_for()
    traces = page.locator("#plot-history .js-plotly-plot, #plot-history.js-plotly-plot").evaluate(
        "plot => plot.data.map(trace => [trace.mode, Array.from(trace.x), Array.from(trace.y)])"
    )
    values = {
        number: y for mode, xs, ys in traces if mode == "markers" for number, y in zip(xs, ys, strict=True)
    }
    assert len(values) == NUM_TRIALS  # the pruned one with the last value that it reported
    assert points.count() == NUM_TRIALS
    assert values[3] == pytest.approx(0.53)
    assert "likeness" in page.locator("#plot-history").inner_text()


@pytest.mark.slow
def test_a_trials_pictures_are_shown(page: "Page") -> None:
    page.goto("dashboard/studies/0/trials?numbers=2")
    picture = page.locator("img[src*='/artifacts/']")
    picture.first.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll(\"img[src*='/artifacts/']\")].every(i => i.complete)"
    )
    widths = picture.evaluate_all("pictures => pictures.map(picture => picture.naturalWidth)")
    assert len(widths) == NUM_PICTURES + 1
    assert all(width > 0 for width in widths)
    body = page.inner_text("body")
    assert "contact_sheet.png" in body
    assert "network.rank" in body


def _draw(folder: Path, words: str) -> None:
    final = folder / "samples" / "final"
    final.mkdir(parents=True)
    for number in range(NUM_PICTURES):
        picture = Image.new("RGB", (96, 96), (60 * number, 90, 160))
        ImageDraw.Draw(picture).text((4, 40), f"{words} p{number}", fill=(255, 255, 255))
        picture.save(final / f"p{number:02d}_s1.png")


def _read(address: str) -> dict[str, list[dict[str, str]]]:
    with urllib.request.urlopen(address, timeout=30) as response:
        values: dict[str, list[dict[str, str]]] = json.load(response)
    return values
