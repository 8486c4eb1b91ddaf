"""How well the model itself denoises a few fixed pictures, in all and by quarters of its schedule."""

from evaluation.material import BASE, FINAL, Material
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.reading.losses_file import HELD_OUT, NUM_QUARTERS, Losses
from evaluation.records import Direction, Scope
from evaluation.tools import Tools

_QUARTER_NAMES = ("least noise", "less noise", "more noise", "most noise")


def measure_val_loss(
    material: Material, set_name: str, tools: Tools, *, quarter: int | None = None
) -> Measured:
    """A value a validation picture: the mean of its losses over the timesteps, or over those of a quarter.

    Its prompt_index is the picture's place among the validation pictures, which have nothing to do with the
    prompts. One loss that is no finite number leaves the set without values: the mean of the others would
    flatter weights that are broken.
    """
    if material.losses is None:
        return Measured()
    rows, places = material.losses.of(set_name), material.losses.places(quarter)
    if rows is None or not places:
        return Measured()
    values: list[Value] = []
    for index, row in enumerate(rows):
        losses = [loss for place in places if (loss := row[place]) is not None]
        if len(losses) < len(places):
            return Measured()
        values.append(Value(prompt_index=-1 - index, seed=None, value=sum(losses) / len(losses)))
    return Measured(values=values)


def note_val_loss(material: Material, *, quarter: int | None = None) -> str | None:
    """On what it was measured, and why something is not there; None without losses."""
    losses = material.losses
    if losses is None:
        return None
    timesteps = [str(losses.timesteps[place]) for place in losses.places(quarter)]
    if not timesteps:
        return (
            "none of the timesteps that were looked at lies in this quarter; set "
            f"training.validation_timesteps={NUM_QUARTERS} or more and type the run's command again"
        )
    where = f"at timestep{'s' if len(timesteps) > 1 else ''} {', '.join(timesteps)}"
    if quarter is None:
        where = f"on {_pictures(losses)} {where}"
    return "; ".join([where, *(f"{name}: {why}" for name, why in losses.missing.items())])


def _pictures(losses: Losses) -> str:
    words = f"{len(losses.pictures)} picture{'s' if len(losses.pictures) != 1 else ''}"
    if losses.on == HELD_OUT:
        return f"{words} that were held out"
    return f"{words} that were trained on (falls with copying too; dataset.validation_split holds some out)"


def _row(quarter: int | None) -> Metric:
    def measure(material: Material, set_name: str, tools: Tools) -> Measured:
        return measure_val_loss(material, set_name, tools, quarter=quarter)

    def note(material: Material) -> str | None:
        return note_val_loss(material, quarter=quarter)

    where = "" if quarter is None else f", quarter {quarter} of {NUM_QUARTERS}: {_QUARTER_NAMES[quarter - 1]}"
    return Metric(
        name="val_loss" if quarter is None else f"val_loss_q{quarter}",
        title=f"Fixed validation loss{where}",
        direction=Direction.lower,
        scope=Scope.set,
        scale="mean squared error of the model's prediction; no option of training enters",
        needs=(Need.losses,),
        role=None,
        measure=measure,
        sets=(BASE, FINAL),
        note=note,
    )


VAL_LOSS = _row(None)
VAL_LOSSES = (VAL_LOSS, *(_row(quarter) for quarter in range(1, NUM_QUARTERS + 1)))
