"""What the theme does not do for this site.

* Repository, issue, edit and Binder buttons appear as soon as ``repository.url``
  is set in ``_config.yml``, and only then.
* A public name is linked to its documentation by the name that readers use.
* Doubled identifiers and a role that a screen reader stumbles over are taken out.
* A solution that opens is titled "Solution": below its exercise, one stop of the tab key.
* No page offers its source: hidden cells make the check values of assignments.
* Signs and brackets stay on the line of the formula that they belong to.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment


def add_repository_buttons(app: Sphinx, config: Config) -> None:
    """Switch on whatever needs a public repository, if there is one."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        return
    for button in ("use_repository_button", "use_issues_button", "use_edit_page_button"):
        options[button] = True
    options["launch_buttons"] = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}


# A formula in a line, with a bracket before it, and with the rest of its word and the signs after it.
FORMULA = re.compile(
    r"""([(\[“‘]*)(<span class="math notranslate nohighlight">\\\(.*?\\\)</span>)"""
    r"""((?:[-’]\w+)?[,.;:!?)\]’”…]*)""",
    re.DOTALL,
)
SOLUTION = re.compile(r'(<p class="admonition-title">Solution) to<a .*?</a></p>', re.DOTALL)


def bound(formula: re.Match[str]) -> str:
    """A formula and what must not be parted from it, if there is anything."""
    before, typeset, after = formula.groups()
    return f'<span class="bound">{before}{typeset}{after}</span>' if before or after else typeset


def mended(body: str) -> str:
    """A page without what makes it invalid, a screen reader stumble or a line break in a wrong place.

    docutils calls a bibliography a list, of things that are no items; sphinx-exercise
    and sphinx-proof give all exercises, solutions and theorems the same identifier.
    """
    body = body.replace(' role="list" class="citation-list"', ' class="citation-list"')
    body = re.sub(r'(<section\b[^>]*?) id="(exercise|solution|proof)-content"', r"\1", body)
    return FORMULA.sub(bound, SOLUTION.sub(r"\1</p>", body))


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    if "body" in context:
        context["body"] = mended(context["body"])


def keep_source(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take the source of a page out of its menu of downloads."""
    for menu in context.get("header_buttons", ()):
        if menu["label"] == "download-buttons":
            menu["buttons"] = [one for one in menu["buttons"] if one["label"] != "download-source-button"]


def find_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Node
) -> nodes.Node | None:
    """Lead ``lattice.site_energy`` to where it is documented, ``lattice.chain.site_energy``."""
    owner, _, name = node["reftarget"].rpartition(".")
    if node.get("refdomain") != "py" or owner.split(".")[0] != "lattice" or not find_spec(owner):
        return None
    home = getattr(getattr(import_module(owner), name, None), "__module__", owner)
    if home == owner:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], f"{home}.{name}", node, text
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", add_repository_buttons)
    app.connect("html-page-context", mend)
    app.connect("html-page-context", keep_source, priority=502)  # after the theme has filled the menu
    app.connect("missing-reference", find_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
