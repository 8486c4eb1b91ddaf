"""Command lines of --multirun: what the guard takes, in which form, and the sentence for what it does not."""
# ruff: noqa: E501

from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import CONF

from engine.compose.guard import check_overrides
from engine.compose.register import register
from engine.config import ConfigError


def taken(*typed: str) -> list[str]:
    """The words for Hydra, flags left out."""
    register()
    words = check_overrides(["--multirun", *typed], CONF)
    assert "--multirun" in words
    return [word for word in words if not word.startswith("--")]


def refused(*typed: str, flags: tuple[str, ...] = ("--multirun",)) -> list[str]:
    register()
    with pytest.raises(ConfigError) as caught:
        check_overrides([*flags, *typed], CONF)
    return list(caught.value.problems)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A folder of one's own for --config-dir."""
    (tmp_path / "sweep").mkdir()
    yield tmp_path


def written(own: Path, text: str, group: str = "sweep", package: str = "_global_") -> list[str]:
    """The refusal of own/<group>/mine.yaml, without the file's name in front."""
    file = own / group / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"# @package {package}\n{text}")
    sign = "+" if group == "sweep" else ""
    found = refused(f"--config-dir={own}", f"{sign}{group}=mine", "network.rank=4,8")
    shown = f"{own.name}/{group}/mine.yaml: "
    return [problem.removeprefix(shown) for problem in found]


SEVERAL = [
    ("network.rank=4,16", "network.rank=4,16"),
    ("+network.rank=4,16", "network.rank=4,16"),
    ("optimizer=adamw,prodigy", "optimizer=adamw,prodigy"),
    ("dataset.trigger=sks,'a, b'", "dataset.trigger=sks,'a, b'"),
    (
        "network.layers=[attention],[attention,feed_forward]",
        "network.layers=[attention],[attention,feed_forward]",
    ),
    ("sampling.seeds=[1],[1,2]", "sampling.seeds=[1],[1,2]"),
    ("network.rank=choice(4,16)", "network.rank=choice(4,16)"),
    ("network.rank=range(4,16)", "network.rank=range(4,16)"),
    ("network.rank=interval(4,16)", "network.rank=interval(4,16)"),
    ("optimizer.lr=tag(log,interval(1e-5,1e-2))", "optimizer.lr=tag(log,interval(1e-5,1e-2))"),
    ("loss=glob(*)", "loss=glob(*)"),
    ("network.alpha=null,4.0", "network.alpha=null,4.0"),
    ("optimizer.args.weight_decay=0,0.1", "++optimizer.args.weight_decay=0,0.1"),
    ("seed=shuffle(range(1,4))", "seed=shuffle(range(1,4))"),
]


def test_several_values_of_every_kind_are_taken_together() -> None:
    plus_free = [typed for typed, _ in SEVERAL if not typed.startswith("+") and "range(" not in typed]
    keys = [typed.split("=")[0] for typed in plus_free]
    once = [typed for place, typed in enumerate(plus_free) if typed.split("=")[0] not in keys[:place]]
    expected = dict(SEVERAL)
    assert sorted(taken(*once)) == sorted(expected[typed] for typed in once)


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "expected"), SEVERAL, ids=[typed for typed, _ in SEVERAL])
def test_several_values_reach_the_sweeper_as_typed(typed: str, expected: str) -> None:
    assert taken(typed) == [expected]


@pytest.mark.parametrize(
    "typed",
    [
        "network.rank=choice(4,16)",
        "network.rank=interval(4,16)",
        "network.rank=range(4,16)",
        "optimizer=adamw,prodigy",
        "loss=glob(*)",
        "optimizer.lr=tag(log,interval(1e-5,1e-2))",
    ],
)
def test_a_single_run_refuses_them_and_advises_a_sweep(typed: str) -> None:
    assert refused(typed, flags=()) == [
        f"{typed}: several values make a sweep: add --multirun. Give one value."
    ]


WRONG = [
    ("network.rank=4,abc", "network.rank=abc: this option takes a whole number."),
    ("network.rank=interval(4,16.5)", "network.rank=16.5: this option takes a whole number."),
    ("optimizer.lr=choice(a,1e-3)", "optimizer.lr=a: this option takes a number."),
    ("network.rnk=4,8", "network.rnk: unknown option of LoRAConfig (did you mean rank?)"),
    ("optimizer=adamw,prodgy", "optimizer=adamw,prodgy: unknown choice (did you mean prodigy?)"),
    ("loss.kind=l2,l3", "loss.kind=l3: unknown choice (one of l2, huber, smooth_l1)"),
    ("+sweep=nope", "sweep=nope: unknown choice"),
    ("+sweep=lora,quick", "+sweep=lora,quick: several values make a sweep: add --multirun. Give one value."),
    ("sampler=foo", "sampler=foo: unknown choice"),
    ("sampler=tpee", "sampler=tpee: unknown choice (did you mean tpe?)"),
    ("pruner=ash", "pruner=ash: unknown choice (did you mean asha?)"),
    ("hydra.sweeper.budgt.trials=3", "hydra.sweeper.budgt: unknown option of a sweep (did you mean budget?)"),
    (
        "hydra.sweeper.budget.trails=3",
        "hydra.sweeper.budget.trails: unknown option of a sweep (did you mean trials?)",
    ),
    ("hydra.sweeper.budget.trials=x", "hydra.sweeper.budget.trials=x: not a whole number or null."),
    ("hydra.sweeper.lease=1.5", "hydra.sweeper.lease=1.5: not a whole number."),
    ("hydra.sweeper.on_change=forkk", "hydra.sweeper.on_change=forkk: not "),
    ("hydra.sweeper.sampler.kind=tp", "hydra.sweeper.sampler.kind=tp: not "),
    ("hydra.sweeper.n_trials=3", "hydra.sweeper.n_trials: unknown option of a sweep"),
    ("hydra.sweeper._target_=os.system", "hydra.sweeper._target_: unknown option of a sweep"),
    ("hydra.swooper.study=x", "hydra.swooper.study=x: Hydra has no such option, or not with this value."),
    ("hydra/launcher=gpu", "hydra/launcher=gpu: Hydra has no such option"),
    ("hydra.mode=MULTIRUN", "hydra.mode=MULTIRUN: write --multirun for a sweep, and nothing for a run."),
    ("network.rank=4 8", "network.rank=4 8: this option takes a whole number."),
    (
        "network.rank=[4,8",
        "network.rank=[4,8: the values can't be read. Write network.rank=a,b or network.rank=interval(low,high)",
    ),
    ("network.rank=choice()", "network.rank=choice(): the values can't be read. Write network.rank=a,b"),
    ("network.rank=4,", "network.rank=4,: the values can't be read. Write network.rank=a,b"),
    ("optimizer.lr=log(interval(1,2))", "optimizer.lr=log(interval(1,2)): the values can't be read. Write"),
    ("network.rank", "network.rank: not an option. Options are written key=value"),
]


@pytest.mark.parametrize(("typed", "start"), WRONG, ids=[typed for typed, _ in WRONG])
def test_what_cannot_be_searched_is_one_sentence(typed: str, start: str) -> None:
    found = refused(typed)
    assert len(found) == 1 and found[0].startswith(start), found


@pytest.mark.parametrize(
    ("flag", "name"), [("--cfg=job", "cfg"), ("--cfg=hydra", "cfg"), ("--info=config", "info")]
)
def test_a_flag_that_shows_one_run_is_refused_beside_multirun(flag: str, name: str) -> None:
    assert refused("+sweep=quick", flags=("--multirun", flag)) == [
        f"--{name}: shows one run. Leave --multirun out; dry_run=true shows what a sweep would do."
    ]


@pytest.mark.parametrize("content", ["", "# python train.py\nhydra:\n  sweeper:\n    study: x\n"])
def test_a_sweeps_file_without_its_package_line_is_told_what_is_missing(own: Path, content: str) -> None:
    (own / "sweep/mine.yaml").write_text(content)
    assert refused(f"--config-dir={own}", "+sweep=mine", "network.rank=4,8") == [
        f"{own.name}/sweep/mine.yaml: make `# @package _global_` its first line."
    ]


def test_all_mistakes_of_a_sweep_are_told_together() -> None:
    found = refused(
        "+sweep=nope", "network.rank=4,x", "hydra.sweeper.lease=a", "sampler=foo", "optimizer.lrr=1"
    )
    assert [problem.split(":")[0].split("=")[0] for problem in found] == [
        "sweep",
        "sampler",
        "network.rank",
        "hydra.sweeper.lease",
        "optimizer.lrr",
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_options_of_a_launcher_are_known_whichever_side_of_its_group_they_stand(first: int) -> None:
    words = ["hydra/launcher=gpus", "hydra.launcher.slots=2"]
    assert sorted(taken("+sweep=quick", *(words if first == 0 else words[::-1]))) == sorted(
        [*words, "sweep=quick"]
    )


def test_options_of_another_launcher_are_refused() -> None:
    found = refused("network.rank=4,8", "hydra.launcher.slots=2")
    assert len(found) == 1 and found[0].startswith("hydra.launcher.slots=2: Hydra has no such option")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("hydra.sweeper.budget.trials=3", 3),
        ("hydra.sweeper.budget.hours=1.5", 1.5),
        ("hydra.sweeper.budget.hours=2", 2.0),
        ("hydra.sweeper.confirm=null", None),
        ("hydra.sweeper.study=7", "7"),
        ("hydra.sweeper.study=été", "été"),
        ("hydra.sweeper.storage=postgresql://ann:pw@host:5432/db?sslmode=require", None),
    ],
)
def test_values_of_hydras_options_keep_their_type(typed: str, value: object) -> None:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    words = taken("network.rank=4,8", typed)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [word for word in words if "rank" not in word], return_hydra_config=True)
    found = OmegaConf.select(config, typed.split("=")[0])
    assert found == (typed.partition("=")[2] if "storage" in typed else value)
    assert type(found) is type(typed if "storage" in typed else value)


def test_an_experiment_and_a_sweep_go_together_in_either_order() -> None:
    assert taken("+experiment=night", "+sweep=quick") == ["experiment=night", "sweep=quick"]
    assert sorted(taken("sweep=quick", "experiment=night")) == ["experiment=night", "sweep=quick"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hydra:\n  sweeper:\n    parms: {}\n", "hydra.sweeper.parms: unknown option of a sweep (did you mean params?)"),
        ("hydra:\n  sweeper:\n    budget: {trial: 3}\n", "hydra.sweeper.budget.trial: unknown option of a sweep (did you mean trials?)"),
        ("hydra:\n  sweeper:\n    budget: {trials: many}\n", "hydra.sweeper.budget.trials=many: not a whole number or null."),
        ("hydra:\n  sweeper:\n    winner: [a]\n", "hydra.sweeper.winner=[a]: not a text."),
        ("network:\n  rnk: 3\n", "network.rnk: unknown option of LoRAConfig (did you mean rank?)"),
        ("defaults:\n  - override /optimizer: prodgy\n", "optimizer=prodgy: unknown choice (did you mean prodigy?)"),
        ("hydra:\n  sweeper: [\n", "not valid YAML (line 4). Correct the file."),
        ("- a\n- b\n", "not a mapping of options. Write option: value."),
    ],
)  # fmt: skip
def test_a_mistake_in_a_sweeps_file_names_the_file(own: Path, text: str, problem: str) -> None:
    assert written(own, text) == [problem]


def test_a_mistake_in_a_samplers_or_pruners_file_names_the_file(own: Path) -> None:
    assert written(own, "kind: tpe\nsed: 3\n", "sampler", "hydra.sweeper.sampler") == [
        "hydra.sweeper.sampler.sed: unknown option of a sweep (did you mean seed?)"
    ]
    assert written(own, "kind: hyperbnd\n", "pruner", "hydra.sweeper.pruner")[0].startswith(
        "hydra.sweeper.pruner.kind=hyperbnd: not "
    )


@pytest.mark.slow
@pytest.mark.parametrize("group", ["sweep", "sampler", "pruner"])
def test_every_shipped_file_of_a_sweep_is_taken_and_composes(group: str) -> None:
    from hydra import compose, initialize_config_dir

    files = sorted((CONF / group).glob("*.yaml"))
    assert len(files) >= 4
    for file in files:
        words = taken(f"{group}={file.stem}", "network.rank=4,8")
        assert f"{group}={file.stem}" in words
        if group == "sweep":
            continue
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("config", [f"{group}={file.stem}"], return_hydra_config=True)
        assert config.hydra.sweeper[group].kind.name == file.stem


def test_a_typo_does_not_hide_what_else_is_wrong_with_the_run_or_the_disk() -> None:
    found = refused("network.rnk=4,8", "training.steps=-3", "dataset.path=/nowhere", "loss=huber,mse")
    assert [problem.split(":")[0].split("=")[0] for problem in found] == [
        "network.rnk",
        "training.steps",
        "dataset.path",
    ]


def test_what_a_searched_group_may_give_an_effect_is_not_called_dead_beside_a_typo() -> None:
    (problem,) = refused("network.rnk=4,8", "loss=mse,huber", "loss.huber_c=0.2")
    assert problem.startswith("network.rnk: ")


@pytest.mark.parametrize("key", ["sampler.startup", "pruner.patience"])
def test_an_option_of_a_sampler_or_pruner_is_told_where_it_belongs(key: str) -> None:
    assert refused("network.rank=4,8", f"{key}=2") == [
        f"{key}: an option of the sweep. Write hydra.sweeper.{key}."
    ]


def test_a_space_is_not_typed_as_a_mapping() -> None:
    (problem,) = refused("hydra.sweeper.params={network.rank: 4}")
    assert problem.startswith("hydra.sweeper.params: is given in a file of conf/sweep/.")
