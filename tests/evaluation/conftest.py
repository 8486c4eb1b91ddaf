"""The tiny CLIP that the tests of this room share."""

from pathlib import Path

import pytest
from score_toys import save_tiny_clip


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no test may change."""
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))
