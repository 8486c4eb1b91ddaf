"""Scores in words, for a terminal."""

from evaluation.records import Measurement, Score, Scores, Verdict

VERDICTS = {
    Verdict.better: "better than the base",
    Verdict.worse: "worse than the base",
    Verdict.within_noise: "within the noise",
    Verdict.unchanged: "unchanged",
    Verdict.one_prompt: "a single prompt: no interval",
}


def score_lines(scores: Scores) -> list[str]:
    """Two lines a metric: before -> after with n, then the paired change with its interval and verdict."""
    lines = [line for row in scores.rows for line in _lines(row)]
    lines += [f"  excluded: {picture.file} ({picture.reason})" for picture in scores.excluded]
    if scores.truncated_prompts:
        lines.append(f"  {scores.truncated_prompts} prompts were longer than the encoder reads and were cut")
    return lines


def _lines(row: Score) -> list[str]:
    if row.final is None:
        return [f"  {row.metric:<11} skipped: {row.skipped}"]
    before = "" if row.base is None else f"{_measured(row.base)} -> "
    real = "" if row.real is None or row.encoder is None else f", true pictures {row.real.value:.3f}"
    count = f"n={row.final.n}, {row.final.num_prompts} prompts"
    lines = [f"  {row.metric:<11} {before}{_measured(row.final)}{real}   {count}"]
    if row.difference is not None:
        spread = "" if row.difference.spread is None else f" ± {row.difference.spread:.3f}"
        change = f"{row.difference.value:+.3f}{spread}: {VERDICTS[row.difference.verdict]}"
        lines.append(f"  {'':<11} {change}")
    return lines


def _measured(measurement: Measurement) -> str:
    return f"{measurement.value:.3f}" + ("" if measurement.spread is None else f" ± {measurement.spread:.3f}")
