"""Parts from files of the original layouts, converted by diffusers; each is read alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from safetensors import safe_open
from torch import Tensor, nn

from engine.config import ConfigError, ModelConfig, Prediction
from engine.models.original_names import diffusers_names
from engine.models.parts import frozen, load_folder
from engine.models.places import Place, Places, given

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

PartT = TypeVar("PartT", bound=nn.Module)
SchedulerT = TypeVar("SchedulerT")
TokenizerT = TypeVar("TokenizerT", bound="PreTrainedTokenizerBase")
Weights = dict[str, Tensor]
Settings = Mapping[str, object]
_LONGEST_CAUSE = 200  # characters
_EIGHT_BITS = (torch.float8_e4m3fn, torch.float8_e5m2)
_FLUX_LINEAR = 7 * 3072  # outputs of the first layer of FLUX.1's single blocks, as published
_PREDICTIONS = {Prediction.epsilon: "epsilon", Prediction.v: "v_prediction"}  # as schedulers write them


class SingleFile:
    """A checkpoint whose parts lie in files, or in several places; implements PartsSource."""

    def __init__(self, model: ModelConfig, places: Places) -> None:
        self._model = model
        self._places = places

    def has(self, name: str) -> bool:
        """Whether the part is there."""
        return name in self._places.parts or name in self._places.words

    def model(self, kind: type[PartT], name: str, *, dtype: torch.dtype) -> PartT:
        """One model, from its folder or from the tensors of a file."""
        place = self._places.parts[name]
        said = f"model.{place.option}={given(self._model, place.option)}"
        if place.found is None:
            return load_folder(kind, place.path, said=f"{said}: {name}", dtype=dtype)
        try:
            part, missing = _from_file(kind, place, dtype=dtype)
        except (LookupError, RuntimeError) as error:  # of diffusers' conversions and torch's loading
            cause = " ".join(str(error).split())[:_LONGEST_CAUSE]  # torch names every layer
            raise ConfigError(
                f"{said}: its {name} is not of the published shape ({cause}). Give it as a diffusers folder."
            ) from error
        if missing:
            raise ConfigError(
                f"{said}: {name} lacks {len(missing)} weights, the first: {missing[0]}. "
                "Get the checkpoint again."
            )
        return cast(PartT, frozen(part))

    def tokenizer(self, kind: type[TokenizerT], name: str) -> TokenizerT:
        """A tokenizer, of the words that were found for it."""
        words = self._places.words[name]
        changes = {
            option: value
            for option, value in (
                ("pad_token", words.pad_token),
                ("model_max_length", words.model_max_length),
            )
            if value is not None
        }
        return cast(TokenizerT, kind.from_pretrained(words.folder, **changes))

    def scheduler(self, kind: type[SchedulerT]) -> SchedulerT:
        """The scheduler; a single file holds none, and its layout's is told what the recipe predicts."""
        config: Settings = kind.load_config(self._places.scheduler)  # type: ignore[attr-defined]
        if self._places.is_file and self._model.prediction in _PREDICTIONS:
            config = {**config, "prediction_type": _PREDICTIONS[self._model.prediction]}
        found: SchedulerT = kind.from_config(config)  # type: ignore[attr-defined]
        return found


def _from_file(kind: type[PartT], place: Place, *, dtype: torch.dtype) -> tuple[nn.Module, list[str]]:
    """A part from its tensors in a file, and the names of those that it lacks."""
    assert place.found is not None, "a folder is loaded as one"
    settings = json.loads((place.config / "config.json").read_text(encoding="utf-8"))
    weights = _CONVERSIONS[place.found.form](_read(place.path, place.found.prefix), settings)
    if "model_type" in settings:
        return _text_encoder(kind, weights, settings, dtype=dtype)
    return _diffusers_part(kind, weights, settings, dtype=dtype)


def _read(file: Path, prefix: str) -> Weights:
    """The tensors of one part, by their names behind its prefix; others are not read."""
    with safe_open(file, framework="pt") as stream:
        names = [name for name in stream.keys() if name.startswith(prefix)]  # noqa: SIM118  (no mapping)
        return {name.removeprefix(prefix): _as_numbers(stream.get_tensor(name)) for name in names}


def _as_numbers(weight: Tensor) -> Tensor:
    """8-bit floats as 16-bit ones, which hold them exactly: torch computes little with the former."""
    return weight.to(torch.bfloat16) if weight.dtype in _EIGHT_BITS else weight


def _diffusers_part(
    kind: type[PartT], weights: Weights, settings: Settings, *, dtype: torch.dtype
) -> tuple[nn.Module, list[str]]:
    """A part of a diffusers class, made without weights and then given these."""
    from accelerate import init_empty_weights

    with init_empty_weights():
        part: nn.Module = kind.from_config(dict(settings))  # type: ignore[attr-defined]
    kept = (getattr(kind, "_keep_in_fp32_modules", None) or []) if dtype is torch.float16 else []
    cast_weights = {
        name: weight.to(torch.float32 if set(kept) & set(name.split(".")) else dtype)
        for name, weight in weights.items()
    }
    missing = part.load_state_dict(cast_weights, strict=False, assign=True).missing_keys
    return part, sorted(missing)


def _text_encoder(
    kind: type[PartT], weights: Weights, settings: Settings, *, dtype: torch.dtype
) -> tuple[nn.Module, list[str]]:
    """A part of a transformers class, which knows what it was called in earlier versions."""
    config: PretrainedConfig = kind.config_class.from_dict(dict(settings))  # type: ignore[attr-defined]
    part, report = kind.from_pretrained(  # type: ignore[attr-defined]
        None, config=config, state_dict=weights, dtype=dtype, output_loading_info=True
    )
    return part, sorted(report["missing_keys"])


def _unet(weights: Weights, settings: Settings) -> Weights:
    from diffusers.loaders.single_file_utils import LDM_UNET_KEY, convert_ldm_unet_checkpoint

    named = {f"{LDM_UNET_KEY}{name}": weight for name, weight in weights.items()}
    return cast(Weights, convert_ldm_unet_checkpoint(named, settings))


def _kl_vae(weights: Weights, settings: Settings) -> Weights:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    return cast(Weights, convert_ldm_vae_checkpoint(weights, settings))


def _wan_vae(weights: Weights, settings: Settings) -> Weights:
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    return cast(Weights, convert_wan_vae_to_diffusers(weights))


def _mmdit(weights: Weights, settings: Settings) -> Weights:
    from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers

    return cast(Weights, convert_sd3_transformer_checkpoint_to_diffusers(weights))


def _flux(weights: Weights, settings: Settings) -> Weights:
    """diffusers divides the single blocks' first layer at the published width; here it is done at any."""
    from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers

    wide = {name: weight for name, weight in weights.items() if ".linear1." in name}
    empty = {
        name: torch.empty(_FLUX_LINEAR, *weight.shape[1:], device="meta") for name, weight in wide.items()
    }
    named = cast(Weights, convert_flux_transformer_checkpoint_to_diffusers({**weights, **empty}))
    for name, weight in wide.items():
        module, _, ending = name.rpartition(".")
        width = wide[f"{module}.weight"].shape[1]
        names = diffusers_names("flux", module, layers_per_block=0)
        for one, share in zip(names, weight.split([width] * 3 + [len(weight) - 3 * width]), strict=True):
            named[f"{one}.{ending}"] = share.clone()
    return named


def _cosmos(weights: Weights, settings: Settings) -> Weights:
    from diffusers.loaders.single_file_utils import convert_cosmos_transformer_checkpoint_to_diffusers

    own = {name: weight for name, weight in weights.items() if not name.startswith("llm_adapter.")}
    return cast(Weights, convert_cosmos_transformer_checkpoint_to_diffusers(own))


def _clip_l(weights: Weights, settings: Settings) -> Weights:
    """CLIP-L; where its file has no projection, pooled text is not projected, as in SD3's own code."""
    named = _clip(weights, settings)
    if settings["architectures"] == ["CLIPTextModelWithProjection"]:
        named.setdefault("text_projection.weight", torch.eye(cast(int, settings["hidden_size"])))
    return named


def _clip(weights: Weights, settings: Settings) -> Weights:
    """CLIP as transformers writes it, with or without text_model."""
    inner = "" if settings["architectures"] == ["CLIPTextModel"] else "text_model."
    named = {
        name if name == "text_projection.weight" else inner + name.removeprefix("text_model."): weight
        for name, weight in weights.items()
        if not name.startswith(("logit_scale", "vision_model."))
    }
    return {name: weight for name, weight in named.items() if not name.endswith("position_ids")}


def _open_clip(weights: Weights, settings: Settings) -> Weights:
    """CLIP as open_clip writes it: queries, keys and values in one, and layers that are never read."""
    from types import SimpleNamespace

    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    width, layers = cast(int, settings["hidden_size"]), cast(int, settings["num_hidden_layers"])
    model = SimpleNamespace(config=SimpleNamespace(hidden_size=width))
    projection = weights.get("text_projection")
    named = convert_open_clip_checkpoint(
        model, {name: weight for name, weight in weights.items() if name != "text_projection"}, prefix=""
    )
    kept = {
        name: weight
        for name, weight in named.items()
        if not (found := _layer_number(name)) or found <= layers
    }
    if projection is not None:
        kept["text_projection.weight"] = projection.T.contiguous()
    return _clip(kept, settings)


def _layer_number(name: str) -> int:
    """Counted from 1; 0 for what is outside of the layers."""
    head, inside, rest = name.partition("encoder.layers.")
    return int(rest.split(".")[0]) + 1 if inside and head in ("", "text_model.") else 0


def _as_it_is(weights: Weights, settings: Settings) -> Weights:
    return weights


_CONVERSIONS: dict[str, Callable[[Weights, Settings], Weights]] = {
    "unet": _unet,
    "mmdit": _mmdit,
    "flux": _flux,
    "cosmos": _cosmos,
    "conditioner": _as_it_is,
    "kl_vae": _kl_vae,
    "wan_vae": _wan_vae,
    "diffusers_vae": _as_it_is,
    "clip_l": _clip_l,
    "clip_g": _clip,
    "open_clip": _open_clip,
    "t5": _as_it_is,
    "qwen3": _as_it_is,
}
