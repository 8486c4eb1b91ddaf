"""python -m evaluation run=RUN_DIR: score the pictures of a run again and write its page anew."""

import sys
from collections.abc import Sequence

from engine.config.errors import ConfigError
from evaluation.arguments import USAGE, asked_for, parse_arguments, sources_of
from evaluation.check import check_sources
from evaluation.records import Scores
from evaluation.summary import score_lines


def main(words: Sequence[str]) -> int:
    """Run the command.

    returns  0; 1 if something that was asked for could not be computed; 2 if nothing could be started
    """
    if not words or set(words) & {"--help", "-h", "help"}:
        print(f"Usage: {USAGE}")
        return 0 if words else 2
    try:
        return _score(words)
    except ConfigError as error:
        print("This scoring cannot be done:", file=sys.stderr)
        for problem in error.problems:
            print(f"  - {problem}", file=sys.stderr)
        return 2


def _score(words: Sequence[str]) -> int:
    arguments = parse_arguments(words)
    sources, cache_dir = sources_of(arguments)
    if problems := check_sources(sources):
        raise ConfigError(problems)
    from evaluation.score import score_run
    from pages.run_page import read_run_folder, write_run_page

    scores = score_run(arguments.run, sources=sources, device=arguments.device, cache_dir=cache_dir)
    page = arguments.run / "index.html"
    write_run_page(read_run_folder(arguments.run), page)
    print("\n".join(score_lines(scores)))
    print(f"\n{arguments.run / 'scores.json'}\n{page}")
    return _complain(scores, asked_for(arguments, sources))


def _complain(scores: Scores, wanted: Sequence[str]) -> int:
    failed = [row for name in wanted if (row := scores.row(name)).skipped is not None]
    for row in failed:
        print(f"{row.metric} was asked for and could not be computed: {row.skipped}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
