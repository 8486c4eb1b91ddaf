"""The optimizers of conf/optimizer/."""

from tests.compose.toys import CONF
from tests.contracts.optimizer import OptimizerContract


class TestAdamW(OptimizerContract):
    recipe = "adamw"


class TestProdigy(OptimizerContract):
    recipe = "prodigy"


def test_every_shipped_optimizer_is_held_to_the_contract() -> None:
    shipped = {path.stem for path in (CONF / "optimizer").glob("*.yaml")}
    assert {contract.recipe for contract in OptimizerContract.__subclasses__()} == shipped
