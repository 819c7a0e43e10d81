"""A browser without a network, and the built site it looks at."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.book.site import SITE, Visit


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the site and says nothing."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of the built site on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=SITE)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """The system's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            # a container's root has no user namespace, and often a tiny /dev/shm
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, server) -> Iterator[Visit]:
    """Opens pages of the site; see `Visit`."""
    visitor = Visit(browser, server)
    yield visitor
    visitor.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where the pictures of all pages go, for people to look at."""
    folder = SITE.parent / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder
