"""The second part of a sweep: the best settings and the default, trained again with fresh seeds."""

from engine.config import RunConfig
from sweeper.answer.confirm import (
    BASELINE,
    MIN_SEEDS,
    PlannedConfirmation,
    fresh_seeds,
    plan_confirmations,
)
from sweeper.config import ConfirmConfig
from sweeper.study.lock import study_lock
from sweeper.study.read import read_session
from sweeper.study.records import StudyRecord
from sweeper.work.plan import SweepPlan
from sweeper.work.session import OF, SEED, SETTINGS, Session

_FIRST_SEED = 101  # of the pictures of a confirmation: the first of those that the search did not use
_NUM_SEEDS = 2  # pictures of each prompt
_FEWEST_PROMPTS = 4  # that took no part in the search, for it to be worth leaving the others


def enqueue_confirmations(plan: SweepPlan, session: Session, *, searching: bool) -> None:
    """Put what is to be confirmed into its queue; what is there already is not doubled.

    searching  others still search: then only the default's, which are wanted whatever they find, so that
               nobody idles
    """
    confirm = plan.settings.confirm
    if confirm is None or plan.is_grid:
        return
    with study_lock(session.storage, session.folder, plan.name):
        record = read_session(session.folder, session.search, session.confirm)
        wanted = _of_the_default(record, confirm) if searching else plan_confirmations(record, confirm)
        queued = {
            (trial.user_attrs[OF], trial.user_attrs[SEED])
            for trial in session.confirm.get_trials(deepcopy=False)
        }
        for planned in wanted:
            if (planned.of, planned.seed) not in queued:
                _enqueue(plan, session, planned)


def confirmation_overrides(plan: SweepPlan, run: RunConfig, seed: int) -> tuple[str, ...]:
    """What a confirmation changes in the settings that it confirms: training seed, prompts and picture seeds.

    Prompts that took no part in the search where the list has enough others, else the same with other seeds.
    """
    sampling = run.sampling
    seeds = [number for number in range(_FIRST_SEED, _FIRST_SEED + 100) if number not in sampling.seeds]
    overrides = [f"seed={seed}", f"sampling.seeds=[{','.join(map(str, seeds[:_NUM_SEEDS]))}]"]
    unused = plan.num_prompts_left - sampling.num_prompts
    if unused >= max(_FEWEST_PROMPTS, sampling.num_prompts // 2):
        overrides.append(f"sampling.first_prompt={sampling.first_prompt + sampling.num_prompts}")
        overrides.append(f"sampling.num_prompts={min(unused, 2 * sampling.num_prompts)}")
    return tuple(overrides)


def _of_the_default(record: StudyRecord, confirm: ConfirmConfig) -> list[PlannedConfirmation]:
    """The part of plan_confirmations that is known before the search has ended."""
    room = record.num_confirmations // 2  # for one other setting beside the default
    num_seeds = min(confirm.seeds, room)
    if num_seeds < MIN_SEEDS:
        return []
    return [PlannedConfirmation(of=BASELINE, seed=seed) for seed in fresh_seeds(record, num_seeds)]


def _enqueue(plan: SweepPlan, session: Session, planned: PlannedConfirmation) -> None:
    """A trial of the second study, with the settings of the one that it confirms."""
    number = {trial.number: trial for trial in session.search.get_trials(deepcopy=False)}[planned.of]
    settings = number.user_attrs.get(SETTINGS)
    assert settings is not None, "a trial that began has its settings"
    attributes = {SETTINGS: settings, OF: planned.of, SEED: planned.seed}
    session.confirm.enqueue_trial({}, user_attrs=attributes)
