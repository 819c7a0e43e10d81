"""What the tests of the built site share: its pages, and visits to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
#: Every page that a reader can open, as its path below the site; the longest first, for they take longest.
PAGES = [
    path.relative_to(SITE).as_posix()
    for path in sorted(SITE.glob("**/*.html"), key=lambda path: (-path.stat().st_size, path))
    if "_static" not in path.parts and path != SITE / "index.html"  # which only leads to the first
]
#: The pages somebody wrote: those that have a source.
WRITTEN = [page for page in PAGES if (ROOT / page).with_suffix(".md").exists()]
#: All but the listings of modules, which are alike: one view of those will do.
PROPER = [page for page in PAGES if not page.startswith("_modules/")]
LISTINGS = [page for page in PAGES if page not in PROPER]

VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
SETTLED = """async () => {
  if (window.MathJax) await MathJax.startup.promise;
  await document.fonts.ready }"""

# Two frames, so that the page has heard of its new view; then nothing moves any more
CHANGED = """async () => {
  for (const frame of [1, 2]) await new Promise(requestAnimationFrame);
  document.getAnimations().forEach(animation => animation.finish()) }"""


class Visit:
    """A page, opened in a browser and typeset.

    Parameters
    ----------
    browser : playwright's Browser
        It should reach nothing but this machine.
    place : str
        Address of the site: of its server, or of its folder.
    page : str
        The page's path below it.
    view : str
        One of `VIEWS`.

    Attributes
    ----------
    tab : playwright's Page
    troubles : list of str
        Console errors, failed requests and attempts to leave this machine.
    """

    def __init__(self, browser: Any, place: str, page: str, view: str) -> None:
        self.view = view
        self.troubles: list[str] = []
        self.context = browser.new_context(**VIEWS[view], has_touch=view == "phone", reduced_motion="reduce")
        self.tab = tab = self.context.new_page()
        self.context.on("request", self._stays_here)
        tab.on("console", lambda message: self._note(message.type in ("error", "warning"), message.text))
        tab.on("pageerror", lambda error: self._note(True, f"uncaught {error}"))
        tab.on("requestfailed", lambda request: self._note(True, f"failed {request.url} {request.failure}"))
        tab.on("response", lambda answer: self._note(answer.status >= 400, f"{answer.status} {answer.url}"))
        tab.goto(f"{place}/{page}")
        tab.wait_for_load_state("networkidle")
        tab.evaluate(SETTLED)
        self.devtools = self.context.new_cdp_session(tab)

    def change(self, view: str) -> None:
        """Look at the page in another view, without loading it again."""
        if view == self.view:
            return
        self.view = view
        options = VIEWS[view]
        self.devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": view == "phone"})
        self.tab.set_viewport_size(options["viewport"])
        self.tab.emulate_media(color_scheme=options["color_scheme"], reduced_motion="reduce")
        self.tab.evaluate(CHANGED)

    def close(self) -> None:
        self.context.close()

    def _stays_here(self, request: Any) -> None:
        address = urlsplit(request.url)
        self._note(
            address.scheme not in ("file", "data", "blob") and address.hostname != "127.0.0.1",
            f"tried to reach {request.url}",
        )

    def _note(self, bad: bool, text: str) -> None:
        if bad:
            self.troubles.append(text)
