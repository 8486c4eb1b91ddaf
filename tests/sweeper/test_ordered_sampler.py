"""The sampler that sees ordered choices as places: true values come out, and it learns from neighbours."""

import math
import random
import statistics
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from sweeper.space.ordered_sampler import OrderedSampler
from sweeper.space.suggest import distribution_of
from sweeper.study.records import Dimension

RANKS = (2, 4, 8, 16, 32, 64, 128)
RANK = Dimension(key="rank", choices=RANKS, ordered=True)
KIND = Dimension(key="kind", choices=("a", "b"))
RATE = Dimension(key="rate", low=1e-5, high=1e-2, log=True)
DOWN = Dimension(key="down", choices=(0.9, 0.5, 0.1), ordered=True)
SPACE = (RANK, KIND, RATE, DOWN)


def _group_tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, group=True, multivariate=True)


def _grid(seed: int) -> BaseSampler:
    return GridSampler(
        {"rank": list(RANKS), "kind": ["a", "b"], "rate": [1e-4, 1e-3], "down": [0.9, 0.5]}, seed=seed
    )


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "tpe by groups": _group_tpe,
    "gp": lambda seed: GPSampler(seed=seed, n_startup_trials=5),
    "qmc": lambda seed: QMCSampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
    "nsga-ii": lambda seed: NSGAIISampler(seed=seed, population_size=5),
    "grid": _grid,
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Optuna's log of each trial is not part of a test's output."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


def _made(name: str, seed: int = 0) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SAMPLERS[name](seed)


def _ask(study: optuna.Study, space: tuple[Dimension, ...] = SPACE) -> optuna.Trial:
    return study.ask({one.key: distribution_of(one) for one in space})


def _error(trial: optuna.Trial) -> float:
    found = trial.params
    return abs(math.log2(found["rank"]) - 4) + (found["kind"] == "b") + abs(math.log10(found["rate"]) + 3)


@pytest.mark.parametrize("name", list(SAMPLERS))
@pytest.mark.filterwarnings("error")
def test_every_sampler_gives_true_values_without_warnings(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    optuna.logging.enable_propagation()
    study = optuna.create_study(sampler=OrderedSampler(_made(name), SPACE))
    for number in range(30):
        trial = _ask(study)
        trial.report(_error(trial), 0)
        state = TrialState.PRUNED if number % 5 == 3 else TrialState.COMPLETE
        study.tell(trial, None if state is TrialState.PRUNED else _error(trial), state=state)
    optuna.logging.disable_propagation()
    for frozen in study.trials:
        assert frozen.distributions == {one.key: distribution_of(one) for one in SPACE}
        assert type(frozen.params["rank"]) is int and frozen.params["rank"] in RANKS
        assert frozen.params["kind"] in ("a", "b") and frozen.params["down"] in (0.9, 0.5, 0.1)
    assert len({frozen.params["rank"] for frozen in study.trials}) > 2
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.parametrize(
    "name",
    ["tpe", "tpe by groups", pytest.param("gp", marks=pytest.mark.slow), "qmc", "random", "nsga-ii"],
)
def test_several_objectives_and_running_trials_are_taken(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = optuna.create_study(
            directions=["minimize", "maximize"], sampler=OrderedSampler(_made(name), SPACE)
        )
        running = [_ask(study), _ask(study)]
        for _ in range(14):
            trial = _ask(study)
            study.tell(trial, [_error(trial), trial.params["down"]])
        running.append(_ask(study))
    assert all(trial.params["rank"] in RANKS for trial in running)
    assert sum(one.state is TrialState.RUNNING for one in study.trials) == 3


class _Spy(RandomSampler):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.trials: list[FrozenTrial] = []
        self.asked: list[object] = []

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: object
    ) -> object:
        self.trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        self.asked.append(param_distribution)
        return 1 if isinstance(param_distribution, IntDistribution) else 0.5


def test_the_inner_sampler_sees_the_place_of_a_choice() -> None:
    spy = _Spy()
    study = optuna.create_study(sampler=OrderedSampler(spy, (RANK,)))
    study.enqueue_trial({"rank": 16})
    study.tell(_ask(study, (RANK,)), 1.0)
    assert _ask(study, (RANK,)).params == {"rank": 4}  # place 1
    assert [one.params for one in spy.trials] == [{"rank": 3}]
    assert spy.trials[0].distributions == {"rank": IntDistribution(0, 6)}
    assert spy.asked == [IntDistribution(0, 6)]
    assert study.trials[0].params == {"rank": 16}, "the study itself is untouched"


def test_a_trial_outside_of_the_space_is_hidden_so_that_joint_sampling_goes_on() -> None:
    study = optuna.create_study(sampler=OrderedSampler(TPESampler(seed=0, n_startup_trials=3), (RANK, RATE)))
    study.enqueue_trial({"rank": 16})
    baseline = study.ask()
    baseline.suggest_categorical("rank", RANKS)  # its rate is none of the space's
    study.tell(baseline, 5.0)
    for _ in range(6):
        study.tell(_ask(study, (RANK, RATE)), 1.0)
    trial = _ask(study, (RANK, RATE))
    assert trial.relative_params.keys() == {"rank", "rate"}
    assert trial.relative_search_space == {
        "rank": CategoricalDistribution(RANKS),
        "rate": FloatDistribution(1e-5, 1e-2, log=True),
    }


def test_an_interval_that_was_widened_is_still_sampled_jointly() -> None:
    narrow = Dimension(key="rate", low=1e-4, high=1e-3, log=True)
    study = optuna.create_study(sampler=OrderedSampler(TPESampler(seed=0), (RANK, narrow)))
    for _ in range(6):
        study.tell(_ask(study, (RANK, narrow)), 1.0)
    study.sampler = OrderedSampler(TPESampler(seed=1, n_startup_trials=3), (RANK, RATE))
    study.tell(_ask(study, (RANK, RATE)), 1.0)
    assert _ask(study, (RANK, RATE)).relative_params.keys() == {"rank", "rate"}


def test_conditional_parameters_of_one_key_do_not_hide_trials() -> None:
    space = (
        KIND,
        Dimension(key="rank", choices=(1, 2, 3), ordered=True, when="kind=a"),
        Dimension(key="rank", choices=(10, 20), ordered=True, when="kind=b"),
    )
    spy = _Spy()
    study = optuna.create_study(sampler=OrderedSampler(spy, space))
    for kind, name, value in (("a", "rank", 3), ("b", "rank@kind=b", 20)):
        study.enqueue_trial({"kind": kind, name: value})
        trial = study.ask({"kind": distribution_of(KIND)})
        trial.suggest_categorical(name, space[1 if kind == "a" else 2].choices)  # type: ignore[arg-type]
        study.tell(trial, 1.0)
    study.ask({"rank": distribution_of(space[1])})
    assert [one.params for one in spy.trials] == [{"kind": "a", "rank": 2}, {"kind": "b", "rank@kind=b": 1}]


def test_hyperband_filters_what_the_inner_sampler_sees() -> None:
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(sampler=OrderedSampler(TPESampler(seed=0), SPACE), pruner=pruner)
    for _ in range(20):
        trial = _ask(study)
        for step in (1, 3, 9):
            trial.report(_error(trial), step)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, _error(trial))
    assert all(one.params["rank"] in RANKS for one in study.trials)


@pytest.mark.parametrize("name", ["tpe", "random", "qmc"])
def test_a_study_that_is_resumed_from_a_journal_repeats_no_settings(name: str, tmp_path: Path) -> None:
    file = str(tmp_path / "journal.log")
    for start in range(3):
        storage = JournalStorage(JournalFileBackend(file))
        study = optuna.create_study(
            study_name="toy",
            storage=storage,
            load_if_exists=True,
            sampler=OrderedSampler(_made(name, seed=start), SPACE),
        )
        for _ in range(6):
            trial = _ask(study)
            study.tell(trial, _error(trial))
    found = optuna.load_study(study_name="toy", storage=JournalStorage(JournalFileBackend(file))).trials
    assert len(found) == 18
    assert len({tuple(sorted(one.params.items())) for one in found}) == 18


def _regret(ordered: bool, seed: int, trials: int = 24) -> float:
    """How far the best of a noisy search is from rank 16, in doublings, by the true curve."""
    ranks = tuple(2**power for power in range(1, 13))
    space = (Dimension(key="rank", choices=ranks, ordered=True), RATE)
    inner: BaseSampler = TPESampler(seed=seed, n_startup_trials=5)
    study = optuna.create_study(sampler=OrderedSampler(inner, space) if ordered else inner)
    noise = random.Random(seed)

    def true(params: dict[str, float]) -> float:
        return (math.log2(params["rank"]) - 7) ** 2 / 10 + abs(math.log10(params["rate"]) + 3)

    for _ in range(trials):
        trial = _ask(study, space)
        study.tell(trial, true(trial.params) + noise.gauss(0, 0.2))
    return true(study.best_params)


@pytest.mark.slow
def test_order_helps_tpe_on_a_noisy_function_of_the_rank() -> None:
    ordered = statistics.median(_regret(True, seed) for seed in range(20))
    plain = statistics.median(_regret(False, seed) for seed in range(20))
    print(f"median regret over 20 seeds: ordered {ordered:.3f}, unordered {plain:.3f}")
    assert ordered < plain
