"""What goes with a trial's end: its pictures for the dashboard, its page, a stop where all fail alike."""

import logging
from collections.abc import Callable

from engine.config.outcome import Outcome
from pages.run_folder import read_run_folder
from pages.run_page import write_run_page
from sweeper.study.claim import Claim, request_stop
from sweeper.study.records import Phase, TrialRecord, TrialState
from sweeper.tracking.artifacts import attach_pictures, open_store
from sweeper.work.session import Session

_LOG = logging.getLogger(__name__)
SAME_FAILURES = 3  # the first so many trials that end in the same exception: a bug, not a setting
BUG = "bug: "  # how the reason of such a stop begins


def before_end(session: Session, claim: Claim, record: TrialRecord) -> None:
    """What a trial is given while it has not ended yet: its pictures for the dashboard."""
    if record.state is TrialState.complete:
        _guard("pictures for the dashboard", lambda: _attach(session, claim, record))


def after_end(session: Session, record: TrialRecord) -> None:
    """A page where the run could not write its own, and a stop where all fail alike."""
    page = record.folder / "index.html"
    if record.outcome is not Outcome.completed and record.folder.is_dir():
        _guard("page", lambda: write_run_page(read_run_folder(record.folder), page))
    if record.phase is Phase.search and record.outcome is Outcome.failed:
        _stop_on_a_bug(session, record)


def _attach(session: Session, claim: Claim, record: TrialRecord) -> None:
    store = open_store(session.folder.artifacts)
    attach_pictures(claim.trial.study, claim.trial._trial_id, record.folder, store, warn=_LOG.warning)


def _stop_on_a_bug(session: Session, record: TrialRecord) -> None:
    """Stop where the first trials all ended in the same exception: the next would, too."""
    from sweeper.study.read import read_session

    ended = [
        trial
        for trial in read_session(session.folder, session.search, session.confirm).trials
        if trial.outcome is not None
    ]
    alike = [trial for trial in ended if trial.outcome is Outcome.failed and trial.cause == record.cause]
    if len(ended) == len(alike) >= SAME_FAILURES:
        request_stop(session.search, f"{BUG}{record.cause}")


def _guard(name: str, call: Callable[[], object]) -> None:
    try:
        call()
    except AssertionError:
        raise
    except Exception as error:
        _LOG.warning("%s: %s: %s; the sweep goes on without it", name, type(error).__name__, error)
