"""What is pruned: hand-computed rungs, Optuna's own decisions, several objectives, resumed trials."""

import random
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from study_toys import open_study

from sweeper.config import Direction, PruneConfig, PrunerConfig, PrunerKind
from sweeper.study.pruning import Judge, build_pruner

STEPS = 600


def judge_of(study: optuna.Study, kind: PrunerKind = PrunerKind.asha, first: int | None = 33) -> Judge:
    pruner = build_pruner(PrunerConfig(kind=kind, startup=1), PruneConfig(min=first), STEPS)
    return Judge(study, pruner, Direction.minimize)


def reports_until_stopped(
    judge: Judge, trial: optuna.Trial, value: float, steps: Sequence[int] = range(11, STEPS + 1, 11)
) -> int | None:
    """The step at which a trial that always reports `value` is stopped."""
    for step in steps:
        if judge.report_and_ask(trial, step, value, total_steps=STEPS):
            return step
    return None


@pytest.mark.parametrize("directions", [("maximize",), ("maximize", "minimize", "maximize")])
def test_asha_decides_after_33_99_and_297_steps(tmp_path: Path, directions: Sequence[str]) -> None:
    study, _ = open_study(tmp_path, directions=directions)
    judge = judge_of(study)
    # The first at a rung goes on; a later one must be among the best third of those that came to it, of fewer
    # than six the best: 0.9 beats 1.0 at each rung, 2.0 and 1.5 are behind at the first.
    stopped = [reports_until_stopped(judge, study.ask(), value) for value in (1.0, 0.9, 2.0, 1.5)]
    assert stopped == [None, None, 33, 33]
    late = study.ask()
    falls_at_99 = [0.5 if step < 99 else 5.0 for step in range(11, 300, 11)]
    at = [
        step
        for step, value in zip(range(11, 300, 11), falls_at_99, strict=True)
        if judge.report_and_ask(late, step, value, total_steps=STEPS)
    ]
    assert at[0] == 99
    rungs = {key for key in study.trials[0].system_attrs if key.startswith("completed_rung_")}
    assert rungs == {"completed_rung_0", "completed_rung_1", "completed_rung_2"}


def test_asha_lets_the_best_third_go_on_once_there_are_enough(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    judge = judge_of(study)
    values = (6.0, 5.0, 4.0, 3.0, 2.0, 2.5, 2.2, 1.9)
    stopped = [judge.report_and_ask(study.ask(), 33, value, total_steps=STEPS) for value in values]
    # 2.5 is second of six, and 6 // 3 = 2 go on; 2.2 is second of seven; the others were the best so far.
    assert stopped == [False] * 8
    assert judge.report_and_ask(study.ask(), 33, 2.3, total_steps=STEPS)  # fourth of nine, and three go on


def decisions_of_optuna(
    pruner: optuna.pruners.BasePruner, curves: Sequence[Sequence[float]]
) -> list[int | None]:
    study = optuna.create_study(study_name="toy", direction="minimize", pruner=pruner)
    found: list[int | None] = []
    for curve in curves:
        trial = study.ask()
        found.append(None)
        for step, value in enumerate(curve, start=1):
            trial.report(value, step)
            if step < len(curve) and trial.should_prune():
                found[-1] = step
                break
        if found[-1] is None:
            study.tell(trial, curve[-1])
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return found


@pytest.mark.parametrize(
    "kind", [kind for kind in PrunerKind if kind not in (PrunerKind.none, PrunerKind.auto)]
)
def test_decisions_on_three_objectives_are_those_of_optuna_on_one(tmp_path: Path, kind: PrunerKind) -> None:
    draw = random.Random(5)
    curves = [
        [end + (2 - end) * 0.9**step + 0.1 * draw.gauss(0, 1) for step in range(40)]
        for end in (draw.random() for _ in range(30))
    ]
    config, prune = PrunerConfig(kind=kind, startup=3), PruneConfig(min=4)
    theirs = decisions_of_optuna(build_pruner(config, prune, 40), curves)
    study, _ = open_study(tmp_path, directions=("maximize", "minimize", "maximize"))
    judge = Judge(study, build_pruner(config, prune, 40), Direction.minimize)
    ours: list[int | None] = []
    for curve in curves:
        trial = study.ask()
        ours.append(None)
        for step, value in enumerate(curve, start=1):
            if judge.report_and_ask(trial, step, value, total_steps=40):
                ours[-1] = step
                break
        state = optuna.trial.TrialState.COMPLETE if ours[-1] is None else optuna.trial.TrialState.PRUNED
        study._storage.set_trial_state_values(trial._trial_id, state, [0, 0, 0] if ours[-1] is None else None)
    assert ours == theirs
    assert any(step is not None for step in ours) and None in ours


def test_nan_at_a_rung_stops_the_trial(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    assert judge_of(study).report_and_ask(study.ask(), 33, float("nan"), total_steps=STEPS)


def test_the_last_report_stops_nothing(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    judge = judge_of(study)
    judge.report_and_ask(study.ask(), 33, 0.1, total_steps=33)
    assert not judge.report_and_ask(study.ask(), 33, 9.0, total_steps=33)


def test_the_baseline_runs_to_its_end_and_its_rungs_count_for_the_others(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    judge = judge_of(study)
    judge.report_and_ask(study.ask(), 33, 0.5, total_steps=STEPS)
    baseline = study.ask()
    assert not judge.report_and_ask(baseline, 33, 9.0, total_steps=STEPS, is_kept=True)
    assert study.trials[baseline.number].system_attrs["completed_rung_0"] == 9.0


def test_a_step_reported_again_after_a_kill_changes_nothing(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    judge = judge_of(study)
    first = study.ask()
    for step in (11, 22, 33, 44):
        assert not judge.report_and_ask(first, step, 1.0, total_steps=STEPS)
    again = judge_of(open_study(tmp_path)[0])
    before = study._storage.get_trial(first._trial_id)
    for step in (22, 33, 44):
        assert not again.report_and_ask(first, step, 1.0, total_steps=STEPS)
    after = open_study(tmp_path)[0].trials[0]
    assert (after.intermediate_values, after.system_attrs) == (
        before.intermediate_values,
        before.system_attrs,
    )


def test_a_decision_that_could_not_be_told_is_not_forgotten(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    judge = judge_of(study)
    judge.report_and_ask(study.ask(), 33, 0.5, total_steps=STEPS)
    behind = study.ask()
    assert judge.report_and_ask(behind, 33, 1.0, total_steps=STEPS)
    again = judge_of(open_study(tmp_path)[0])
    assert not again.report_and_ask(behind, 22, 1.0, total_steps=STEPS)
    assert again.report_and_ask(behind, 33, 1.0, total_steps=STEPS)


def test_nothing_is_pruned_without_a_pruner_or_a_metric(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    for kind, prune in ((PrunerKind.none, PruneConfig(min=1)), (PrunerKind.asha, None)):
        judge = Judge(study, build_pruner(PrunerConfig(kind=kind), prune, STEPS), Direction.minimize)
        judge.report_and_ask(study.ask(), 33, 0.0, total_steps=STEPS)
        assert not judge.report_and_ask(study.ask(), 33, 9.0, total_steps=STEPS)


def test_the_first_decision_is_after_a_ninth_of_the_steps(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path)
    judge = judge_of(study, first=None)
    reports_until_stopped(judge, study.ask(), 0.0)
    assert reports_until_stopped(judge, study.ask(), 1.0, steps=range(60, 70)) == 66
