"""The report of a sweep: one file that says what to use, how sure that is, and why."""

from pathlib import Path

from pages.document import document, write_page
from pages.gallery_style import GALLERY_STYLE
from pages.parts import FOOTER
from pages.script import SCRIPT
from pages.sweep_data import SweepPage
from pages.sweep_front import front_part
from pages.sweep_history import history_part, importances_part
from pages.sweep_marks import complete
from pages.sweep_parallel import parallel_part
from pages.sweep_pruning import pruning_part
from pages.sweep_script import SWEEP_SCRIPT
from pages.sweep_sheet import sheet_part
from pages.sweep_slices import slices_part
from pages.sweep_style import SWEEP_STYLE
from pages.sweep_table import confirm_part, facts_part, table_part
from pages.sweep_winner import head_part, winner_part

_BAR = (
    '<div class="picked-bar" id="picked" role="status" hidden><span id="picked-words"></span>'
    '<span class="picked-ways"><a id="picked-link" hidden>its page</a> '
    '<button type="button" id="picked-row">row</button> '
    '<button type="button" id="picked-clear" aria-label="forget the trial">×</button></span></div>'
)


def write_sweep_page(page: SweepPage, path: Path) -> None:
    """Write the report as one HTML file; the same data give the same bytes."""
    write_page(sweep_html(page), path)


def sweep_html(page: SweepPage) -> str:
    """The report as text."""
    parts = [
        ("winner", "Settings to use", winner_part(page)),
        ("confirmation", "Confirmation", confirm_part(page)),
        ("importances", "What mattered", importances_part(page)),
        ("pictures", "Pictures", sheet_part(page.sheet)),
        ("history", "History", history_part(page)),
        ("parallel", "All settings", parallel_part(page)),
        ("slices", "Setting by setting", slices_part(page)),
        ("front", "What for what", front_part(page)),
        ("pruning", "Stopped early", pruning_part(page)),
        ("trials", "All trials", table_part(page)),
        ("facts", "How it was made", facts_part(page.facts)),
    ]
    if not complete(page.trials):
        parts = [parts[-2], *parts[:-2], parts[-1]]  # nothing to use: first what went wrong
    shown = [(name, words) for name, words, markup in parts if markup]
    body = [
        head_part(page, shown),
        "<main>",
        *(markup for _, _, markup in parts if markup),
        "</main>",
        _BAR,
        FOOTER,
    ]
    return document(
        title=f"{page.title}: sweep",
        body="\n".join(body),
        style=GALLERY_STYLE + SWEEP_STYLE,
        script=SCRIPT + SWEEP_SCRIPT,
    )
