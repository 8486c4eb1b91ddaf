"""python -m sweeper export=csv | json | dashboard: a study for other programs."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from engine.compose.record import FILE_NAME, read_run_yaml, run_from_record
from engine.config import TrackingConfig
from engine.config.errors import ConfigError
from sweeper.answer.answer import answer_of
from sweeper.answer.trials_csv import trials_csv
from sweeper.commands.arguments import Arguments
from sweeper.commands.record_json import record_json
from sweeper.commands.studies import OpenStudy, chosen_study, open_study, readable
from sweeper.study.records import StudyRecord

JSON_FILE = "study_record.json"


def export(arguments: Arguments) -> int:
    """Write the file and print where it is."""
    study = open_study(chosen_study(arguments), arguments.storage)
    if arguments.kind == "dashboard":
        return _dashboard(study)
    is_csv = arguments.kind == "csv"
    own = study.folder.table if is_csv else study.folder.root / JSON_FILE
    out = arguments.path("out") or own
    if out != own and out.exists() and not arguments.is_on("force"):
        raise ConfigError(f"out={out}: is there already. Add force=true, or name another file.")
    text = (
        trials_csv(study.record)
        if is_csv
        else json.dumps(record_json(study.record), indent=1, allow_nan=False)
    )
    with readable(study.folder):
        _write(out, text if text.endswith("\n") else f"{text}\n")
    print(out)
    return 0


def _dashboard(study: OpenStudy) -> int:
    from sweeper.tracking.dashboard_spec import export_dashboard

    names = answer_of(study.record).short_names
    with readable(study.folder):
        lines = export_dashboard(study.record, _tracking(study.record), names=names, warn=_warn)
    console = Console(file=sys.stdout)
    for line in lines:
        is_copied = line.startswith(("dashboard ", "wandb: http"))
        console.print(Text(line), soft_wrap=is_copied)
    return 0


def _tracking(record: StudyRecord) -> TrackingConfig:
    """How the study's trials are tracked, as the first one that can be read says."""
    for trial in record.trials:
        if (trial.folder / FILE_NAME).is_file():
            return run_from_record(read_run_yaml(trial.folder)).tracking
    return TrackingConfig()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _warn(text: str) -> None:
    print(text, file=sys.stderr)
