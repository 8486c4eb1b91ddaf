"""wandb: online when there is a login, else files in the run folder for a later `wandb sync`."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.config.outcome import Outcome
from engine.config.tracking import TrackingConfig, WandbMode
from engine.training.tracker import (
    FinalScores,
    PartOf,
    ScoredRow,
    TrackedPicture,
    TrackedRun,
    picture_group,
    value_name,
)

if TYPE_CHECKING:
    import wandb

# From the most private to the least. The WANDB_MODE of the environment can only make a run more private:
# a shell in which everything is online has not asked for the upload of this run.
_PRIVACY = (WandbMode.disabled, WandbMode.offline, WandbMode.online)
_DATA_DIR = "WANDB_DATA_DIR"
_SERVICE = "WANDB_SERVICE"  # "3-<process id>-unix-<socket>": whose wandb process is shared
_PART_FILE = "part_of.json"  # in the run's wandb folder: a trial that is scored again stays the same run
_FLUSH_SECONDS = 1.0  # how much of the offline file a kill may cost
_NETWORK_SECONDS = 30  # how long a start may wait for the server before the run stays on disk
_UPLOAD_SECONDS = 300  # how long the end may wait for the upload; what is left is there for `wandb sync`


def open_wandb(config: TrackingConfig, run: TrackedRun, warn: Callable[[str], None]) -> "WandbTracker | None":
    """Open the run below run.folder/wandb and track it; None when it is switched off. See open_run."""
    folder = run.folder / "wandb"
    run = replace(run, part_of=run.part_of or _read_part(folder))
    opened = open_run(config, run, warn)
    return None if opened is None else WandbTracker(opened, folder, part_of=run.part_of)


def open_run(config: TrackingConfig, run: TrackedRun, warn: Callable[[str], None]) -> "wandb.Run | None":
    """Open a run of wandb's below run.folder/wandb; None when it is switched off.

    Where the server can't be reached, or tracking.wandb=online meets no login, the run stays on disk and
    warn gets a line about it.
    """
    import wandb

    _leave_the_parents_process()
    mode = choose_mode(config, is_demo=run.is_demo)
    if mode is WandbMode.disabled:
        return None
    if mode is WandbMode.online:
        try:
            return _start(config, run, "online")
        except (wandb.Error, OSError) as error:
            warn(f"wandb: the server can't be reached ({error}); this run is kept offline")
    elif config.wandb is WandbMode.online:
        warn("tracking.wandb=online: no login, or WANDB_MODE says offline; this run is kept offline")
    return _start(config, run, "offline")


def choose_mode(config: TrackingConfig, *, is_demo: bool) -> WandbMode:
    """What tracking.wandb comes to on this machine: disabled, offline or online; never a prompt.

    auto is online where a login exists, but never for the demo. Online without a login is offline.
    """
    wanted = config.wandb
    if wanted is WandbMode.auto:
        wanted = WandbMode.offline if is_demo else WandbMode.online
    environment = {"dryrun": "offline"}.get(os.environ.get("WANDB_MODE", ""), os.environ.get("WANDB_MODE"))
    allowed = [mode for mode in _PRIVACY if mode.value == environment]
    mode = min([wanted, *allowed], key=_PRIVACY.index)
    return WandbMode.offline if mode is WandbMode.online and not has_login() else mode


def has_login() -> bool:
    """True when wandb will find credentials by itself: WANDB_API_KEY, its settings, ~/.netrc.

    What wandb's own command line asks before it prompts. Not wandb.login(prompt=False, verify=False), which
    asks the server for the user's name: nothing is to be sent before it is clear that the run may go online.
    """
    import wandb
    from wandb.sdk.lib import wbauth

    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    settings = wandb.setup().settings
    try:
        return bool(settings.api_key or wbauth.read_netrc_auth(host=settings.base_url))
    except wandb.Error:  # an entry that can't be a key
        return False


class WandbTracker:
    """One wandb run; its id is the run's, so that a resumed run is the same one on the server.

    Directly through wandb and not through accelerate's log_with: the step metrics, the look for a login and
    the fall-back to offline need the unwrapped run in any case, and a tracker works without an Accelerator.
    """

    def __init__(self, run: "wandb.Run", folder: Path, *, part_of: PartOf | None = None) -> None:
        """Take over an open wandb run whose files lie in folder; one that is part of a study is tagged."""
        self._run = run
        self._folder = folder
        self._part_of = part_of
        if part_of is not None:
            (folder / _PART_FILE).write_text(json.dumps(asdict(part_of)), encoding="utf-8")
        run.define_metric("train/step")
        for names in ("train/*", "eval/*", "samples/*"):
            run.define_metric(names, step_metric="train/step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Losses, learning rates and the like, at their step.

        The step is also wandb's own: after a resume the server drops the steps that it has already.
        """
        self._run.log({"train/step": step} | {value_name(k): v for k, v in values.items()}, step=step)

    def pictures(self, step: int, set_name: str, samples: Sequence[TrackedPicture]) -> None:
        """Pictures with their prompt and seed as caption."""
        import wandb

        images = [wandb.Image(s.image, caption=f"{s.prompt} (seed {s.seed})") for s in samples]
        self._run.log({"train/step": step, f"samples/{picture_group(set_name)}": images}, step=step)

    def scores(self, step: int, scores: FinalScores) -> None:
        """Scores under eval/, in the history and so in the summary; beside them a table of the pictures."""
        values: dict[str, object] = {f"eval/{name}": value for name, value in scores.values.items()}
        with staged_in(self._folder):
            if scores.rows:
                values["eval/pictures"] = _table(scores.rows)
            self._run.log({"train/step": step} | values, step=step)

    def finish(self, outcome: Outcome) -> str | None:
        """Close the run; anything but a completed or pruned one is shown as failed.

        The outcome is in the summary; in a study it is a tag too, by which its trials can be filtered.
        Returns the address of the run, or the command that uploads it.
        """
        self._run.summary["outcome"] = outcome.value
        if self._part_of is not None:
            self._run.tags = (*self._run.tags, f"outcome:{outcome.value}")
        self._run.finish(exit_code=0 if outcome in (Outcome.completed, Outcome.pruned) else 1)
        return sync_command(self._folder) if self._run.offline else f"wandb: {self._run.url}"


@contextmanager
def staged_in(folder: Path) -> Iterator[None]:
    """What a table is made of waits below the run, and not in the user's home, until it is uploaded."""
    before = os.environ.get(_DATA_DIR)
    os.environ[_DATA_DIR] = str(folder.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ[_DATA_DIR]
        else:
            os.environ[_DATA_DIR] = before


def _table(rows: Sequence[ScoredRow]) -> "wandb.Table":
    """A picture a row: prompt, seed, base, result, its scores."""
    import wandb

    metrics = list(dict.fromkeys(name for row in rows for name in row.scores))
    table = wandb.Table(columns=["prompt", "seed", "base", "picture", "fault", *metrics])
    for row in rows:
        pictures = [None if path is None else wandb.Image(str(path)) for path in (row.base, row.picture)]
        table.add_data(row.prompt, row.seed, *pictures, row.fault, *map(row.scores.get, metrics))
    return table


def searched_names(settings: Mapping[str, object]) -> dict[str, object]:
    """The searched keys as wandb's viewers can name them: a dot would be read as a step into the config.

    Flat and beside the config, since a picked group (optimizer) and an option in it (optimizer.lr) would
    need one place there.
    """
    return {key.replace(".", "/"): value for key, value in settings.items()}


def sync_command(folder: Path) -> str:
    """The line that uploads what lies below a run's wandb folder; a resumed run has a part for each start."""
    parts = [str(path) for path in sorted(folder.glob("offline-run-*"))]
    return "wandb sync " + " ".join(f'"{part}"' if " " in part else part for part in parts)


def _leave_the_parents_process() -> None:
    """Start wandb's own process for this one, even where the program that started us shares its.

    In a shared one the run of a worker that was killed stays open: the trial could not go on in it
    ("run ID is in use") as long as the sweep lives.
    """
    owner = os.environ.get(_SERVICE, "").split("-")[1:2]
    if owner and owner != [str(os.getpid())]:
        del os.environ[_SERVICE]


def _start(config: TrackingConfig, run: TrackedRun, mode: Literal["online", "offline"]) -> "wandb.Run":
    import wandb

    part = run.part_of or PartOf(group="", tracked_id=run.run_id, job_type="")
    return wandb.init(
        project=config.project,
        name=run.name if run.part_of is None else part.tracked_id,
        id=part.tracked_id,
        resume="allow",
        reinit="create_new",  # a sweep's own run is open beside its trials' in one process
        dir=run.folder.absolute(),  # who starts us may run wandb already, from another working directory
        mode=mode,
        group=config.group or part.group or None,
        job_type=part.job_type or None,
        tags=list(dict.fromkeys((*config.tags, *part.tags))),
        config=dict(run.config) | ({"searched": searched_names(part.settings)} if part.settings else {}),
        settings=_private_settings(),
    )


def _read_part(folder: Path) -> PartOf | None:
    """What an earlier start of the run was part of."""
    try:
        given = json.loads((folder / _PART_FILE).read_text(encoding="utf-8"))
        return PartOf(**given | {"tags": tuple(given["tags"])})
    except (OSError, ValueError, KeyError, TypeError):  # a single run, or a line that a kill cut short
        return None


def _private_settings() -> "wandb.Settings":
    """No code, git, console text or machine facts; a start that gives up instead of hanging."""
    import wandb

    return wandb.Settings(
        host="",
        console="off",
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
        symlink=False,
        silent=True,
        x_transaction_log_flush_interval=_FLUSH_SECONDS,
        init_timeout=_NETWORK_SECONDS,
        finish_timeout=_UPLOAD_SECONDS,
    )
