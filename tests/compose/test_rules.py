"""Every option has a decided range or is free, and every rule says what to do."""
# ruff: noqa: E501

from dataclasses import replace

import pytest
from toys import composed

from engine.compose.options import all_options
from engine.compose.ranges import RANGES
from engine.compose.rules import FREE, ON_DISK, broken_rules
from engine.config import LoRAConfig, RunConfig
from engine.models.facts import FAMILIES

BETWEEN = {  # options that a rule looks at together with others, or as words: a command line that breaks it
    "name": ["name=a/b"],
    "model.name": ["model.name=' '"],
    "model.prediction": [],  # every family so far predicts both; broken in a test of its own
    "model.token_length": ["model.token_length=100"],
    "model.default_layers": ["model.default_layers=[]"],
    "model.zero_terminal_snr": ["model.zero_terminal_snr=true"],
    "model.t5_attention_mask": ["model.t5_attention_mask=true"],
    "noise.timesteps": ["noise.timesteps=uniform"],
    "loss.flow_weighting": ["loss.flow_weighting=cosmap"],
    "network.layers": ["network.layers=[attention,attention]"],
    "network.include": ["network.include=[up_blocks,up_blocks]"],
    "network.exclude": ["network.exclude=['']"],
    "network.ranks": ["network.ranks=[up_blocks:0.5]"],
    "network.learning_rates": ["network.learning_rates=[up_blocks]"],
    "optimizer.class_path": ["optimizer.class_path=AdamW"],
    "dataset.concept": ["dataset.concept=moon"],
    "dataset.trigger": ["dataset.trigger=' '"],
    "dataset.class_word": ["dataset.path=x", "dataset.class_word=dog"],
    "dataset.class_tokens": ["dataset.class_tokens=dog"],
    "dataset.caption_extension": ["dataset.caption_extension=[txt]"],
    "dataset.caption_prefix": ["dataset.caption_prefix=''"],
    "dataset.caption_suffix": ["dataset.caption_suffix=''"],
    "dataset.caption_separator": ["dataset.caption_separator=';'"],
    "dataset.secondary_separator": ["dataset.secondary_separator=''"],
    "dataset.keep_tokens_separator": ["dataset.keep_tokens_separator='|||'"],
    "dataset.shuffle_caption": ["dataset.shuffle_caption=true"],
    "dataset.enable_wildcard": ["dataset.enable_wildcard=true"],
    "dataset.layout": ["dataset.layout=kohya"],
    "dataset.random_crop": ["dataset.random_crop=true"],
    "dataset.metadata_file": ["dataset.metadata_file=m.json"],
    "dataset.mask_dir": ["dataset.mask_dir=masks"],
    "dataset.alpha_mask": ["dataset.path=x", "dataset.mask_dir=masks", "dataset.alpha_mask=true"],
    "dataset.face_crop_aug_range": ["dataset.face_crop_aug_range=[1.0,2.0]"],
    "dataset.color_aug": ["dataset.color_aug=true"],
    "dataset.bucket_no_upscale": ["dataset.bucket_no_upscale=true", "dataset.enable_bucket=false"],
    "training.device": ["training.device=gpu"],
    "training.mixed_precision": ["training.mixed_precision=fp16", "training.device=cpu"],
    "sampling.prompt_set": ["sampling.prompt_set=lycoris"],
    "sampling.seeds": ["sampling.seeds=[1,1]"],
    "sampling.negative_prompt": ["sampling.negative_prompt=bad", "sampling.guidance_scale=1"],
    "tracking.wandb": ["tracking.wandb=disabled", "tracking.group=a"],
    "tracking.project": ["tracking.project=a/b"],
    "tracking.group": ["tracking.group=' '"],
    "tracking.tags": ["tracking.tags=['']"],
}

SENTENCES = [
    (["training.steps=5", "training.epochs=2"], "training.steps=5 with training.epochs=2: two lengths. Set one of them to null."),
    (["network.alpha=8", "network.alpha_ratio=1"], "network.alpha=8 with network.alpha_ratio=1: two ways to say one thing. Give one of them."),
    (["network.layers=[]"], "network.layers=[]: nothing to train. Name at least one group, such as attention."),
    (["lr_schedule.warmup=1.5"], "lr_schedule.warmup=1.5: from 1 on it counts steps. Give a whole number, or a share below 1."),
    (["lr_schedule.warmup=300"], "lr_schedule.warmup=300: the run has 300 steps, all of them warm-up. Give fewer steps, or a share below 1."),
    (["dataset.path=x", "dataset.concept=sks"], "dataset.concept=sks with dataset.path=x: two sources of pictures. Give one of them."),
    (["model=sd15", "dataset.concept=sks"], "dataset.concept=sks: only model=demo has any. Give dataset.path."),
    (["dataset.concept=moon"], "dataset.concept=moon: unknown. Use sks, night, bright."),
    (["dataset.min_bucket_reso=30"], "dataset.min_bucket_reso=30: not a multiple of dataset.bucket_reso_steps=8. Give 32, for example."),
    (["dataset.max_bucket_reso=56"], "dataset.resolution=64: outside of dataset.min_bucket_reso=32 and dataset.max_bucket_reso=56. Change one of them."),
    (["dataset.min_bucket_reso=136"], "dataset.min_bucket_reso=136: above dataset.max_bucket_reso=128. Lower it."),
    (["dataset.resolution=60"], "dataset.resolution=60: not a multiple of 8. Give 64, for example."),
    (["dataset.shuffle_caption=true"], "dataset.shuffle_caption=true: captions vary, and dataset.cache_text_embeddings=true keeps one embedding of each. Set dataset.cache_text_embeddings=false, or leave this out."),
    (["dataset.random_crop=true"], "dataset.random_crop=true: pictures vary, and dataset.cache_latents=true keeps one view of each. Set dataset.cache_latents=false, or leave this out."),
    (["dataset.reg_path=x"], "dataset.reg_path=x: regularisation pictures go with dataset=kohya_folder."),
    (["dataset=kohya_toml"], "dataset.config_file=null: dataset=kohya_toml needs a dataset file of kohya's scripts. Give it."),
    (["dataset.config_file=x.toml", "dataset.path=y"], "dataset.config_file=x.toml: a dataset file goes with dataset=subsets (YAML) or dataset=kohya_toml."),
    (["dataset=subsets"], "dataset.config_file=null: dataset=subsets needs a YAML file of datasets. Give it."),
    (["dataset=subsets", "dataset.config_file=x.yaml", "dataset.alpha_mask=true"], "dataset.alpha_mask=true: the dataset file says it of its subsets. Leave it out."),
    (["dataset=kohya_folder", "dataset.path=x", "dataset.mask_dir=m"], "dataset.mask_dir=m: it goes with one folder. Use dataset=folder, or a dataset file with a line for each folder."),
    (["dataset.path=x", "dataset.metadata_file=m.json", "dataset.class_tokens=dog"], "dataset.class_tokens=dog: dataset.metadata_file holds the captions. Leave one of them out."),
    (["dataset.mask_dir=m"], "dataset.mask_dir=m: the demo's pictures have none. Give dataset.path too."),
    (["dataset.path=x", "dataset.mask_dir=m", "dataset.alpha_mask=true"], "dataset.alpha_mask=true with dataset.mask_dir=m: two masks for one picture. Give one of them."),
    (["dataset.face_crop_aug_range=[3.0,1.0]", "dataset.cache_latents=false"], "dataset.face_crop_aug_range=[3,1]: the smallest and the largest side of the cut, in sizes of the face. Write dataset.face_crop_aug_range=[1.0,3.0]."),
    (["dataset.face_crop_aug_range=[1.0,3.0]"], "dataset.face_crop_aug_range=[1,3]: pictures vary, and dataset.cache_latents=true keeps one view of each. Set dataset.cache_latents=false, or leave this out."),
    (["dataset.resolution=64", "dataset.resolution_height=256"], "dataset.resolution=64x256: outside of dataset.min_bucket_reso=32 and dataset.max_bucket_reso=128. Change one of them."),
    (["dataset=kohya_toml", "dataset.config_file=x.toml", "dataset.path=y"], "dataset.path=y: the dataset file names its own folders. Leave it out."),
    (["dataset=kohya_folder"], "dataset.path=null: dataset=kohya_folder needs the parent of folders like 10_shs dog. Give it."),
    (["dataset=kohya_folder", "dataset.path=x", "dataset.num_repeats=2"], "dataset.num_repeats: kohya's folder names say it. Leave it out."),
    (["loss.prior_loss_weight=2"], "loss.prior_loss_weight=2: there are no regularisation pictures. Give dataset.reg_path, or leave it out."),
    (["dataset.keep_tokens=2"], "dataset.keep_tokens=2: without effect. It goes with dataset.shuffle_caption, caption_tag_dropout_rate or token_warmup_step."),
    (["dataset.token_warmup_min=3"], "dataset.token_warmup_min=3: without effect. It goes with dataset.token_warmup_step."),
    (["dataset.token_warmup_step=1.5", "dataset.cache_text_embeddings=false"], "dataset.token_warmup_step=1.5: from 1 on it counts steps. Give a whole number, or a share below 1."),
    (["dataset.caption_separator=';'"], "dataset.caption_separator=;: without effect. It goes with dataset.shuffle_caption, caption_tag_dropout_rate or token_warmup_step, or secondary_separator."),
    (["sampling.num_prompts=0"], "sampling.num_prompts=0: no pictures to score. Add evaluation.enabled=false."),
    (["sampling.prompt_set=lycoris"], "sampling.prompt_set=lycoris: the demo's model knows few words, and not these. Use luminance, or leave it out."),
    (["sampling.prompt_set=luminance", "dataset.path=x"], "sampling.prompt_set=luminance: on the demo's model it goes with the demo's own concepts. Leave it out, or give sampling.prompt_file."),
    (["sampling.prompt_set=luminance", "sampling.prompt_file=p.txt"], "sampling.prompt_set=luminance with sampling.prompt_file=p.txt: two lists of prompts. Give one of them."),
    (["model=sd15", "dataset.path=x", "sampling.prompt_set=dreambooth_object"], "sampling.prompt_set=dreambooth_object: its prompts are made of the trigger and the class word. Give dataset.trigger and dataset.class_word."),
    (["model=sd15", "dataset.path=x", "dataset.trigger=sks", "sampling.prompt_set=lycoris"], "sampling.prompt_set=lycoris: its prompts are made of the trigger and the class word. Give dataset.class_word."),
    (["sampling.first_prompt=-1"], "sampling.first_prompt=-1: out of range. Give at least 0."),
    (["sampling.seeds=[-1]"], "sampling.seeds=[-1]: seeds are 0 or more."),
    (["model.token_length=100"], "model.token_length=100: captions are read in rows of 75 tokens. Give 75, 150 or 225."),
    (["model.clip_skip=0"], "model.clip_skip=0: out of range. Give at least 1 and at most 12."),
    (["network.dropout=1"], "network.dropout=1: out of range. Give at least 0 and less than 1."),
]  # fmt: skip


def test_default_run_and_every_shipped_choice_break_no_rule() -> None:
    assert broken_rules(composed()) == []
    assert broken_rules(composed("model=sd15", "dataset.path=photos")) == []


def test_every_option_has_a_decision() -> None:
    listed = {option.path for option in all_options(LoRAConfig)}
    decided = {*RANGES, *FREE, *ON_DISK, *BETWEEN}
    assert listed - decided == set(), "give the option a range, a rule, or a place in FREE"
    assert decided - listed == set(), "no such option any more"


@pytest.mark.parametrize("path", RANGES)
def test_number_below_its_range_is_refused_by_name(path: str) -> None:
    low = RANGES[path].low
    value = low if RANGES[path].low_open else low - 1
    problems = broken_rules(_with(composed(), path, value))
    assert any(problem.startswith(f"{path}=") for problem in problems)


@pytest.mark.parametrize("path", [path for path, bounds in RANGES.items() if bounds.high != float("inf")])
def test_number_above_its_range_is_refused_by_name(path: str) -> None:
    high = RANGES[path].high
    value = high if RANGES[path].high_open else high + 1
    problems = broken_rules(_with(composed(), path, value))
    assert any(problem.startswith(f"{path}=") for problem in problems)


@pytest.mark.parametrize("path", [path for path, overrides in BETWEEN.items() if overrides])
def test_option_between_others_is_refused_by_its_rule(path: str) -> None:
    assert broken_rules(composed(*BETWEEN[path])) != []


@pytest.mark.parametrize(("overrides", "sentence"), SENTENCES, ids=[words[0] for words, _ in SENTENCES])
def test_rule_says_what_is_wrong_and_what_to_do(overrides: list[str], sentence: str) -> None:
    assert sentence in broken_rules(composed(*overrides))


def test_prediction_that_the_family_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run = composed("model.prediction=v")
    assert broken_rules(run) == []
    row = FAMILIES[run.model.family]
    monkeypatch.setitem(FAMILIES, run.model.family, replace(row, predictions=row.predictions[:1]))
    assert broken_rules(run) == ["model.prediction=v: Stable Diffusion 1 predicts epsilon."]


def test_numbers_that_are_not_finite_are_refused_wherever_they_are() -> None:
    run = composed()
    run = replace(run, optimizer=replace(run.optimizer, args={"betas": [0.9, float("nan")]}))
    assert broken_rules(run) == ["optimizer.args.betas=nan: not a finite number. Give an ordinary one."]


def test_step_larger_than_the_resolution_is_refused() -> None:
    problems = broken_rules(composed("dataset.resolution=64", "dataset.bucket_reso_steps=128"))
    assert any(problem.startswith("dataset.resolution=64: smaller than") for problem in problems)


def _with(run: RunConfig, path: str, value: float) -> RunConfig:
    section, _, name = path.rpartition(".")
    if not section:
        return replace(run, **{name: value})
    return replace(run, **{section: replace(getattr(run, section), **{name: value})})


def test_captions_of_a_dataset_file_are_left_to_its_own_check() -> None:
    file = ("dataset=kohya_toml", "dataset.config_file=x.toml")
    assert broken_rules(composed(*file, "dataset.keep_tokens=2", "dataset.shuffle_caption=true")) == []
    assert broken_rules(composed(*file, "dataset.caption_prefix=''")) != []
