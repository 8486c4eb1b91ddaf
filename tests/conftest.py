"""What holds for every test: no network, one thread, and no test that quietly does not run."""

import os
import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Before any library is imported: what is not on this disk is an error, never a download or an upload.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_ERROR_REPORTING"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("WANDB_API_KEY", None)

# A shell starts what is in its background deaf to Ctrl-C, and every process of a test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MAY_SKIP = ("gpu", "network")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Equal bits need equal threads, and workers of a parallel run must not fight for the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Chromium from the disk, driven by playwright, which can be started once in a process."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found is not None, "No Chromium on this machine: install it (Debian: apt-get install chromium)."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """A skip is an error where neither a GPU nor the internet is what is missing."""
    report: pytest.TestReport = yield
    if report.skipped and not any(item.get_closest_marker(name) for name in MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} was skipped: {report.longrepr}\nOnly tests marked {MAY_SKIP} may skip."
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> object:
    """A whole file that skips itself (importorskip, a skip at its top) is an error too."""
    report: pytest.CollectReport = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped as a whole: {report.longrepr}"
    return report
