"""What is answered to a name of kohya's scripts that is typed in place of an option of ours."""

from engine.config.kohya_options import ANSWERS, NOT_HERE, OUR_KEYS, REMARKS


def kohya_keys(name: str) -> tuple[str, ...]:
    """Our keys for a name of kohya's, below whatever group it was typed; () where it has none."""
    return OUR_KEYS.get(name.rpartition(".")[2], ())


def kohya_answer(typed: str) -> str | None:
    """The sentence about an option of kohya's; None: it is none.

    typed  the name as it was typed, which may stand below a group of ours: training.max_train_steps
    """
    name = typed.rpartition(".")[2]
    if name in OUR_KEYS:
        return f"{typed}: kohya's name; here it is {' or '.join(OUR_KEYS[name])}.{remark(name)}"
    if name in ANSWERS:
        return f"{typed}: an option of kohya's; {ANSWERS[name]}"
    if typed in NOT_HERE:
        return f"{typed}: an option of kohya's that is not here. Leave it out."
    return None


def remark(name: str) -> str:
    """What is said beside the keys of a name, with a blank in front; '' for most."""
    return f" {REMARKS[name]}" if name in REMARKS else ""
