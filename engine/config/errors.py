"""The one error that is meant for the user."""

from collections.abc import Sequence


class ConfigError(Exception):
    """What stops a run before it starts: one line a problem, each saying what to do.

    problems  sentences of the form "path=value: what is wrong. What to do."
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: list[str] = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))
