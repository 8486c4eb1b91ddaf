"""python -m evaluation images=DIR | run=DIR | lora=FILE | compare=[A,B] | report: how good is it."""

import sys
from collections.abc import Sequence

from engine.config.errors import ConfigError
from evaluation.arguments import USAGE, parse_arguments
from evaluation.commands import run_command


def main(words: Sequence[str]) -> int:
    """Run the command.

    returns  0; 1 if an objective could not be computed; 2 if nothing could be started
    """
    if not words or set(words) & {"--help", "-h", "help"}:
        print(f"Usage: {USAGE}")
        return 0 if words else 2
    try:
        return run_command(parse_arguments(words))
    except ConfigError as error:
        print("This scoring cannot be done:", file=sys.stderr)
        for problem in error.problems:
            print(f"  - {_in_words_of_this_command(problem)}", file=sys.stderr)
        return 2


def _in_words_of_this_command(problem: str) -> str:
    """evaluation.encoder, as a run calls it, is encoder here."""
    return problem.replace("evaluation.references", "refs").replace("evaluation.", "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
