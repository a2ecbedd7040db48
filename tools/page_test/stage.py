"""The browser, a page in it, and what must not happen on any page."""

from __future__ import annotations

import argparse
import faulthandler
import re
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

told: argparse.Namespace
"""The command line."""

PATIENCE_MS = 60_000
"""A machine that is busy with other tests may take long to encode."""

LONGEST_S = 300
"""No test may take longer: the program ends there, and the last line names the test."""

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (e) =>
    window.violations.push(`${e.violatedDirective}: ${e.blockedURI}`));
"""


class OnPage(unittest.TestCase):
    """A test with a page that is open. Any error on its console fails the test."""

    playwright: Playwright
    browser: Browser
    context: dict = {}
    """What else the page is opened with."""
    url_option = "url"

    @classmethod
    def setUpClass(cls) -> None:
        cls.playwright = sync_playwright().start()
        cls.addClassCleanup(cls.playwright.stop)
        cls.browser = cls.playwright.chromium.launch(
            executable_path=told.chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        cls.addClassCleanup(cls.browser.close)
        expect.set_options(timeout=PATIENCE_MS)

    def setUp(self) -> None:
        faulthandler.dump_traceback_later(LONGEST_S, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        self.url = getattr(told, self.url_option)
        self.expected: list[str] = []
        """Patterns of what the console or a refused request may say in this test."""
        self.open(**self.context)

    def open(
        self, routes: dict[re.Pattern, Callable[[Route], object]] | None = None, **options: object
    ) -> Page:
        """A page of its own, which is `self.page` from here on.

        `routes` are set before its first request; one that is set later may come too late.
        """
        context = self.browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options}
        )
        self.addCleanup(context.close)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH)
        page = context.new_page()
        for address, handler in (routes or {}).items():
            page.route(address, handler)
        self.page = page
        self.errors: list[str] = []
        page.on("console", lambda m: m.type in ("error", "warning") and self.log(m.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.check_address(request.url))
        page.on("response", lambda response: self.check_status(response.status, response.url))
        page.goto(self.url)
        return page

    def check_address(self, address: str) -> None:
        if not address.startswith((self.url, "blob:", "data:")):
            self.errors.append(f"asked elsewhere: {address}")

    def log(self, text: str) -> None:
        # The same is told by the response, and there with its address.
        if not text.startswith("Failed to load resource: the server responded"):
            self.errors.append(text)

    def check_status(self, status: int, address: str) -> None:
        # The one pair whose picture is gone may be behind any answer.
        lost = status == 404 and re.search(r"/anchors/\d+/image\?", address)
        if status >= 400 and not lost:
            self.errors.append(f"{status} {address}")

    def tearDown(self) -> None:
        violations = self.page.evaluate("window.violations")
        unexpected = [
            error for error in self.errors if not any(re.search(e, error) for e in self.expected)
        ]
        self.assertEqual([], violations)
        self.assertEqual([], unexpected)

    # What several tests do.

    def ready(self) -> None:
        """Waits until the page knows its sets."""
        expect(self.page.locator("#pulse")).to_have_attribute("data-state", "ok")

    def upload(self, *names: str) -> None:
        """Chooses photos of the demo."""
        self.page.set_input_files("#file", [self.photo(name) for name in names])

    def photo(self, name: str) -> Path:
        return next(told.photos.glob(f"{name}.*"))

    def ask(self, photo: str, labels: str) -> None:
        """An image with labels, answered and explained."""
        self.page.fill("#labels", labels)
        self.upload(photo)
        self.answered(labels.count(",") + 1)
        self.explained()

    def answered(self, n: int) -> None:
        try:
            expect(self.page.locator(".bars .bar")).to_have_count(n)
        except AssertionError as error:
            said = self.page.locator("#answer-body").inner_text()
            raise AssertionError(f"{error}\nthe page says {said!r}") from None
        expect(self.page.locator("#answer-body[aria-busy]")).to_have_count(0)

    def explained(self) -> None:
        """The sheet is there, and every picture on it is loaded or known to be gone."""
        expect(self.page.locator("#why-body[aria-busy]")).to_have_count(0)
        expect(self.page.locator("#why .card").first).to_be_visible()
        self.until(
            "[...document.querySelectorAll('#why .picture')].every((box) =>"
            " box.classList.contains('gone') || box.querySelector('img')?.naturalWidth > 0)"
        )

    def until(self, holds: str) -> None:
        """Waits until the expression is true. Playwright's own way needs `eval`, which the page forbids."""
        self.wait(lambda: self.page.evaluate(holds), f"it never came true: {holds}")

    def wait(self, holds: Callable[[], object], otherwise: str) -> None:
        """Waits until it holds; the page goes on meanwhile."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while not holds():
            if time.monotonic() > end:
                self.fail(otherwise)
            self.page.wait_for_timeout(50)

    def scores(self) -> dict[str, float]:
        """The labels with their scores in percent, best first."""
        rows = self.page.locator(".bars .bar").evaluate_all(
            "(bars) => bars.map((bar) => [bar.querySelector('.label').textContent,"
            " bar.querySelector('.score').lastChild.textContent])"
        )
        return {label: float(score.removesuffix(" %")) for label, score in rows}

    def shoot(self, name: str, full: bool = False) -> None:
        """Keeps a screenshot."""
        self.page.screenshot(path=told.out / f"{name}.png", full_page=full)


def number(text: str) -> float:
    """A figure as the page writes it."""
    return float(text.replace("−", "-").replace("+", "").replace(",", ""))
