"""python -m engine cache: small tools of the engine, each a word with key=value behind it."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.data.cache_folder import KINDS, describe_cache, prune_cache

USAGE = """python -m engine cache [cache_dir=.cache] [unused_days=DAYS]
  shows what the cache holds and how old it is; with unused_days=30 entries that no run has used
  for 30 days are removed (0 removes all)"""


def main(words: Sequence[str]) -> int:
    """Run one tool; 0, or 2 for a command that cannot be understood."""
    if not words or set(words) & {"--help", "-h", "help"}:
        print(f"Usage: {USAGE}")
        return 0 if words else 2
    problems, options = _read(words)
    if problems:
        print("\n".join([*problems, f"Usage: {USAGE}"]), file=sys.stderr)
        return 2
    folder = Path(options.get("cache_dir", ".cache"))
    if "unused_days" in options:
        count, size = prune_cache(folder, unused_days=float(options["unused_days"]))
        print(f"removed {count} entries, {_size(size)}")
    parts = describe_cache(folder)
    for part in parts:
        age = f"last used {part.newest_days:.1f} to {part.oldest_days:.1f} days ago"
        amount = f"{part.num_entries} entries, {_size(part.num_bytes)}"
        print(f"{part.name:<15}{amount:<28}{age}: {KINDS[part.name]}")
    if not parts:
        print(f"{folder}: no entries")
    return 0


def _read(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Problems, and key -> value of what stands behind the tool's name."""
    problems, options = [], {}
    if words[0] != "cache":
        problems.append(f"{words[0]}: no such tool. There is cache.")
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if key not in ("cache_dir", "unused_days") or not equals:
            problems.append(f"{word}: unknown. Write cache_dir=DIR or unused_days=DAYS.")
        elif key in options:
            problems.append(f"{key}: given twice. Give it once.")
        options[key] = value
    folder = options.get("cache_dir", ".cache")
    if not problems and not Path(folder).is_dir():
        problems.append(f"cache_dir={folder}: no such folder here. Give the one that the runs use.")
    if "unused_days" in options and not _is_days(options["unused_days"]):
        problems.append(f"unused_days={options['unused_days']}: give a number of days, 0 or more.")
    return problems, options


def _is_days(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and float(text) >= 0
    except ValueError:
        return False


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
