"""The copy of a finished run's weights in a folder of another program."""

import filecmp
import os
import shutil
from pathlib import Path

from engine.compose.weights_copy import copy_path, is_free
from engine.training.job import Job
from engine.training.resume import flush_folder


def copy_weights(job: Job, weights: Path) -> Path | None:
    """Copy the file, whole or not at all, where the run asks for it; what prevents it is said and no error.

    A file of another run that came since the start is left alone: the copy's name then ends in the run's id.
    returns  the copy; None where none is asked for or none could be made
    """
    target = copy_path(job.run)
    if target is None:
        return None
    if not is_free(target, weights):
        target = target.with_stem(f"{target.stem}-{job.plan.run_id}")
    try:
        if not (target.is_file() and filecmp.cmp(weights, target, shallow=False)):
            _copy(weights, target)
    except OSError as error:
        job.warn(
            f"files.copy_to={job.run.files.copy_to}: the weights could not be copied "
            f"({error.strerror or error}). The same command tries again."
        )
        return None
    job.console.print(f"copied   {target}", markup=False, highlight=False, soft_wrap=True)
    return target


def _copy(weights: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with weights.open("rb") as source, partial.open("wb") as stream:
            shutil.copyfileobj(source, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
        flush_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)
