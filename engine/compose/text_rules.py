"""What must hold where text encoders are trained, before the layers of a model are known."""

from engine.compose.show import show
from engine.config import RunConfig, trained_text
from engine.models.facts import FAMILIES
from engine.optimizers.table import adapts_lr


def text_rule(run: RunConfig) -> list[str]:
    """Text that changes is not kept; only encoders that the family has are trained."""
    text, problems = [group.name for group in trained_text(run.network)], []
    facts = FAMILIES[run.model.family]
    lacking = [name for name in text if name not in facts.text_layers]
    if lacking:
        known = ", ".join(facts.text_layers) or "none"
        problems.append(
            f"network.layers={show(run.network.layers)}: {' and '.join(lacking)} cannot be trained with "
            f"{facts.title}. Leave it out; of its text encoders these can be: {known}."
        )
    elif text and run.dataset.cache_text_embeddings:
        problems.append(
            f"dataset.cache_text_embeddings=true: text encoders are trained ({', '.join(text)}), and their "
            "embeddings change. Set dataset.cache_text_embeddings=false."
        )
    return problems


def text_lr_rule(run: RunConfig) -> list[str]:
    """A learning rate of text has text encoders that are trained, and an optimizer that takes two."""
    lr, path = run.optimizer.text_lr, run.optimizer.class_path
    if lr is None:
        return []
    if not trained_text(run.network):
        return [
            f"optimizer.text_lr={show(lr)}: no text encoder is trained. Leave it out, or add one to "
            "network.layers, such as text_encoder."
        ]
    if adapts_lr(path):
        return [
            f"optimizer.text_lr={show(lr)}: {path} finds one step size for all weights and takes one "
            "learning rate. Leave it out, or set optimizer=adamw."
        ]
    return []
