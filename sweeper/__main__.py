"""python -m sweeper ls | status | best | report | dashboard | stop | retry | export=KIND: studies."""

import os
import sys
from collections.abc import Sequence

from engine.config.errors import ConfigError
from sweeper.commands.arguments import USAGE, parse_arguments
from sweeper.commands.run import run_command

_INTERRUPTED = 130  # as a shell has it after Ctrl-C


def main(words: Sequence[str]) -> int:
    """Run the command.

    returns  0; 1 where the study has no such answer yet; 2 if it could not be done
    """
    if not words or set(words) & {"--help", "-h", "help"}:
        print(f"Usage: {USAGE}")
        return 0 if words else 2
    try:
        return run_command(parse_arguments(words))
    except ConfigError as error:
        print("This cannot be done:", file=sys.stderr)
        for problem in error.problems:
            print(f"  - {problem.replace('hydra.sweeper.', '')}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # as of "| head": the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
