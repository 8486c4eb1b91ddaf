"""Whether the owner of a running trial is gone, judged without comparing the clocks of two machines."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.study.facts import LEASE, Start, starts_of
from sweeper.study.process import is_surely_dead

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


LONGEST_RENEWAL_SECONDS = 30.0


def renewal_seconds(lease: float) -> float:
    """Seconds between two signs of life: a sixth of the lease, at most 30."""
    return min(lease / 6, LONGEST_RENEWAL_SECONDS)


@dataclass(kw_only=True, slots=True)
class _Seen:
    sign: tuple[str, int]  # token and count
    since: float  # monotonic seconds at which this sign was first seen here


class StalenessWatch:
    """What one process remembers of the signs of life of the others.

    A live owner counts up every `renewal` seconds; it stops when it died, was cut off, or hangs. So a
    trial is taken from it when one of these holds:
    - the owner ran on this machine and its process is gone, or the machine was started again since: at once;
    - its count stood still for `lease` seconds of this process's own monotonic clock;
    - its count stood still for four renewals here, and its time stamp is older than two leases: so that who
      comes back the next morning does not wait a lease. A live trial survives this with any error of its
      clock, as it counts up within the four renewals.
    """

    def __init__(
        self,
        *,
        lease: float,
        renewal: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._lease = lease
        self._renewal = renewal
        self._monotonic = monotonic
        self._wall = wall
        self._seen: dict[int, _Seen] = {}

    def is_gone(self, trial: "FrozenTrial") -> bool:
        """Whether a RUNNING trial has to be taken from its owner."""
        starts = starts_of(trial.user_attrs)
        if not starts or starts[-1].ended is not None:
            return True  # no owner, or one that ended between two writes
        owner = starts[-1]
        count, stamp = _sign_of(trial, owner)
        if is_surely_dead(owner.process, last_sign=stamp):
            return True
        still_for = self._still_for(trial.number, (owner.token, count))
        if still_for >= self._lease:
            return True
        return still_for >= 4 * self._renewal and self._wall() - stamp > 2 * self._lease

    def _still_for(self, number: int, sign: tuple[str, int]) -> float:
        now = self._monotonic()
        seen = self._seen.get(number)
        if seen is None or seen.sign != sign:
            self._seen[number] = _Seen(sign=sign, since=now)
            return 0.0
        return now - seen.since


def last_sign_of(trial: "FrozenTrial", owner: Start) -> float:
    """When the owner last gave a sign of life, seconds since 1970 by its own clock."""
    return _sign_of(trial, owner)[1]


def _sign_of(trial: "FrozenTrial", owner: Start) -> tuple[int, float]:
    lease = trial.user_attrs.get(LEASE)
    if isinstance(lease, dict) and lease.get("token") == owner.token:
        return int(lease["count"]), float(lease["time"])
    return 0, owner.began
