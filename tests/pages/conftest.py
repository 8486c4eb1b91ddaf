"""Pages opened in the browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pages.compare_page import write_compare_page
from pages.gallery import write_gallery
from pages.report_page import write_report_page
from tests.pages.gallery_toys import comparison, gallery, report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Opener = Callable[..., Page]


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_gallery(gallery(folder / "a"), folder / "gallery.html")
    write_gallery(gallery(folder / "b", side=700), folder / "large.html")
    write_compare_page(comparison(folder / "c"), folder / "compare.html")
    write_report_page(report(), folder / "report.html")
    return folder


@pytest.fixture
def opened(browser: "Browser", page_folder: Path) -> Iterator["Opener"]:
    """Opens a page; at the end of the test no page may have said an error or asked for a file."""
    said: list[str] = []
    asked: list[str] = []
    pages: list[Page] = []

    def open_page(name: str, *, width: int = 1200, dark: bool = False, scripts: bool = True) -> "Page":
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        address = (page_folder / f"{name}.html").as_uri()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        pages.append(page)
        return page

    yield open_page
    hacked = [page.evaluate("window.hacked") for page in pages]
    for page in pages:
        page.close()
    loaded = {url for url in asked if not url.startswith("data:")}
    assert said == [] and set(hacked) <= {None}
    assert loaded <= {path.as_uri() for path in page_folder.glob("*.html")}
