"""A full disk is no fault of a trial's settings: the trial waits until there is room."""

import errno
import re

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What writers say that hide the number: safetensors, PyTorch.
_WORDS = re.compile(r"no space left on device|disk quota exceeded|file too large", re.IGNORECASE)


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that nothing more can be written."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _NUMBERS:
            return True
        if isinstance(error, Exception) and _WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
