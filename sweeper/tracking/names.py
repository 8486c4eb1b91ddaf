"""How the runs of a study are called in wandb: group = study, study-t0007, study-c0002, study-controller."""

import re
from collections.abc import Mapping
from hashlib import sha256

from engine.training.tracker import PartOf
from sweeper.study.records import Phase

_KIND = {Phase.search: ("trial", "t"), Phase.confirm: ("confirm", "c")}
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_ID_LENGTH = 64  # the longest run id of a wandb server
_GROUP_LENGTH = 128  # the longest group
_SUFFIX_LENGTH = len("-controller")
_HASH_LENGTH = 8


def trial_part(
    study: str,
    number: int,
    *,
    settings: Mapping[str, object],
    phase: Phase = Phase.search,
    sampler: str = "tpe",
) -> PartOf:
    """What a trial or a confirmation run of the study is tracked as; settings: searched key -> value."""
    job_type, letter = _KIND[phase]
    return PartOf(
        group=group_of(study),
        tracked_id=f"{_plain(study)}-{letter}{number:04d}",
        job_type=job_type,
        tags=(f"sampler:{sampler}",),
        settings=dict(settings),
    )


def controller_part(study: str, *, sampler: str = "tpe") -> PartOf:
    """What the run that shows the study as a whole is tracked as."""
    return PartOf(
        group=group_of(study),
        tracked_id=f"{_plain(study)}-controller",
        job_type="controller",
        tags=(f"sampler:{sampler}",),
    )


def group_of(study: str) -> str:
    """The group of all runs of a study."""
    return study[:_GROUP_LENGTH]


def _plain(study: str) -> str:
    """The name where wandb takes it in an id; else the part that it takes, and a hash that keeps it apart."""
    room = _ID_LENGTH - _SUFFIX_LENGTH
    plain = _NOT_PLAIN.sub("-", study).strip("-")
    if plain == study and len(study) <= room:
        return study
    mark = sha256(study.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{plain[: room - _HASH_LENGTH - 1]}-{mark}".lstrip("-")
