"""What must hold between the options on files of weights: no disk, no torch."""

from engine.config import RunConfig


def saves_rule(run: RunConfig) -> list[str]:
    """Weights on the way come in one rhythm, and there are some where some are to be kept."""
    training, problems = run.training, []
    if training.save_every > 0 and training.save_every_epochs > 0:
        problems.append(
            f"training.save_every={training.save_every} with "
            f"training.save_every_epochs={training.save_every_epochs}: two rhythms. Set one of them to 0."
        )
    if training.keep_saves is not None and training.save_every == training.save_every_epochs == 0:
        problems.append(
            f"training.keep_saves={training.keep_saves}: no weights are saved on the way. Give "
            "training.save_every or training.save_every_epochs, too."
        )
    return problems
