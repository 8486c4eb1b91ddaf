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
    """A line a metric: before -> after, the change with its interval and verdict, n."""
    lines = [_line(row) for row in scores.rows]
    lines += [f"  excluded: {picture.file} ({picture.reason})" for picture in scores.excluded]
    if scores.truncated_prompts:
        lines.append(f"  {scores.truncated_prompts} prompts were longer than the encoder reads and were cut")
    return lines


def _line(row: Score) -> str:
    if row.final is None:
        return f"  {row.metric:<12} skipped: {row.skipped}"
    text = f"  {row.metric:<12} {_measured(row.final)}"
    if row.base is not None and row.difference is not None:
        text = f"  {row.metric:<12} {row.base.value:.3f} -> {_measured(row.final)}"
        spread = "" if row.difference.spread is None else f" ± {row.difference.spread:.3f}"
        text += f"   change {row.difference.value:+.3f}{spread} ({VERDICTS[row.difference.verdict]})"
    if row.real is not None and row.encoder is not None:
        text += f"   true pictures {row.real.value:.3f}"
    return f"{text}   n={row.final.n}, {row.final.num_prompts} prompts"


def _measured(measurement: Measurement) -> str:
    return f"{measurement.value:.3f}" + ("" if measurement.spread is None else f" ± {measurement.spread:.3f}")
