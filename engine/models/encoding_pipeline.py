"""diffusers' pipelines, given text embeddings where their caller gives prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from engine.models.family import PipelineOutput, TextEmbeddings

if TYPE_CHECKING:
    from diffusers import (
        StableDiffusion3Pipeline,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
    )


@dataclass(kw_only=True, slots=True, frozen=True)
class EncodingPipeline:
    """A pipeline that takes "hidden" embeddings and, where the family's text has them, "pooled" ones."""

    pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline | StableDiffusion3Pipeline
    encode: Callable[[Sequence[str]], TextEmbeddings]
    # Without a negative prompt guidance leads away from the text ""; else from what the pipeline takes
    encodes_nothing: bool = True

    def __call__(  # noqa: PLR0913  (diffusers' own)
        self,
        *,
        prompt: list[str],
        negative_prompt: list[str] | None,
        latents: Tensor,
        num_inference_steps: int,
        guidance_scale: float,
        width: int,
        height: int,
        output_type: str,
    ) -> PipelineOutput:
        """One picture a prompt."""
        text, negative = self.encode(prompt), TextEmbeddings()
        if guidance_scale > 1 and (self.encodes_nothing or negative_prompt is not None):
            negative = self.encode(negative_prompt or [""] * len(prompt))
        pooled = {
            "pooled_prompt_embeds": text.get("pooled"),
            "negative_pooled_prompt_embeds": negative.get("pooled"),
        }
        output: PipelineOutput = self.pipeline(
            prompt_embeds=text["hidden"],
            negative_prompt_embeds=negative.get("hidden"),
            latents=latents,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            output_type=output_type,
            **(pooled if "pooled" in text else {}),
        )
        return output
