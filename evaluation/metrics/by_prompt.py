"""Pictures grouped by their prompt."""

from collections import defaultdict
from collections.abc import Sequence

from evaluation.material import ScoredPicture


def by_prompt(pictures: Sequence[ScoredPicture]) -> dict[int, list[ScoredPicture]]:
    """Prompt index -> its pictures, by rising index."""
    groups: defaultdict[int, list[ScoredPicture]] = defaultdict(list)
    for picture in pictures:
        groups[picture.prompt_index].append(picture)
    return dict(sorted(groups.items()))
