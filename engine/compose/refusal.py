"""How a run that cannot start says so: sentences on stderr, exit code 2, no traceback."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.config import ConfigError

REFUSED = 2  # exit codes
INTERRUPTED = 130


@contextmanager
def refusing() -> Iterator[None]:
    """Turns a ConfigError into its sentences and the end of the program; Ctrl-C into its end."""
    try:
        yield
    except ConfigError as error:
        sys.stderr.write(refusal_text(error.problems))
        sys.exit(REFUSED)
    except KeyboardInterrupt:  # before the steps, which end in their own way
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


def refusal_text(problems: Sequence[str]) -> str:
    """All problems, one a line, each once."""
    return (
        "\n".join(["This run cannot start:", *(f"  - {problem}" for problem in dict.fromkeys(problems))])
        + "\n"
    )
