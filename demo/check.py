"""`python -m demo.check`: draw the gate's pictures again from the weights and print the figures.

Arguments: sheet=FILE (also draws 16 prompts on one picture) weights=DIR threads=N.
"""

import sys
from dataclasses import asdict
from pathlib import Path

from demo.folder import WEIGHTS

_SHEET_PROMPTS = (
    "a red star at the top left, dark blue striped background",
    "a big yellow circle in the middle, purple background",
    "a small pink heart at the bottom right, dark green background",
    "a blue square at the top right, light yellow dotted background",
    "a big white triangle at the bottom left, red background",
    "an orange ring in the middle, dark purple striped background",
    "a green cross at the top left, light pink background",
    "a big purple diamond at the top right, light gray dotted background",
    "a small brown star in the middle, light blue background",
    "a small blue ring at the top left, light red dotted background",
    "a big pink heart in the middle, blue striped background",
    "a small white cross at the top right, teal background",
    "a small red circle at the top left and a yellow square at the bottom right, dark gray background",
    "a blue star at the top right and a small pink heart at the bottom left, light green background",
    "a big purple creature in the middle, light yellow background",
    "a green creature at the bottom left, dark red striped background",
)


def main(arguments: list[str]) -> int:
    """Print every figure beside the gate's; 1 when one is below it, 2 for a wrong argument."""
    options = {"sheet": "", "weights": str(WEIGHTS), "threads": "0"}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in options:
            print(
                f"{argument}: unknown. Write {', '.join(f'{name}=...' for name in options)}", file=sys.stderr
            )
            return 2
        options[key] = value
    return _check(Path(options["weights"]), sheet=options["sheet"], threads=int(options["threads"]))


def _check(weights: Path, *, sheet: str, threads: int) -> int:
    import torch

    from demo.gate import GATE, measure, shortfalls
    from demo.sampling import draw_pictures, load_pipeline, save_sheet

    if threads:
        torch.set_num_threads(threads)
    pipeline = load_pipeline(weights)
    if sheet:
        pictures = draw_pictures(pipeline, _SHEET_PROMPTS, seeds=range(len(_SHEET_PROMPTS)))
        save_sheet(pictures, Path(sheet), columns=4)
    figures = measure(pipeline, weights)
    for name, value in asdict(figures).items():
        asked = f"   (gate {GATE[name]})" if name in GATE else ""
        print(f"{name:22} {value}{asked}")
    problems = shortfalls(figures)
    print("\n".join(problems) if problems else "The gate is passed.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
