"""Several scanned folders as one data set."""

from dataclasses import replace

from engine.data.repeats import regularisation_repeats
from engine.data.scan import Picture, Scan


def join(whole: Scan, part: Scan) -> None:
    """Add the pictures of one folder, and all that was found wrong with it."""
    whole.pictures += part.pictures
    whole.problems += part.problems
    whole.notes += [f"{part.folder.name}: {note}" for note in part.notes]
    if not part.folder.is_relative_to(whole.folder):
        whole.other_folders.append(part.folder)
    for ending, count in part.captions_by_ending.items():
        whole.captions_by_ending[ending] = whole.captions_by_ending.get(ending, 0) + count


def balance(scan: Scan, regularisation: list[Picture]) -> None:
    """Mark the last of the pictures as regularisation, each as often as the rule says."""
    learnt = scan.pictures[: len(scan.pictures) - len(regularisation)]
    repeats = regularisation_repeats(
        sum(picture.repeats for picture in learnt), [picture.repeats for picture in regularisation]
    )
    used = [
        replace(picture, repeats=count, is_reg=True)
        for picture, count in zip(regularisation, repeats, strict=True)
        if count
    ]
    if len(used) < len(regularisation):
        unused = len(regularisation) - len(used)
        scan.notes.append(f"{unused} regularisation pictures are not used: there are enough without them")
    scan.pictures = learnt + used
