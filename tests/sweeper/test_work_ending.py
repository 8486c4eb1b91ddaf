"""What a trial that came back means: state, values, constraints; measured from its own folder."""

import hashlib
import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from work_toys import CONF, plan_of

from engine.compose.guard import check_overrides
from engine.config.outcome import Outcome
from engine.training.result import TrainResult
from evaluation.records import Direction, Measurement, Scope, Score, Scores
from sweeper.config import Direction as Way
from sweeper.space.walking import candidates_of
from sweeper.study.records import Phase, TrialRecord, TrialState
from sweeper.work.command import command_of
from sweeper.work.confirming import confirmation_overrides
from sweeper.work.ending import ended_record
from sweeper.work.measured import measure
from sweeper.work.objectives import constraint_values, excess, required_scores
from sweeper.work.plan import SweepPlan
from sweeper.work.trial import Ended


def score(metric: str, value: float | None, base: float | None = None) -> Score:
    """A row of scores.json; None: it was skipped."""

    def measurement(number: float | None) -> Measurement | None:
        if number is None:
            return None
        return Measurement(value=number, n=4, num_prompts=2, spread=0.02)

    return Score(
        metric=metric,
        title=metric,
        direction=Direction.higher,
        scope=Scope.prompt,
        scale="0 to 1",
        final=measurement(value),
        base=measurement(base),
        anchored=0.5 if value is not None else None,
        skipped="no encoder" if value is None else None,
    )


def scored_folder(folder: Path, *rows: Score) -> Path:
    """A run folder with a scores.json of these rows, and a file of weights."""
    from evaluation.records import scores_text

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "demo.safetensors").write_bytes(b"weights")
    (folder / "scores.json").write_text(scores_text(Scores(rows=list(rows), objectives=["likeness"])))
    return folder


def result_in(folder: Path, **changes: object) -> TrainResult:
    known = TrainResult(
        run_id="abc",
        name="demo",
        folder=folder,
        outcome=Outcome.completed,
        steps_done=10,
        total_steps=10,
        weights=folder / "demo.safetensors",
        val_losses=[(5, 0.3), (10, 0.25)],
        seconds=12.5,
        peak_memory_bytes=2_500_000_000,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def ended(
    folder: Path,
    outcome: Outcome = Outcome.completed,
    *,
    result: TrainResult | None = None,
    **objectives: Way,
) -> TrialRecord:
    """The record of a trial in this folder, for a sweep on these objectives with two bounds."""
    plan = plan_for(objectives or {"likeness": Way.maximize})
    record = TrialRecord(
        number=3, phase=Phase.search, state=TrialState.running, folder=folder, seconds=20.0, total_steps=10
    )
    back = Ended(outcome=outcome, cause=None if outcome is Outcome.completed else "why", result=result)
    return ended_record(plan, record, back, device="cpu")


def plan_for(objectives: dict[str, Way]) -> SweepPlan:
    def change(settings: object) -> None:
        settings.objectives = objectives  # type: ignore[attr-defined]
        settings.constraints = {"health": ">= 1", "peak_vram_gb": "<= 2"}  # type: ignore[attr-defined]

    return plan_of("network.rank=4,8", change=change)


def test_a_completed_trial_has_its_values_scores_bounds_and_the_hash_of_its_file(tmp_path: Path) -> None:
    folder = scored_folder(tmp_path, score("likeness", 0.75, 0.5), score("health", 1.0))
    record = ended(folder, result=result_in(folder))
    assert record.state is TrialState.complete and record.outcome is Outcome.completed
    assert record.values == {"likeness": 0.75}
    assert record.constraints == {"health": 0.0, "peak_vram_gb": 0.5}  # 2.5 GB where 2 are allowed
    assert not record.feasible
    assert (record.scores["likeness"].base, record.scores["likeness"].real) == (0.5, None)
    assert (record.scores["likeness"].spread, record.scores["likeness"].n) == (0.02, 4)
    assert record.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (record.steps_done, record.total_steps, record.gpu_seconds) == (10, 10, 0.0)
    assert record.peak_memory_bytes == 2_500_000_000


@pytest.mark.parametrize(("first_step", "seconds"), [(0, 0.6), (6, 1.5), (10, 0.0)])
def test_a_step_takes_what_the_loop_of_the_last_start_took(
    tmp_path: Path, first_step: int, seconds: float
) -> None:
    """6 s of training for the steps from the first to the tenth; 20 s of the trial went elsewhere."""
    plan = plan_for({"likeness": Way.maximize})
    record = TrialRecord(
        number=3, phase=Phase.search, state=TrialState.running, folder=tmp_path, seconds=26.0
    )
    phases = {"loading": 9.0, "validation": 3.0, "training": 6.0}
    result = result_in(tmp_path, outcome=Outcome.pruned, seconds_by_phase=phases)
    back = Ended(outcome=Outcome.pruned, cause="behind", result=result)
    found = ended_record(plan, record, back, device="cpu", first_step=first_step)
    assert found.step_seconds == pytest.approx(seconds)


def test_what_the_run_itself_measured_can_be_an_objective(tmp_path: Path) -> None:
    folder = scored_folder(tmp_path, score("likeness", 0.75), score("health", 1.0))
    record = ended(
        folder,
        result=result_in(folder),
        val_loss=Way.minimize,
        seconds=Way.minimize,
        peak_vram_gb=Way.minimize,
    )
    assert record.values == {"val_loss": 0.25, "seconds": 12.5, "peak_vram_gb": 2.5}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.pruned, TrialState.pruned),
        (Outcome.diverged, TrialState.failed),
        (Outcome.failed, TrialState.failed),
        (Outcome.out_of_memory, TrialState.pruned),
    ],
)
def test_what_did_not_complete_has_no_values_whatever_lies_in_its_folder(
    tmp_path: Path, outcome: Outcome, state: TrialState
) -> None:
    folder = scored_folder(tmp_path, score("likeness", 0.75), score("health", 1.0))
    record = ended(folder, outcome, result=result_in(folder, outcome=outcome, weights=None, steps_done=4))
    assert (record.state, record.outcome, record.cause) == (state, outcome, "why")
    assert record.values == {} and record.weights is None and record.steps_done == 4
    assert record.constraints == ({"memory": 1.0} if outcome is Outcome.out_of_memory else {})
    assert record.feasible is (outcome is not Outcome.out_of_memory)


def test_a_trial_that_never_trained_has_failed_without_a_result(tmp_path: Path) -> None:
    record = ended(tmp_path, Outcome.failed)
    assert record.state is TrialState.failed and record.steps_done == 0 and record.total_steps == 10


def test_a_completed_trial_without_scores_has_failed_and_says_so(tmp_path: Path) -> None:
    record = ended(tmp_path, result=result_in(tmp_path))
    assert (record.state, record.outcome) == (TrialState.failed, Outcome.failed)
    assert record.cause == "its pictures were not scored" and record.values == {}


def test_an_objective_that_was_skipped_fails_the_trial_with_its_reason(tmp_path: Path) -> None:
    folder = scored_folder(tmp_path, score("likeness", None), score("health", 1.0))
    record = ended(folder, result=result_in(folder))
    assert record.state is TrialState.failed
    assert record.cause == "likeness could not be computed: no encoder"


def test_an_objective_without_a_row_fails_the_trial(tmp_path: Path) -> None:
    folder = scored_folder(tmp_path, score("health", 1.0))
    record = ended(folder, result=result_in(folder))
    assert record.state is TrialState.failed and record.cause == "likeness could not be measured"


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_never_stored(tmp_path: Path, loss: float) -> None:
    folder = scored_folder(tmp_path, score("likeness", 0.7))
    record = ended(folder, result=result_in(folder, val_losses=[(10, loss)]), val_loss=Way.minimize)
    assert record.state is TrialState.failed and record.values == {}
    assert record.cause == "val_loss could not be measured"


def test_a_validation_loss_alone_needs_no_scored_pictures(tmp_path: Path) -> None:
    (tmp_path / "demo.safetensors").write_bytes(b"weights")
    record = ended(tmp_path, result=result_in(tmp_path), val_loss=Way.minimize)
    assert record.state is TrialState.complete and record.values == {"val_loss": 0.25}
    assert record.constraints["health"] == 1.0  # not measured counts as violated


def test_gpu_time_is_counted_on_a_gpu_alone(tmp_path: Path) -> None:
    folder = scored_folder(tmp_path, score("likeness", 0.7))
    record = TrialRecord(number=0, phase=Phase.search, state=TrialState.running, folder=folder, seconds=20.0)
    back = Ended(outcome=Outcome.pruned, result=result_in(folder))
    plan = plan_for({"likeness": Way.maximize})
    assert ended_record(plan, record, back, device="cuda:0").gpu_seconds == 20.0
    assert ended_record(plan, record, back, device="cpu").gpu_seconds == 0.0


@pytest.mark.parametrize(
    ("bound", "value", "beyond"),
    [
        ("<= 23", 25.0, 2.0),
        ("<= 23", 23.0, 0.0),
        ("<=23", 20.0, -3.0),
        (">= 1", 0.75, 0.25),
        (">= -1.5", -2, 0.5),
    ],
)
def test_excess_is_how_far_a_value_is_beyond_its_bound(bound: str, value: float, beyond: float) -> None:
    assert excess(bound, value) == beyond


def test_a_bound_on_what_was_not_measured_counts_as_violated() -> None:
    assert constraint_values({"health": ">= 1", "seconds": "<= 9"}, {"seconds": 4.0}) == {
        "health": 1.0,
        "seconds": -5.0,
    }


def test_only_what_evaluation_measures_is_required_of_it() -> None:
    ways = {"likeness": Way.maximize, "val_loss": Way.minimize, "seconds": Way.minimize}
    assert required_scores(ways) == ("evaluation.objectives=[likeness]",)
    assert required_scores({"val_loss": Way.minimize}) == ()


def test_measured_numbers_are_those_of_the_scored_folder(tmp_path: Path) -> None:
    found = measure(scored_folder(tmp_path, score("likeness", 0.7, 0.4)), {"likeness": None})
    assert found.missing == () and found.prompt_values == {}  # no values.json beside it
    assert found.scores["likeness"].value == 0.7 and found.scores["likeness"].anchored == 0.5
    assert found.values(result_in(tmp_path)) == {
        "likeness": 0.7,
        "val_loss": 0.25,
        "seconds": 12.5,
        "peak_vram_gb": 2.5,
    }


def test_values_by_prompt_are_means_over_the_pictures_of_a_prompt(tmp_path: Path) -> None:
    folder = scored_folder(tmp_path, score("likeness", 0.5))
    pictures = [
        {"set_name": name, "prompt_index": index, "prompt": prompt, "seed": seed, "file": "x", "fault": None}
        for name in ("final", "base")
        for index, prompt in ((0, "a dog"), (2, "a cat"))
        for seed in (1, 2)
    ]
    values = {
        "likeness": {
            "final": [[0, 1, 0.25], [0, 2, 0.75], [2, 1, 0.5], [2, 2, 0.25]],
            "base": [[0, 1, 0.0]],
        },
        "health": {"final": [[0, 1, 1.0]]},
    }
    types = {"0": "subject", "2": "subject"}
    content = {"schema": 2, "root": ".", "pictures": pictures, "values": values, "types": types}
    (folder / "values.json").write_text(json.dumps(content))
    found = measure(folder, {"likeness": None, "seconds": None})
    assert found.prompt_values == {"likeness": {"a dog": 0.5, "a cat": 0.375}}


def test_the_command_is_what_a_posix_shell_reads_back() -> None:
    overrides = [
        "sampler=gp",
        "name='it\\'s a \"b\" $c'",
        "++optimizer.args.betas=[0.9,0.99]",
        "training.threads=2",
        "training.device=auto",
        "evaluation.objectives=[likeness]",
    ]
    line = command_of(overrides, device="cuda")
    assert shlex.split(line) == [
        "python",
        "train.py",
        "name='it\\'s a \"b\" $c'",
        "optimizer.args.betas=[0.9,0.99]",
        "training.threads=2",
        "training.device=cuda",
    ]


@pytest.mark.parametrize("sweep", ["optimizers", "noise"])
def test_the_command_of_a_trial_is_taken_by_the_guard_and_is_the_same_run(sweep: str) -> None:
    from engine.compose.load import load
    from engine.compose.run_id import identity

    plan = plan_of(f"sweep={sweep}")
    settings = candidates_of(plan.space, plan.composer.look)[-1]
    overrides = plan.composer.explicit(plan.composer.overrides(settings, "training.threads=1"))
    words = shlex.split(command_of(overrides, device="cpu"))[2:]
    argv = check_overrides(words, CONF)
    own = plan_of("network.rank=4,8").composer
    own.fixed = ()
    found = load(own.task_config(tuple(argv)))
    wanted = load(plan.composer.task_config((*overrides, "training.device=cpu")))
    assert identity(found) == identity(wanted)
    assert (found.training.threads, found.training.device) == (1, "cpu")


@pytest.mark.parametrize(
    ("in_list", "first", "used", "expected"),
    [
        (35, 0, 8, (8, 16)),  # twice as many as the search had
        (12, 0, 8, (8, 4)),  # four are left: half as many as the search had
        (11, 0, 8, None),  # three are not enough
        (30, 4, 10, (14, 20)),
    ],
)
def test_a_confirmation_uses_prompts_and_seeds_that_the_search_did_not(
    in_list: int, first: int, used: int, expected: tuple[int, int] | None
) -> None:
    plan = plan_of(
        "network.rank=4,8",
        f"sampling.num_prompts={used}",
        f"sampling.first_prompt={first}",
        "sampling.seeds=[1,101]",
    )
    plan = replace(plan, num_prompts_left=in_list)
    told = dict(text.split("=") for text in confirmation_overrides(plan, plan.defaults, 1001))
    assert told["seed"] == "1001"
    seeds = json.loads(told["sampling.seeds"])
    assert len(seeds) == 2 and not {1, 101} & set(seeds)
    if expected is None:
        assert "sampling.first_prompt" not in told
    else:
        begin, count = int(told["sampling.first_prompt"]), int(told["sampling.num_prompts"])
        assert (begin, count) == expected
        assert not set(range(begin, begin + count)) & set(range(first, first + used))
        assert begin + count <= first + in_list
