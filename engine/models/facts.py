"""What is known about each model family without loading anything: one row a family, no torch."""

import re
from dataclasses import dataclass

from engine.config import Family, LayerGroup, Prediction


@dataclass(kw_only=True, slots=True, frozen=True)
class FamilyFacts:
    """One row of FAMILIES."""

    title: str  # how messages name the family
    pipeline: str  # class name in a diffusers folder's model_index.json
    predictions: tuple[Prediction, ...]  # what its checkpoints may predict
    layer_groups: tuple[tuple[LayerGroup, str], ...]  # group -> pattern on a module's whole name
    kohya_version: str  # ss_base_model_version of its LoRA files


FAMILIES: dict[Family, FamilyFacts] = {
    Family.sd1: FamilyFacts(
        title="Stable Diffusion 1",
        pipeline="StableDiffusionPipeline",
        predictions=(Prediction.epsilon, Prediction.v),
        layer_groups=(
            (LayerGroup.attention, r".*\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"),
            (LayerGroup.feed_forward, r".*\.ff\.net\.(0\.proj|2)"),
            (LayerGroup.projections, r".*\.attentions\.\d+\.(proj_in|proj_out)"),
            (
                LayerGroup.convolutions,
                r".*\.(resnets\.\d+\.(conv1|conv2|conv_shortcut)|(down|up)samplers\.0\.conv)",
            ),
            (LayerGroup.time_embedding, r".*\.resnets\.\d+\.time_emb_proj"),
        ),
        kohya_version="sd_v1",
    ),
}


def layer_group(family: Family, module_name: str) -> LayerGroup | None:
    """The group of a denoiser's module, by its diffusers name; None: not adaptable."""
    for group, pattern in FAMILIES[family].layer_groups:
        if re.fullmatch(pattern, module_name):
            return group
    return None
