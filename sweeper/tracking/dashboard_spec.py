"""python -m sweeper export=dashboard: a wandb workspace that shows a study, as a file and on the server."""

import json
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.errors import ConfigError
from engine.config.tracking import TrackingConfig, WandbMode
from engine.training.wandb_tracker import choose_mode
from sweeper.study.records import StudyRecord
from sweeper.tracking.dashboard_panels import build_sections, scored
from sweeper.tracking.names import controller_part, trial_part

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

FILE = "wandb_dashboard.json"
_MAX_RUNS = 100  # drawn in one panel
_ID_LENGTH = 11
_MISSING = (
    "export=dashboard: wandb's workspaces are not installed. Install them with pip install wandb-workspaces"
)


def export_dashboard(
    record: StudyRecord,
    tracking: TrackingConfig,
    *,
    names: Mapping[str, str],
    warn: Callable[[str], None],
) -> list[str]:
    """Write sweeps/<study>/wandb_dashboard.json, and save it where the study's runs go online.

    names   searched key -> how it is shown (Answer.short_names)
    raises  ConfigError where wandb-workspaces is missing
    returns lines for the user
    """
    mode = choose_mode(tracking, is_demo=record.is_demo)
    path = record.folder / FILE
    is_online = mode is WandbMode.online
    workspace = build_workspace(record, tracking, names=names, entity=_entity(ask=is_online, warn=warn))
    if is_online and workspace.entity:
        _remember_view(workspace, path)
        lines = _save(workspace, warn)
    else:
        lines = ["not saved to wandb: this study's runs are offline. Sync them, then export again, online"]
    write_workspace(workspace, path)
    return [f"dashboard {path}", *lines]


def build_workspace(
    record: StudyRecord, tracking: TrackingConfig, *, names: Mapping[str, str], entity: str
) -> "Workspace":
    """The workspace of a study's runs; asks no server.

    entity  wandb user or team; "" where nobody knows it
    """
    try:
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise ConfigError(_MISSING) from error
    group = tracking.group or controller_part(record.name).group
    objective = next(iter(record.objectives))
    order = ws.Ordering(
        ws.Summary(scored(objective)), ascending=record.objectives[objective].value == "minimize"
    )
    num_runs = len(record.trials) + len(record.confirmations) + 1
    workspace = ws.Workspace(
        entity=entity,
        project=tracking.project,
        name=controller_part(record.name).tracked_id.removesuffix("-controller"),  # it refuses some letters
        sections=build_sections(record, names),
        settings=ws.WorkspaceSettings(max_runs=min(max(10, num_runs), _MAX_RUNS)),
        runset_settings=ws.RunsetSettings(
            filters=f"Metric('Group') == {json.dumps(group, ensure_ascii=False)}",
            order=[order],
            baseline_run=trial_part(record.name, 0, settings={}).tracked_id,
            pinned_columns=[f"summary:{scored(name)}" for name in record.objectives],
        ),
    )
    _name_panels(workspace, record.name)
    return workspace


def write_workspace(workspace: "Workspace", path: Path) -> None:
    """Write what saving sends, with the names under which it was saved: the next export changes that view."""
    view = workspace._to_model()  # what save() sends; the package has no public way to it
    content = {
        "entity": view.entity,
        "project": view.project,
        "displayName": view.display_name,
        "name": view.name,
        "id": view.id,
        "type": "project-view",
        "spec": json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def _save(workspace: "Workspace", warn: Callable[[str], None]) -> list[str]:
    try:
        workspace.save()
    except Exception as error:  # a lost network, a project that is not there yet, a server's refusal
        warn(f"wandb: {error.__class__.__name__}: {error}; the dashboard is in its file only")
        return []
    return [f"wandb: {workspace.url}"]


def _remember_view(workspace: "Workspace", path: Path) -> None:
    """Change the view that an earlier export saved for this entity and project, and make none beside it."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        place = (earlier["entity"], earlier["project"])
        name, view_id = str(earlier["name"]), str(earlier["id"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or one that a kill cut short
        return
    if place == (workspace.entity, workspace.project):
        workspace._internal_name, workspace._internal_id = name, view_id


def _entity(*, ask: bool, warn: Callable[[str], None]) -> str:
    given = os.environ.get("WANDB_ENTITY", "")
    if given or not ask:
        return given
    import wandb

    try:
        return str(wandb.Api().default_entity or "")
    except Exception as error:  # whatever the network or the server say
        warn(f"wandb: {error.__class__.__name__}: {error}; the dashboard is in its file only")
        return ""


def _name_panels(workspace: "Workspace", study: str) -> None:
    """Names that are the same at each export; the package draws them at random."""
    panels = [panel for section in workspace.sections for panel in section.panels]
    for place, panel in enumerate(panels):
        panel._id = sha256(f"{study} {place}".encode()).hexdigest()[:_ID_LENGTH]
