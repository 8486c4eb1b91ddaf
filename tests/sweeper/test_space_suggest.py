"""Settings as parameters of Optuna's trials, and back."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from space_toys import CONDITIONAL, look, space_of

from sweeper.space.space import Space
from sweeper.space.suggest import distribution_of, parameters_of, suggest, suggest_given
from sweeper.study.records import Dimension


@pytest.mark.parametrize(
    ("dimension", "distribution"),
    [
        (Dimension(key="k", choices=(4, 8), ordered=True), CategoricalDistribution((4, 8))),
        (Dimension(key="k", choices=(None, True, "a")), CategoricalDistribution((None, True, "a"))),
        (Dimension(key="k", choices=(["a", "b"], ["c d"])), CategoricalDistribution(("[a,b]", "['c d']"))),
        (Dimension(key="k", low=0.1, high=1.0, log=True), FloatDistribution(0.1, 1.0, log=True)),
        (Dimension(key="k", low=1, high=64, log=True, integer=True), IntDistribution(1, 64, log=True)),
    ],
)
def test_distributions_hold_true_values(dimension: Dimension, distribution: object) -> None:
    assert distribution_of(dimension) == distribution


def test_a_trial_is_given_settings_with_true_keys_and_values() -> None:
    space = space_of(params={"network.layers": "choice([attention],[attention,feed_forward])"})
    space = Space(
        dimensions=(
            *space.dimensions,
            *space_of(params={"optimizer": "adamw,prodigy"}, when=CONDITIONAL).dimensions,
        )
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [suggest(study.ask(), space, look) for _ in range(20)]
    for found, frozen in zip(seen, study.trials, strict=True):
        assert found["network.layers"] in (["attention"], ["attention", "feed_forward"])
        adamw = {"network.layers", "optimizer", "optimizer.lr"}
        assert found.keys() == (adamw if found["optimizer"] == "adamw" else adamw | {"optimizer.args.d_coef"})
        assert ("optimizer.lr" in frozen.params) == (found["optimizer"] == "adamw")
    again = optuna.Trial(study, study.trials[0]._trial_id)
    assert suggest(again, space, look) == seen[0], "a trial that is gone on with keeps its settings"


@pytest.mark.filterwarnings("error")
def test_the_defaults_are_enqueued_with_what_lies_inside_of_the_space() -> None:
    space = space_of(
        params={"network.rank": "4,8", "optimizer": "adamw,prodigy"},
        when=CONDITIONAL,
        start=[{}, {"network.rank": 8, "optimizer": "prodigy", "seed": 3}],
    )
    study = optuna.create_study()
    for start in space.start:
        study.enqueue_trial(parameters_of(space, start, look), user_attrs={"settings": dict(start)})
    assert parameters_of(space, {}, look) == {
        "optimizer": "adamw",
        "optimizer.lr": 0.003,
    }  # rank 16 is outside
    for start in space.start:
        assert suggest_given(study.ask(), space, start, look) == start
    assert [one.params for one in study.trials] == [
        {"optimizer": "adamw", "optimizer.lr": 0.003},
        {"network.rank": 8, "optimizer": "prodigy"},
    ]
