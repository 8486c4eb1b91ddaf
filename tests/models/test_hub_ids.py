"""What may be a repository of the hub, and what is only a path that is not there."""

import pytest

from engine.models.locate import find_checkpoint, is_hub_id


@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "a/b", "some_one/Model.v1.5"])
def test_owner_and_repository_are_a_hub_id(name: str) -> None:
    assert is_hub_id(name)


@pytest.mark.parametrize(
    "name", ["./nowhere", "../nowhere", "a/b--c", "a/..b", "a/b/c", "nowhere", "a/" + "b" * 100, "a/b."]
)
def test_what_the_hub_would_not_take_is_looked_for_on_the_disk_alone(name: str) -> None:
    assert not is_hub_id(name)
    assert find_checkpoint(name) is None
