"""What the tests of the built site share: its pages, parsed, and visits to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
#: Every page that a reader can open, as its path below the site.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.glob("**/*.html")
    if "_static" not in path.parts and path != SITE / "index.html"  # which only leads to the first
)
#: The pages somebody wrote: those that have a source.
WRITTEN = [page for page in PAGES if (ROOT / page).with_suffix(".md").exists()]

LOCAL = {"127.0.0.1", "localhost"}
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}
#: All but the listings of modules, which are alike: one view of those will do.
PROPER = [page for page in PAGES if not page.startswith("_modules/")]
LOOKS = [(page, view) for page in PAGES for view in VIEWS if view == "light" or page in PROPER]


@cache
def parsed(page: str) -> BeautifulSoup:
    """A page as it lies on the disk."""
    return BeautifulSoup((SITE / page).read_text("utf-8"), "html.parser")


@dataclass
class Visit:
    """Opens pages in a browser that reaches nothing but this machine, and keeps what went wrong.

    Attributes
    ----------
    troubles : list of str
        Console errors, failed requests and attempts to leave this machine, of all pages opened.
    """

    browser: Any
    server: str
    troubles: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def __call__(self, page: str, view: str = "light", *, from_disk: bool = False) -> Any:
        """Open `page` and wait until its formulas are typeset."""
        context = self.browser.new_context(**VIEWS[view], reduced_motion="reduce")
        self.contexts.append(context)
        context.route("**/*", self._only_here)
        tab = context.new_page()
        tab.on("console", lambda message: self._note(message.type in ("error", "warning"), message.text))
        tab.on("pageerror", lambda error: self._note(True, f"uncaught {error}"))
        tab.on("requestfailed", lambda request: self._note(True, f"failed {request.url} {request.failure}"))
        tab.on("response", lambda answer: self._note(answer.status >= 400, f"{answer.status} {answer.url}"))
        tab.goto((SITE.as_uri() if from_disk else self.server) + "/" + page)
        tab.wait_for_load_state("networkidle")
        tab.evaluate(
            "async () => { if (window.MathJax) await MathJax.startup.promise; await document.fonts.ready }"
        )
        return tab

    def close(self) -> None:
        for context in self.contexts:
            context.close()

    def _only_here(self, route: Any) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data", "blob") or address.hostname in LOCAL:
            route.continue_()
        else:
            self.troubles.append(f"tried to reach {route.request.url}")
            route.abort()

    def _note(self, bad: bool, text: str) -> None:
        if bad:
            self.troubles.append(text)
