"""A worker's sign of life: a thread that counts up in the storage while the training moves."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweeper.study.facts import LEASE, starts_of
from sweeper.study.staleness import renewal_seconds

if TYPE_CHECKING:
    from sweeper.study.claim import Claim


class Lease:
    """Renews the hold on a trial while `moved` is called at least every `seconds`; ends with its block.

    on_lost  called once, from the thread, with the reason: the trial was taken over, or the training has not
             moved for `seconds` (it hangs). After it nothing is renewed, and others may take the trial.

    The sign is a count beside a time stamp; how readers judge it: sweeper/study/staleness.py. A storage that
    cannot be reached is no reason to stop: the storage waits for it, and the training goes on meanwhile.
    """

    def __init__(self, claim: "Claim", seconds: float, on_lost: Callable[[str], None]) -> None:
        self._storage = claim.trial.storage
        self._trial_id = claim.trial._trial_id
        self._token = claim.token
        self._seconds = seconds
        self._on_lost = on_lost
        self._count = 0
        self._progress = (claim.record.steps_done, claim.record.total_steps)
        self._moved_at = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease-{claim.number}", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=1.0)  # longer only while the storage is away; it ends by itself then

    def moved(self, steps_done: int | None = None, total_steps: int | None = None) -> None:
        """The training did something: a step, a picture, a score. Cheap; call it as often as you like."""
        self._moved_at = time.monotonic()
        done, total = self._progress
        self._progress = (
            done if steps_done is None else steps_done,
            total if total_steps is None else total_steps,
        )

    def _run(self) -> None:
        while True:
            still_for = time.monotonic() - self._moved_at
            lost = f"no progress for {still_for:.0f} seconds" if still_for > self._seconds else self._renew()
            if self._end.is_set():
                return
            if lost is not None:
                self._on_lost(lost)
                return
            self._end.wait(renewal_seconds(self._seconds))
            if self._end.is_set():
                return

    def _renew(self) -> str | None:
        """Give a sign of life; the reason where the trial is another's now."""
        from optuna.exceptions import StorageInternalError

        try:
            return self._sign()
        except (OSError, StorageInternalError):
            return None  # a full disk, a server away for long: no reason to end; tell will say it

    def _sign(self) -> str | None:
        from optuna.exceptions import UpdateFinishedTrialError

        trial = self._storage.get_trial(self._trial_id)
        starts = starts_of(trial.user_attrs)
        if trial.state.name != "RUNNING" or not starts or starts[-1].token != self._token:
            return f"the trial was taken over by {starts[-1].worker if starts else 'another worker'}"
        self._count += 1
        done, total = self._progress
        sign = {
            "token": self._token,
            "count": self._count,
            "time": time.time(),
            "steps_done": done,
            "total_steps": total,
        }
        try:
            self._storage.set_trial_user_attr(self._trial_id, LEASE, sign)
        except UpdateFinishedTrialError:
            return "the trial was ended by another worker"
        return None
