"""Where a family gets its parts from: a diffusers folder, each part loaded whole and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import torch
from torch import nn

from engine.config import ConfigError, Family
from engine.models.facts import joined_members, layer_group
from engine.models.family import AdaptableLayer, ModelLayer
from engine.models.words import has_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PartT = TypeVar("PartT", bound=nn.Module)
SchedulerT = TypeVar("SchedulerT")
TokenizerT = TypeVar("TokenizerT", bound="PreTrainedTokenizerBase")


class PartsSource(Protocol):
    """A checkpoint in any layout, as its family asks for it; parts by their diffusers names."""

    def has(self, name: str) -> bool:
        """Whether the part is there."""
        ...

    def model(self, kind: type[PartT], name: str, *, dtype: torch.dtype) -> PartT:
        """A part with weights, frozen, in eval mode; on the processor, until it is needed elsewhere.

        raises  ConfigError where weights of it are missing, which would be left random
        """
        ...

    def tokenizer(self, kind: type[TokenizerT], name: str) -> TokenizerT:
        """A tokenizer.

        raises  ConfigError where its words are missing: transformers would make one that knows none
        """
        ...

    def scheduler(self, kind: type[SchedulerT]) -> SchedulerT:
        """The checkpoint's scheduler, read as a class."""
        ...


class PartsFolder:
    """A diffusers folder; implements PartsSource."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        """Whether the folder has a part of that name."""
        return (self.folder / name).is_dir()

    def model(self, kind: type[PartT], name: str, *, dtype: torch.dtype) -> PartT:
        """One model of the folder."""
        said = f"model.checkpoint={self.folder}: {name}"
        return load_folder(kind, self.folder / name, said=said, dtype=dtype)

    def tokenizer(self, kind: type[TokenizerT], name: str) -> TokenizerT:
        """A tokenizer of the folder."""
        if not has_words(self.folder / name):
            raise ConfigError(
                f"model.checkpoint={self.folder}: no vocab.json in {name}/. Get the checkpoint again."
            )
        return cast(TokenizerT, kind.from_pretrained(self.folder, subfolder=name))

    def scheduler(self, kind: type[SchedulerT]) -> SchedulerT:
        """The folder's scheduler."""
        found: SchedulerT = kind.from_pretrained(self.folder, subfolder="scheduler")  # type: ignore[attr-defined]
        return found


def load_folder(kind: type[PartT], folder: Path, *, said: str, dtype: torch.dtype) -> PartT:
    """The model of one folder, frozen: its plain weights, else those of the fp16 variant.

    said    how a message about it begins: the option and the part
    raises  ConfigError where weights of it are missing
    """
    files = [file.name for file in folder.glob("*.safetensors")]
    has_plain = not files or any(".fp16" not in file and "non_ema" not in file for file in files)
    part, report = kind.from_pretrained(  # type: ignore[attr-defined]
        folder,
        variant=None if has_plain else "fp16",
        use_safetensors=True,
        dtype=dtype,
        output_loading_info=True,
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ConfigError(
            f"{said} lacks {len(missing)} weights, the first: {missing[0]}. Get the checkpoint again."
        )
    return cast(PartT, frozen(part))


def frozen(part: nn.Module) -> nn.Module:
    """The same part; nothing of it learns or drops out."""
    return part.requires_grad_(False).eval()


def adaptable_layers(family: Family, component: str, root: nn.Module) -> list[AdaptableLayer]:
    """A part's layers that belong to a group, in its own order; joined ones once.

    component  its name; what is no text encoder is the denoiser
    """
    groups = {
        name: group
        for name, module in root.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and (group := layer_group(family, name, component)) is not None
    }
    return [
        AdaptableLayer(
            component=component, name=names[0], root=root, group=groups[names[0]], joined=names[1:]
        )
        for names in joined_members(family, groups)
    ]


def layers_of_parts(family: Family, parts: Mapping[str, nn.Module]) -> list[AdaptableLayer]:
    """The same of several parts by their names."""
    return [layer for name, root in parts.items() for layer in adaptable_layers(family, name, root)]


def every_layer(parts: dict[str, nn.Module]) -> list[ModelLayer]:
    """Every Linear and Conv2d of components by name."""
    return [
        ModelLayer(component=component, name=name, root=root)
        for component, root in parts.items()
        for name, module in root.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
