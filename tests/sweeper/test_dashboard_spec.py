"""The wandb workspace of a study: what its file holds, made without a network."""

import base64
import json
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.errors import ConfigError
from engine.config.tracking import TrackingConfig, WandbMode
from sweeper.config import Direction
from sweeper.study.records import Dimension, StudyRecord
from sweeper.tracking import dashboard_spec
from sweeper.tracking.dashboard_spec import build_workspace, export_dashboard
from tests.sweeper.record_toys import lr_study

TRACKING = TrackingConfig(wandb=WandbMode.offline, project="toys")
NAMES = {"network.rank": "rank", "network.alpha_ratio": "alpha_ratio", "optimizer.lr": "lr"}


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The file of a study of two objectives; a socket would fail it."""
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("it asked the network"))
    monkeypatch.setenv("WANDB_ENTITY", "studio")
    return _exported(replace(lr_study(), folder=tmp_path / "toy"))


def test_it_holds_the_runs_of_the_study_the_best_first_against_the_default(view: dict[str, Any]) -> None:
    assert (view["entity"], view["project"], view["displayName"]) == ("studio", "toys", "toy")
    (runs,) = view["spec"]["section"]["runSets"]
    (condition,) = runs["filters"]["filters"]
    assert (condition["key"], condition["op"], condition["value"]) == (
        {"section": "run", "name": "group"},
        "=",
        "toy",
    )
    (order,) = runs["sort"]["keys"]
    assert order == {"key": {"section": "summary", "name": "eval/final/likeness"}, "ascending": False}
    assert base64.b64decode(runs["baselineRunId"]) == b"Run:v1:toy-t0000:toys:studio"
    assert runs["pinnedRunIds"] == [runs["baselineRunId"]]
    assert view["spec"]["section"]["settings"]["maxRuns"] == 25


def test_its_parallel_coordinates_run_through_the_searched_keys_and_the_objectives(
    view: dict[str, Any],
) -> None:
    (plot,) = _panels(view, "Parallel Coordinates Plot")
    assert plot["columns"] == [
        {"accessor": "config:searched.value.network/rank", "displayName": "rank"},
        {"accessor": "config:searched.value.network/alpha_ratio", "displayName": "alpha_ratio"},
        {"accessor": "config:searched.value.optimizer/lr", "displayName": "lr", "log": True},
        {"accessor": "summary:eval/final/likeness", "displayName": "likeness"},
        {"accessor": "summary:eval/final/adherence", "displayName": "adherence"},
    ]


def test_it_shows_importances_pictures_objectives_and_tables(view: dict[str, Any]) -> None:
    importances = [panel["targetKey"] for panel in _panels(view, "Parameter Importance")]
    assert importances == ["eval/final/likeness", "eval/final/adherence"]
    (pictures,) = _panels(view, "Media Browser")
    assert (pictures["mediaKeys"], pictures["mode"]) == (["samples/final"], "grid")
    assert pictures["gridSettings"] == {"xAxis": "index", "yAxis": "run"}
    scatters = [(panel["xAxis"], panel["yAxis"]) for panel in _panels(view, "Scatter Plot")]
    assert scatters[0] == ("summary:eval/final/likeness", "summary:eval/final/adherence")
    assert scatters[1:] == [
        (f"config:searched.value.{key.replace('.', '/')}", "summary:eval/final/likeness") for key in NAMES
    ]
    lines = [panel["metrics"] for panel in _panels(view, "Run History Line Plot")]
    assert lines == [["best/likeness"], ["best/adherence"], ["eval/val_loss"], ["train/loss"]]
    tables = json.dumps(_panels(view, "Weave"))
    assert "study/trials" in tables and "study/importances" in tables


def test_an_objective_that_is_to_fall_is_turned_over_and_sorted_upwards(tmp_path: Path) -> None:
    record = replace(lr_study(), folder=tmp_path, objectives={"val_loss": Direction.minimize})
    view = _exported(record)
    (plot,) = _panels(view, "Parallel Coordinates Plot")
    assert plot["columns"][-1] == {
        "accessor": "summary:eval/final/val_loss",
        "displayName": "val_loss",
        "inverted": True,
    }
    assert view["spec"]["section"]["runSets"][0]["sort"]["keys"][0]["ascending"] is True


def test_each_condition_has_its_own_parallel_coordinates(tmp_path: Path) -> None:
    dimensions = (
        Dimension(key="optimizer", choices=("adamw", "prodigy")),
        Dimension(key="optimizer.lr", low=1e-5, high=1e-2, log=True, when="optimizer=adamw"),
        Dimension(key="optimizer.args.d_coef", low=0.1, high=3, log=True, when="optimizer=prodigy"),
    )
    view = _exported(replace(lr_study(), folder=tmp_path, dimensions=dimensions))
    plots = _panels(view, "Parallel Coordinates Plot")
    assert [plot["chartTitle"] for plot in plots] == ["optimizer=adamw", "optimizer=prodigy"]
    assert [[column["accessor"] for column in plot["columns"][:2]] for plot in plots] == [
        ["config:searched.value.optimizer", "config:searched.value.optimizer/lr"],
        ["config:searched.value.optimizer", "config:searched.value.optimizer/args/d_coef"],
    ]


@pytest.mark.parametrize("study", ['Fräulein\'s "style"', "a and b", "star 🌟", "x\\y"])
def test_a_study_of_any_name_is_filtered_by_that_name(tmp_path: Path, study: str) -> None:
    view = _exported(replace(lr_study(), folder=tmp_path, name=study))
    assert view["spec"]["section"]["runSets"][0]["filters"]["filters"][0]["value"] == study


def test_the_group_that_the_user_gave_is_the_one_that_is_shown(tmp_path: Path) -> None:
    record = replace(lr_study(), folder=tmp_path)
    workspace = build_workspace(record, replace(TRACKING, group="mine"), names={}, entity="")
    assert "mine" in str(workspace.runset_settings.filters)


def test_the_same_study_makes_the_same_file(tmp_path: Path) -> None:
    first = _exported(replace(lr_study(), folder=tmp_path / "a"))
    assert _exported(replace(lr_study(), folder=tmp_path / "b")) == first


def test_a_second_saving_changes_the_view_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wandb_workspaces.workspaces import internal

    sent = []

    def upsert(view: Any) -> dict[str, Any]:
        sent.append((view.name, view.id))
        return {"upsertView": {"view": {"id": "VIEW7", "name": view.name}}}

    monkeypatch.setattr(internal, "upsert_view2", upsert)
    monkeypatch.setattr(dashboard_spec, "choose_mode", lambda config, *, is_demo: WandbMode.online)
    monkeypatch.setattr("wandb_workspaces.workspaces.interface.get_app_url", lambda api: "https://wandb.ai")
    monkeypatch.setattr("wandb.Api", lambda: None)
    monkeypatch.setenv("WANDB_ENTITY", "studio")
    record = replace(lr_study(), folder=tmp_path)
    for _ in range(2):
        lines = export_dashboard(record, TRACKING, names=NAMES, warn=pytest.fail)
        assert lines[1].startswith("wandb: https://wandb.ai/studio/toys?nw=")
    (first, nothing), (second, kept) = sent
    assert (nothing, second, kept) == ("", first, "VIEW7")


def test_a_server_that_refuses_leaves_the_file_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wandb_workspaces.workspaces import internal

    def refuse(view: Any) -> dict[str, Any]:
        raise ConnectionError("no route")

    monkeypatch.setattr(internal, "upsert_view2", refuse)
    monkeypatch.setattr(dashboard_spec, "choose_mode", lambda config, *, is_demo: WandbMode.online)
    monkeypatch.setenv("WANDB_ENTITY", "studio")
    warnings: list[str] = []
    record = replace(lr_study(), folder=tmp_path)
    lines = export_dashboard(record, TRACKING, names=NAMES, warn=warnings.append)
    assert lines == [f"dashboard {tmp_path / 'wandb_dashboard.json'}"]
    assert warnings == ["wandb: ConnectionError: no route; the dashboard is in its file only"]
    assert (tmp_path / "wandb_dashboard.json").is_file()


def test_without_the_package_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    record = replace(lr_study(), folder=tmp_path)
    with pytest.raises(ConfigError, match="pip install wandb-workspaces"):
        export_dashboard(record, TRACKING, names=NAMES, warn=pytest.fail)


def _exported(record: StudyRecord) -> dict[str, Any]:
    path = record.folder / "wandb_dashboard.json"
    lines = export_dashboard(record, TRACKING, names=NAMES, warn=pytest.fail)
    assert lines[0] == f"dashboard {path}"
    view: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return view


def _panels(view: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    sections = view["spec"]["section"]["panelBankConfig"]["sections"]
    return [panel["config"] for s in sections for panel in s["panels"] if panel["viewType"] == kind]
