"""How many examples a fuzz test tries: few in every run, twenty times as many in the slow one."""

import pytest
from hypothesis import settings

# Parametrises a test by the number of its examples, which it hands to examples().
TIMES = pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])


def examples(number: int) -> settings:
    """So many examples, the same ones in every run; a slow machine is no failure."""
    return settings(max_examples=number, derandomize=True, deadline=None, database=None)
