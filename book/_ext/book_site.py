"""What the theme does not do for this site.

* Every page offers its notebook for download: the executed one if the page has
  cells, its text as a notebook otherwise.  (The theme offers notebooks only to
  books with a public repository.)
* Repository, issue, edit and Binder buttons appear as soon as ``repository.url``
  is set in ``_config.yml``, and only then.
* A public name is linked to its documentation by the name that readers use.
* Doubled identifiers and a role that a screen reader stumbles over are taken out.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

WIDGET = "application/vnd.jupyter.widget-view+json"
GLUED = "application/papermill.record/text/plain"
GLUE_ROLE = re.compile(r"\{glue(?::\w+)?\}`([^`]+)`")


def add_repository_buttons(app: Sphinx, config: Config) -> None:
    """Switch on whatever needs a public repository, if there is one."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        return
    for button in ("use_repository_button", "use_issues_button", "use_edit_page_button"):
        options[button] = True
    options["launch_buttons"] = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}


def at_home(notebook: nbformat.NotebookNode) -> None:
    """Make an executed notebook readable without this site.

    Glued numbers are written into the prose, and of a slider only the picture stays:
    its other faces need a running kernel or the script of the site.
    """
    glued = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if WIDGET in data and "image/png" in data:
                del data[WIDGET]
                data.pop("text/html", None)
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name and GLUED in data:
                glued[name] = data[GLUED].strip("'\"")

    def number(role: re.Match[str]) -> str:
        key, _, form = role[1].partition(":")
        if key not in glued:
            return role[0]
        return format(float(glued[key]), form) if form else glued[key]

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = GLUE_ROLE.sub(number, cell.source)
    notebook.metadata.pop("widgets", None)


def offered(app: Sphinx, page: str) -> bool:
    """Whether somebody wrote this page (it is no index, no search form)."""
    return app.builder.format == "html" and page in app.env.found_docs


def offer_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Tell the theme's download menu that there will be a notebook."""
    if offered(app, page):
        context["ipynb_source"] = f"{page}.ipynb"


def write_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Put the page's notebook beside its source."""
    if not offered(app, page):
        return
    if app.env.nb_metadata[page].get("exec_data"):
        cells = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
        cache = get_cache(app.env.mystnb_config.execution_cache_path)
        # the outputs as they were computed: myst-nb has taken some out for itself
        _, notebook = cache.merge_match_into_notebook(nbformat.read(cells, as_version=4))
        at_home(notebook)
    else:
        text = Path(app.env.doc2path(page)).read_text(encoding="utf-8")
        notebook = jupytext.reads(text, fmt="md:myst")
        notebook.metadata.setdefault(
            "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
        )
    target = Path(app.outdir, "_sources", f"{page}.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take out what makes a page invalid or a screen reader stumble.

    docutils calls a bibliography a list, of things that are no items; sphinx-exercise
    and sphinx-proof give all exercises, solutions and theorems the same identifier.
    """
    if "body" in context:
        body = context["body"].replace(' role="list" class="citation-list"', ' class="citation-list"')
        context["body"] = re.sub(r'(<section\b[^>]*?) id="(exercise|solution|proof)-content"', r"\1", body)


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
    # The theme's handlers (501) read the context, and copy a notebook of their own if there is a repository.
    app.connect("html-page-context", offer_notebook, priority=499)
    app.connect("html-page-context", write_notebook, priority=502)
    app.connect("html-page-context", mend)
    app.connect("missing-reference", find_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
