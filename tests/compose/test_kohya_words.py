"""Names of kohya's scripts on our command line: answered with ours, with and without dashes."""

import json

import pytest
from toys import CONF, PROJECT

from engine.compose.guard import check_overrides
from engine.compose.kohya_words import kohya_answer
from engine.compose.options import all_options, find_option, is_section, type_problem
from engine.compose.register import register
from engine.config import ConfigError, LoRAConfig
from engine.config.kohya_options import ANSWERS, NOT_HERE, OUR_KEYS, REMARKS
from engine.data.file_keys import KOHYA, OWN, Dialect, SubsetKind, subset_rules, table_problems

THEIRS = json.loads((PROJECT / "tests/golden/l_option_names.json").read_text())
LEAVES = {option.name for option in all_options(LoRAConfig)}
GROUPS = {folder.name for folder in CONF.iterdir() if folder.is_dir()}
OF_FILES = {"image_dir", "conv_dim"}  # of their dataset files, and of network_args


register()


def problems(*words: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        check_overrides(list(words), CONF)
    return refused.value.problems


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("network_dim=16", "network_dim: kohya's name; here it is network.rank."),
        ("network.network_dim=16", "network.network_dim: kohya's name; here it is network.rank."),
        ("v_parameterization=true", "v_parameterization: kohya's name; here it is model.prediction=v."),
        (
            "masked_loss=true",
            "masked_loss: kohya's name; here it is dataset.mask_dir or dataset.alpha_mask.",
        ),
        (
            "guidance_scale=1",
            "guidance_scale: kohya's name; here it is model.guidance. "
            "That of pictures that are drawn is sampling.guidance_scale.",
        ),
        (
            "sdpa=true",
            "sdpa: an option of kohya's; attention is computed by PyTorch's own function, always. "
            "Leave it out.",
        ),
        ("torch_compile=true", "torch_compile: an option of kohya's that is not here. Leave it out."),
        ("min_snr_gamma=5", "min_snr_gamma: unknown option (did you mean loss.min_snr_gamma?)"),
    ],
)
def test_a_name_of_kohyas_is_answered_with_ours(typed: str, said: str) -> None:
    assert problems(typed) == [said]


def test_a_name_of_our_own_below_the_wrong_group_is_no_name_of_kohyas() -> None:
    (problem,) = problems("training.guidance_scale=3")
    assert problem.endswith("(did you mean sampling.guidance_scale?)")


def test_what_stands_under_kohyas_name_is_not_also_called_missing() -> None:
    said = problems("model=sd15", "model.checkpoint=nowhere", "train_data_dir=photos")
    assert said[0] == "train_data_dir: kohya's name; here it is dataset.path."
    assert not [problem for problem in said if problem.startswith("dataset.path")]
    assert problems("model=sd15", "model.checkpoint=nowhere", "--train_data_dir", "photos")[1:] == said[1:]


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["--network_dim=16"], "network.rank=16"),
        (["--network_dim", "16"], "network.rank=16"),
        (["--network-dim", "16"], "network.rank=16"),
        (["--training.steps", "16"], "training.steps=16"),
        (["--seed", "3"], "seed=3"),
        (["--noise_offset", "-0.1"], "noise.offset=-0.1"),
        (["--min_snr_gamma", "5"], "loss.min_snr_gamma=5"),
        (["--gradient_checkpointing"], "training.gradient_checkpointing=true"),
        (["--fp8_base"], "memory.quantize=fp8"),
        (["--caption_extension", ".txt"], "dataset.caption_extension=[.txt]"),
        (["--model", "sdxl"], "model=sdxl"),
        # What can't be taken as it was typed is not written down.
        (["--loss_type", "l1"], "loss.kind=VALUE"),
        (["--max_train_steps"], "training.steps=VALUE"),
        (["--output_name", "my dog"], "name=VALUE"),
    ],
)
def test_an_option_with_dashes_is_written_as_ours(words: list[str], written: str) -> None:
    said = f"{' '.join(words)}: here options are written key=value: {written}."
    assert problems(*words, "network.alpha=3") == [said]


def test_pairs_behind_a_flag_belong_to_it_and_options_of_ours_do_not() -> None:
    assert problems("--optimizer_args", "weight_decay=0.1", "eps=1e-6", "network.alpha=3") == [
        "--optimizer_args weight_decay=0.1 eps=1e-6: here options are written key=value: "
        "optimizer.args=VALUE. One by one: optimizer.args.weight_decay=0.1."
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sdpa"], "--sdpa: an option of kohya's; attention is computed by PyTorch's own function, "),
        (["--torch_compile"], "--torch_compile: an option of kohya's that is not here. Leave it out."),
        (["--frobnicate", "3"], "--frobnicate: unknown flag. Options are written without dashes, "),
        (["--training.stps", "3"], "--training.stps 3: unknown option of TrainingConfig (did you mean"),
        (["-x"], "-x: unknown flag. Options are written without dashes, "),
    ],
)
def test_other_flags_are_told_once(words: list[str], said: str) -> None:
    (problem,) = problems(*words, "network.alpha=3")
    assert problem.startswith(said)


def test_flags_of_hydra_and_their_short_forms_are_left_to_it() -> None:
    assert check_overrides(["--cfg", "job", "network.rank=3"], CONF)[0] == "--cfg=job"
    assert check_overrides(["--multi", "network.rank=3,4"], CONF)[0] == "--multirun"


@pytest.mark.parametrize(
    ("dialect", "key", "meant"),
    [
        (KOHYA, "train_batch_size", "batch_size"),
        (KOHYA, "train_data_dir", "image_dir"),
        (KOHYA, "in_json", "metadata_file"),
        (OWN, "conditioning_data_dir", "mask_dir"),
        (KOHYA, "caption_extention", "caption_extension"),
    ],
)
def test_the_same_table_answers_in_dataset_files(dialect: Dialect, key: str, meant: str) -> None:
    (problem,) = table_problems({key: 1}, subset_rules(SubsetKind.dreambooth, dialect), dialect)
    assert problem == f"{key}=1: unknown key (did you mean {meant}?)."


def test_every_target_is_an_option_of_ours_or_a_choice_of_a_group() -> None:
    for name, keys in OUR_KEYS.items():
        for key, equals, value in (one.partition("=") for one in keys):
            option = find_option(key, LoRAConfig)
            assert not isinstance(option, str), f"{name}: {key}"
            if is_section(option):
                assert key in GROUPS, name
                assert value == "NAME" or (CONF / key / f"{value}.yaml").is_file(), f"{name}: {key}={value}"
            else:
                assert not equals or type_problem(option, value) is None, f"{name}: {key}={value}"


def test_every_option_of_kohyas_scripts_has_one_answer() -> None:
    answered = [*OUR_KEYS, *ANSWERS, *NOT_HERE]
    assert len(answered) == len(set(answered))
    assert set(answered) - set(THEIRS) == OF_FILES
    assert set(THEIRS) - set(answered) <= LEAVES  # the others are suggested by their name
    assert not NOT_HERE & LEAVES
    assert set(REMARKS) <= set(OUR_KEYS)
    for name in answered:
        sentence = kohya_answer(name)
        assert sentence is not None and sentence.startswith(f"{name}: ") and sentence.endswith(".")
