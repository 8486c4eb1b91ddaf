"""`python -m demo.build`: train the demo's base model from nothing, stage by stage.

Arguments: stage=all threads=N folder=DIR weights=DIR. A finished stage is skipped, and a killed one goes
on from its checkpoint in `folder`: type the same line again.
"""

import sys
from pathlib import Path

from demo.build_plan import STAGES, Build
from demo.folder import WEIGHTS


def main(arguments: list[str]) -> int:
    """Run the stages that are not finished; 1 when the figures miss the gate, 2 for a wrong argument."""
    try:
        build = parse(arguments)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    from demo.build_stages import RUNNERS, limit_threads

    limit_threads(build.threads)
    for name in STAGES if build.stage == "all" else (build.stage,):
        if RUNNERS[name](build):
            return 1
    return 0


def parse(arguments: list[str]) -> Build:
    """Read key=value arguments; ValueError with a sentence for anything else."""
    values = {"folder": ".cache/demo-build", "weights": str(WEIGHTS), "stage": "all", "threads": "0"}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in values:
            raise ValueError(f"{argument}: unknown. Write {', '.join(f'{name}=...' for name in values)}")
        values[key] = value
    if values["stage"] not in ("all", *STAGES):
        raise ValueError(f"stage={values['stage']}: unknown. Choose one of all, {', '.join(STAGES)}")
    if not values["threads"].isdigit():
        raise ValueError(f"threads={values['threads']}: not a number. Write threads=3, or leave it out")
    return Build(Path(values["folder"]), Path(values["weights"]), values["stage"], int(values["threads"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
