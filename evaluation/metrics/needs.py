"""Why a metric cannot be measured on what is there, in a sentence that says what to give."""

from evaluation.material import BASE, FINAL, REAL, Material
from evaluation.metrics.by_prompt import by_prompt
from evaluation.metrics.metric import Metric, Need
from evaluation.metrics.true_pictures import true_paths
from evaluation.tools import Role, Tools

NO_ENCODER = {
    Role.text_image: "no encoder is named that reads pictures and text: set encoder to a CLIP or SigLIP",
    Role.image: "no encoder is named: set encoder or image_encoder to a folder or hub id, or to pixels",
    Role.preference: "no preference model is named: set preference to a folder or hub id of PickScore",
}


def why_skipped(metric: Metric, material: Material, tools: Tools) -> str | None:
    """What the metric lacks, or None."""
    if metric.role is not None and not tools.has(metric.role):
        return NO_ENCODER[metric.role]
    for need in metric.needs:
        reason = _lack(need, material, tools)
        if reason is not None:
            return reason
    if metric.min_seeds > 1 and material.taught(FINAL):
        most = max(len(of_one) for of_one in by_prompt(material.taught(FINAL)).values())
        if most < metric.min_seeds:
            return f"needs {metric.min_seeds} pictures of a prompt, and there is {most} of each"
    if metric.min_pictures > 1:
        counts = {"pictures": len(material.taught(FINAL)), "true pictures": len(true_paths(material))}
        for words, count in counts.items():
            if count < metric.min_pictures:
                return f"needs at least {metric.min_pictures} {words}, and there are {count}"
    return None


def _lack(need: Need, material: Material, tools: Tools) -> str | None:
    reasons = {
        Need.prompts: (
            any(picture.prompt for picture in material.pictures.get(FINAL, [])),
            "no prompt of the pictures is known: give prompts",
        ),
        Need.references: (
            bool(material.pictures.get(REAL) or material.references),
            "no true pictures to compare with: give references",
        ),
        Need.base: (
            bool(material.pictures.get(BASE)),
            "no pictures of the base model: give the same prompts and seeds drawn without the adapter",
        ),
        Need.plain: (
            any(material.is_plain(picture.prompt) for picture in material.pictures.get(FINAL, [])),
            "no prompt is marked plain (nothing to do with what was taught)",
        ),
        Need.training: (bool(material.training), "the pictures that were trained on are not known"),
        Need.tones: (
            {"dark", "bright"} <= {material.tone(p.prompt) for p in material.pictures.get(FINAL, [])},
            "no prompts that ask for dark and for bright pictures (tone)",
        ),
        Need.losses: (
            material.losses is not None,
            "a run measures it while it trains, and there is none here",
        ),
        Need.aesthetic: (tools.has_aesthetic, "no head is named: set aesthetic to its file"),
    }
    is_there, reason = reasons[need]
    return None if is_there else reason
