"""What must hold between the options that make buckets, in a run and in each dataset of a file."""

from engine.config import DatasetConfig, dataset_size


def bucket_side(factor: float, resolution: int, step: int) -> int:
    """`factor` x `resolution` in pixels, rounded to the nearest multiple of `step`, at least one step."""
    return max(1, round(factor * resolution / step)) * step if step > 0 else resolution


def bucket_problems(dataset: DatasetConfig, prefix: str) -> list[str]:
    """What is wrong, as key=value: sides are multiples of the step, around the resolution.

    prefix  what stands before the name of an option: "dataset."
    """
    step, sides = dataset.bucket_reso_steps, dataset_size(dataset)
    low, high = dataset.min_bucket_reso, dataset.max_bucket_reso
    if not dataset.enable_bucket:
        if not dataset.bucket_no_upscale:
            return []
        return [
            f"{prefix}bucket_no_upscale=true: there are no buckets with {prefix}enable_bucket=false. "
            "Leave one of them out."
        ]
    shown = _shown(dataset)
    problems = []
    if sides[0] * sides[1] < step * step and min(sides) > 0:
        problems.append(
            f"{prefix}resolution={shown}: smaller than {prefix}bucket_reso_steps={step}. "
            "Raise it, or lower the step."
        )
    if dataset.bucket_no_upscale or step < 1:
        return problems
    steps = f"{prefix}bucket_reso_steps={step}"
    problems += off_grid(f"{prefix}min_bucket_reso", (low,), step, steps)
    problems += off_grid(f"{prefix}max_bucket_reso", (high,), step, steps)
    if low > high:
        problems.append(f"{prefix}min_bucket_reso={low}: above {prefix}max_bucket_reso={high}. Lower it.")
    elif not low <= min(sides) <= max(sides) <= high:
        problems.append(
            f"{prefix}resolution={shown}: outside of {prefix}min_bucket_reso={low} and "
            f"{prefix}max_bucket_reso={high}. Change one of them."
        )
    return problems


def off_grid(option: str, sides: tuple[int, ...], step: int, of: str) -> list[str]:
    """A sentence on the first side that is no multiple; those below 1 are told of by their range."""
    wrong = [side for side in sides if step > 0 and side > 0 and side % step]
    return [
        f"{option}={side}: not a multiple of {of}. Give {max(1, round(side / step)) * step}, for example."
        for side in wrong[:1]
    ]


def _shown(dataset: DatasetConfig) -> str:
    width, height = dataset_size(dataset)
    return str(width) if width == height else f"{width}x{height}"
