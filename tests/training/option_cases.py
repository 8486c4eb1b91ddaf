"""Every option of a run, and how it is shown to be applied: what it changes, or which test tells."""

from collections.abc import Sequence
from dataclasses import dataclass

LEARNT = frozenset({"weights", "losses", "validation"})
DRAWN = frozenset({"base", "final"})
SCORED = ("evaluation.enabled=true", "sampling.num_prompts=2")
PHOTOS = ("dataset.path={desk}/photos", "sampling.num_prompts=0", "training.steps=5")
TAGGED = ("dataset.path={desk}/bare", "dataset.class_tokens=a red star", "sampling.num_prompts=0")
VARYING = ("dataset.cache_text_embeddings=false", "sampling.num_prompts=0", "training.steps=4")
TEXT = (
    "network.layers=[attention,text_encoder]",
    "dataset.cache_text_embeddings=false",
    "sampling.num_prompts=0",
)
KOHYA = ("dataset.layout=kohya", "dataset.path={desk}/kohya", "sampling.num_prompts=0")
HUBER = ("loss.kind=huber", "sampling.num_prompts=0")
READ = (
    "dataset.caption_prefix='(big:1.5)'",
    "sampling.negative_prompt='a (red:1.5) star'",
)
_LEFT_OUT = "tests/models/test_sd3_dropout.py::test_each_rate_leaves_out_its_own_encoder"
_BATCH = "dataset.batch_size=${model.default_batch_size}"  # the toy runs set these; here the recipe does
_STEPS = "training.steps=null"


@dataclass(frozen=True)
class Changes:
    """Two small runs that differ by this option differ in these things and in no others."""

    to: str  # overrides, "{desk}" being a folder of test material; the option's own comes first
    things: frozenset[str]
    of: Sequence[str] = ("sampling.num_prompts=0",)  # overrides of both runs
    also: Sequence[str] = ()  # what has to go with the change


@dataclass(frozen=True)
class Shown:
    """A test that tells more than a difference: its name in this file's neighbour, or path::name."""

    by: str


def _learnt(to: str, *also: str, of: Sequence[str] = ("sampling.num_prompts=0",)) -> Changes:
    return Changes(to, LEARNT, of, also)


def _paced(to: str, *also: str, of: Sequence[str] = ("sampling.num_prompts=0",)) -> Changes:
    return Changes(to, LEARNT | {"rates"}, of, also)


def _varied(to: str, *of: str) -> Changes:
    """What captions that vary change: what is learnt, for the validation loss sees settled captions."""
    return Changes(to, LEARNT, (*VARYING, *of))


def _drawn(to: str, *also: str) -> Changes:
    return Changes(to, DRAWN, ("training.steps=1",), also)


def _scored(to: str) -> Changes:
    return Changes(to, frozenset({"scores"}), SCORED)


_VALIDATION = frozenset({"validation"})
_FILES = frozenset({"files"})
_WANDB = "tests/training/test_run_in_wandb.py::test_wandb_holds_what_names_the_run"

_PARTS = "tests/models/test_single_file.py::test_a_part_of_its_own_takes_the_place_of_the_checkpoints"

OPTIONS: dict[str, Changes | Shown] = {
    "name": Changes("name=mine", _FILES),
    "seed": _learnt("seed=5"),
    "output_dir": Shown("test_output_and_cache_lie_where_they_are_told_to"),
    "cache_dir": Shown("test_output_and_cache_lie_where_they_are_told_to"),
    "dry_run": Shown("test_a_dry_run_prints_the_plan_and_trains_nothing"),
    "inspect": Shown("tests/training/test_inspect.py::test_batches_are_shown_as_the_steps_are_fed_them"),
    "force": Shown("test_force_trains_a_finished_run_again"),
    "model.name": Changes("model.name=mine", _FILES, PHOTOS),
    "model.family": Shown("tests/models/test_loaders.py::test_the_familys_own_code_loads_the_checkpoint"),
    "model.checkpoint": _learnt("model.checkpoint={desk}/other_base"),
    "model.vae": Shown(_PARTS),
    "model.clip_l": Shown(_PARTS),
    "model.clip_g": Shown(_PARTS),
    "model.t5xxl": Shown(_PARTS),
    "model.qwen3": Shown(
        "tests/models/test_single_file_anima.py::test_a_file_of_the_original_layout_holds_the_same_weights"
    ),
    "model.tokenizers": Shown(
        "tests/models/test_single_file.py::test_tokenizers_are_taken_from_the_folder_that_is_given"
    ),
    "model.prediction": Changes(
        "model.prediction=v", LEARNT | DRAWN, (), ("model.checkpoint={desk}/v_base",)
    ),
    "model.token_length": Changes("model.token_length=150", LEARNT | DRAWN, READ),
    "model.weighted_captions": Changes("model.weighted_captions=true", LEARNT | DRAWN, READ),
    "model.clip_skip": Changes("model.clip_skip=2", LEARNT | DRAWN, READ),
    "model.zero_terminal_snr": Changes(
        "model.zero_terminal_snr=true",
        LEARNT | DRAWN,
        ("model.checkpoint={desk}/v_base", "model.prediction=v"),
    ),
    "model.guidance": Shown("tests/models/test_flux.py::test_guidance_changes_the_prediction"),
    "model.t5_token_length": Shown("tests/models/test_sd3.py::test_a_longer_t5_text_is_read_further"),
    "model.clip_l_dropout": Shown(
        "tests/models/test_sd3_dropout.py::test_each_rate_leaves_out_its_own_encoder"
    ),
    "model.clip_g_dropout": Shown(
        "tests/models/test_sd3_dropout.py::test_each_rate_leaves_out_its_own_encoder"
    ),
    "model.t5_dropout": Shown(_LEFT_OUT),
    "model.t5_attention_mask": Shown("tests/models/test_sd3.py::test_padding_of_t5_can_be_passed_over"),
    "model.default_timesteps": Shown(
        "tests/training/test_timestep_choice.py::test_the_models_own_habit_counts_where_nothing_is_asked"
    ),
    "model.default_timestep_shift": Shown(
        "tests/training/test_timestep_choice.py::test_the_models_own_habit_counts_where_nothing_is_asked"
    ),
    "model.default_precision": _learnt("model.default_precision=bf16"),
    "model.default_gradient_checkpointing": Shown(
        "tests/compose/test_conf.py::test_groups_take_what_the_model_recommends"
    ),
    "model.default_sampler": _drawn("model.default_sampler=euler"),
    "model.default_sampling_steps": Changes(
        "model.default_sampling_steps=7",
        DRAWN,
        ("training.steps=1", "sampling.steps=${model.default_sampling_steps}"),
    ),
    "model.resolution": Changes("model.resolution=32", LEARNT | DRAWN, ()),
    "model.bucket_step": _learnt("model.bucket_step=16", of=PHOTOS),
    "model.default_lr": _paced("model.default_lr=1e-3"),
    "model.default_steps": _paced("model.default_steps=4", _STEPS),
    "model.default_layers": _learnt("model.default_layers=[attention]"),
    "model.default_alpha_ratio": _learnt("model.default_alpha_ratio=0.25"),
    "model.default_batch_size": _learnt("model.default_batch_size=3", _BATCH),
    "model.default_guidance": _drawn("model.default_guidance=4"),
    "model.encoder": _scored("model.encoder={desk}/other_clip"),
    "model.image_encoder": _scored("model.image_encoder=pixels"),
    "network.layers": _learnt("network.layers=[attention,convolutions]"),
    "network.include": _learnt("network.include=[up_blocks]"),
    "network.exclude": _learnt("network.exclude=[mid_block]"),
    "network.ranks": _learnt("network.ranks=[up_blocks:3]"),
    "network.learning_rates": _learnt("network.learning_rates=[up_blocks:0.5]"),
    "network.rank": _learnt("network.rank=3"),
    "network.alpha": _learnt("network.alpha=0.5"),
    "network.alpha_ratio": _learnt("network.alpha_ratio=0.5"),
    "network.init_from": Shown("tests/training/test_start_file.py::test_a_run_goes_on_from_a_lora_file"),
    "network.dropout": _learnt("network.dropout=0.5"),
    "optimizer.class_path": _learnt("optimizer.class_path=torch.optim.SGD"),
    "optimizer.lr": _paced("optimizer.lr=1e-2"),
    "optimizer.text_lr": _learnt("optimizer.text_lr=1e-2", of=TEXT),
    "optimizer.args": _learnt("++optimizer.args.weight_decay=0.9"),
    "lr_schedule.kind": _paced("lr_schedule.kind=constant"),
    "lr_schedule.warmup": _paced("lr_schedule.warmup=2"),
    "dataset.path": _learnt("dataset.path={desk}/photos"),
    "dataset.concept": _learnt("dataset.concept=night"),
    "dataset.trigger": _scored("dataset.trigger=big"),
    "dataset.class_word": _scored("dataset.class_word=heart"),
    "dataset.class_tokens": _learnt("dataset.class_tokens=a blue circle", of=TAGGED),
    "dataset.caption_extension": _learnt("dataset.caption_extension=[.txt]", of=PHOTOS),
    "dataset.caption_prefix": _learnt("dataset.caption_prefix=big"),
    "dataset.caption_suffix": _learnt("dataset.caption_suffix=big"),
    "dataset.caption_separator": _varied("dataset.caption_separator=' in '", "dataset.shuffle_caption=true"),
    "dataset.secondary_separator": _learnt("dataset.secondary_separator=' in '"),
    "dataset.shuffle_caption": _varied("dataset.shuffle_caption=true"),
    "dataset.keep_tokens": _varied("dataset.keep_tokens=1", "dataset.caption_tag_dropout_rate=1"),
    "dataset.keep_tokens_separator": _varied(
        "dataset.keep_tokens_separator=' in '", "dataset.caption_tag_dropout_rate=1"
    ),
    "dataset.enable_wildcard": Shown("test_wildcards_and_lines_are_drawn_at_each_step"),
    "dataset.caption_dropout_rate": _varied("dataset.caption_dropout_rate=0.7"),
    "dataset.caption_dropout_every_n_epochs": _varied("dataset.caption_dropout_every_n_epochs=1"),
    "dataset.caption_tag_dropout_rate": _varied("dataset.caption_tag_dropout_rate=0.5"),
    "dataset.token_warmup_min": _varied("dataset.token_warmup_min=0", "dataset.token_warmup_step=3"),
    "dataset.token_warmup_step": _varied("dataset.token_warmup_step=3"),
    "dataset.cache_text_embeddings": Shown("test_captions_that_are_not_kept_are_encoded_at_each_step"),
    "dataset.flip_aug": Changes(
        "dataset.flip_aug=true", frozenset({"weights", "losses", "validation"}), PHOTOS
    ),
    "dataset.random_crop": _learnt(
        "dataset.random_crop=true", of=(*PHOTOS, "dataset.cache_latents=false", "dataset.enable_bucket=false")
    ),
    "dataset.color_aug": _learnt("dataset.color_aug=true", of=(*PHOTOS, "dataset.cache_latents=false")),
    "dataset.metadata_file": _learnt("dataset.metadata_file={desk}/metadata.json", of=PHOTOS),
    "dataset.mask_dir": _learnt("dataset.mask_dir={desk}/masks", of=PHOTOS),
    "dataset.alpha_mask": _learnt("dataset.alpha_mask=true", of=("dataset.path={desk}/clear", *PHOTOS[1:])),
    "dataset.face_crop_aug_range": _learnt(
        "dataset.face_crop_aug_range=[0.5,2.0]",
        of=("dataset.path={desk}/faces", *PHOTOS[1:], "dataset.cache_latents=false"),
    ),
    "dataset.resize_interpolation": _learnt("dataset.resize_interpolation=nearest", of=PHOTOS),
    "dataset.validation_split": _learnt("dataset.validation_split=0.4", of=PHOTOS),
    "dataset.validation_seed": _learnt(
        "dataset.validation_seed=1", of=(*PHOTOS, "dataset.validation_split=0.4")
    ),
    "dataset.cache_in": Shown("test_in_memory_a_run_learns_the_same_and_leaves_no_cache"),
    "dataset.cache_latents": Shown("test_pictures_that_are_not_kept_are_encoded_at_each_step"),
    "dataset.layout": Shown(
        "tests/data/test_kohya_folders.py::test_words_are_the_caption_of_pictures_without_one"
    ),
    "dataset.config_file": Shown(
        "tests/data/test_subset_scan.py::test_each_subset_is_treated_as_the_file_says"
    ),
    "dataset.reg_path": _learnt("dataset.reg_path={desk}/reg", of=KOHYA),
    "loss.prior_loss_weight": _learnt(
        "loss.prior_loss_weight=0.1", of=(*KOHYA, "dataset.reg_path={desk}/reg")
    ),
    "dataset.num_repeats": _paced("dataset.num_repeats=2", of=(*PHOTOS, _STEPS, "training.epochs=1")),
    "dataset.batch_size": _learnt("dataset.batch_size=3"),
    "dataset.resolution": Changes("dataset.resolution=32", LEARNT | DRAWN, ()),
    "dataset.resolution_height": Changes("dataset.resolution_height=32", LEARNT | DRAWN, ()),
    "dataset.enable_bucket": _learnt("dataset.enable_bucket=false", of=PHOTOS),
    "dataset.min_bucket_reso": _learnt("dataset.min_bucket_reso=64", of=PHOTOS),
    "dataset.max_bucket_reso": _learnt("dataset.max_bucket_reso=64", of=PHOTOS),
    "dataset.bucket_reso_steps": _learnt("dataset.bucket_reso_steps=16", of=PHOTOS),
    "dataset.bucket_no_upscale": _learnt("dataset.bucket_no_upscale=true", of=PHOTOS),
    "noise.offset": _learnt("noise.offset=0.1"),
    "noise.timesteps": Shown(
        "tests/training/test_timestep_choice.py::"
        "test_the_logit_normal_has_its_quartiles_at_the_sigmoid_of_the_normals"
    ),
    "noise.timestep_scale": Shown(
        "tests/training/test_timestep_choice.py::test_the_scale_stretches_the_logits"
    ),
    "noise.timestep_mean": Shown(
        "tests/training/test_timestep_choice.py::test_a_mean_moves_the_middle_towards_noise"
    ),
    "noise.mode_scale": Shown("tests/training/test_timestep_choice.py::test_the_mode_gathers_at_the_middle"),
    "loss.flow_weighting": Shown("tests/training/test_step.py::test_a_weight_by_sigma_goes_on_each_picture"),
    "noise.timestep_shift": Shown(
        "tests/training/test_timestep_choice.py::test_a_shift_of_three_makes_the_middle_three_quarters_noise"
    ),
    "loss.min_snr_gamma": _learnt("loss.min_snr_gamma=5"),
    "loss.kind": _learnt("loss.kind=huber"),
    "loss.huber_c": _learnt("loss.huber_c=0.5", of=HUBER),
    "loss.huber_schedule": _learnt("loss.huber_schedule=constant", of=HUBER),
    "loss.huber_scale": _learnt("loss.huber_scale=2", of=(*HUBER, "loss.huber_schedule=exponential")),
    "training.steps": _paced("training.steps=4"),
    "training.epochs": _paced("training.epochs=1", _STEPS),
    "training.gradient_accumulation": _learnt("training.gradient_accumulation=2"),
    "training.gradient_checkpointing": Shown(
        "test_gradient_checkpointing_learns_the_same_by_computing_again"
    ),
    "training.max_grad_norm": _learnt("training.max_grad_norm=1e-6"),
    "memory.unload_encoders": Shown(
        "tests/models/test_memory_levers.py::test_resting_parts_are_on_the_device_for_the_length_of_a_call_alone"
    ),
    "memory.blocks_to_swap": Shown(
        "tests/models/test_placing.py::test_swapped_blocks_give_the_same_gradients"
    ),
    "memory.quantize": Shown("tests/models/test_quantize.py::test_a_lora_learns_on_a_quantised_base"),
    "memory.vae_slicing": Shown("tests/models/test_memory_levers.py::test_the_vae_takes_pictures_one_by_one"),
    "memory.vae_tiling": Shown(
        "tests/models/test_memory_levers.py::test_the_vae_takes_large_pictures_in_tiles"
    ),
    "training.mixed_precision": _learnt("training.mixed_precision=bf16"),
    "training.device": Shown("test_the_model_and_its_lora_go_to_the_device"),
    "training.threads": Shown("test_the_run_has_as_many_threads_as_it_is_told"),
    "training.workers": Shown("tests/training/test_reader.py::test_workers_read_what_the_run_would_read"),
    "training.validate_every": Changes("training.validate_every=2", _VALIDATION),
    "training.validation_images": Changes("training.validation_images=2", _VALIDATION),
    "training.validation_timesteps": Changes("training.validation_timesteps=3", _VALIDATION),
    "training.save_every": Changes("training.save_every=2", _FILES),
    "training.save_every_epochs": Changes(
        "training.save_every_epochs=1", _FILES, (*PHOTOS[:2], "training.steps=8")
    ),
    "training.keep_saves": Changes(
        "training.keep_saves=1", _FILES, ("training.save_every=1", "sampling.num_prompts=0")
    ),
    "training.checkpoint_every": Shown("test_a_checkpoint_is_there_after_every_so_many_steps"),
    "sampling.prompt_file": _drawn("sampling.prompt_file={desk}/prompts.txt"),
    "sampling.prompt_set": _drawn("sampling.prompt_set=luminance"),
    "sampling.num_prompts": _drawn("sampling.num_prompts=2"),
    "sampling.first_prompt": _drawn("sampling.first_prompt=1"),
    "sampling.num_plain_prompts": _drawn("sampling.num_plain_prompts=1"),
    "sampling.seeds": _drawn("sampling.seeds=[2]"),
    "sampling.negative_prompt": _drawn("sampling.negative_prompt='a red star, blue background'"),
    "sampling.steps": _drawn("sampling.steps=3"),
    "sampling.guidance_scale": _drawn("sampling.guidance_scale=4"),
    "sampling.sampler": _drawn("sampling.sampler=euler"),
    "sampling.width": _drawn("sampling.width=32"),
    "sampling.height": _drawn("sampling.height=32"),
    "sampling.preview_every": Changes("sampling.preview_every=2", frozenset({"previews"}), ()),
    "sampling.preview_prompts": Changes(
        "sampling.preview_prompts=1",
        frozenset({"previews"}),
        ("sampling.preview_every=2", "sampling.num_prompts=2"),
    ),
    "sampling.batch_size": Shown("test_so_many_pictures_are_drawn_at_a_time_and_they_are_the_same"),
    "evaluation.enabled": Changes("evaluation.enabled=true", frozenset({"files", "scores"}), ()),
    "evaluation.encoder": _scored("evaluation.encoder={desk}/other_clip"),
    "evaluation.image_encoder": _scored("evaluation.image_encoder=pixels"),
    "evaluation.preference": _scored("evaluation.preference={desk}/other_clip"),
    "evaluation.aesthetic": Shown(
        "tests/evaluation/test_aesthetic_head.py::test_tools_rate_pictures_by_their_embeddings"
    ),
    "evaluation.objectives": _scored("evaluation.objectives=[memorisation]"),
    "evaluation.references": _scored("evaluation.references={desk}/manifest.json"),
    "tracking.wandb": Changes("tracking.wandb=offline", _FILES),
    "tracking.project": Shown(_WANDB),
    "tracking.group": Shown(_WANDB),
    "tracking.tags": Shown(_WANDB),
    "files.diffusers_names": Shown(
        "tests/training/test_diffusers_names.py::test_a_finished_run_gets_the_file_when_it_is_asked_for"
    ),
    "files.copy_to": Shown("tests/training/test_copies.py::test_the_weights_are_copied_and_only_once"),
    "tracking.tensorboard": Changes("tracking.tensorboard=true", _FILES),
}
