"""Build the site: execute the pages that changed, on all cores, then render everything.

``make book`` runs this.  ``make book EDITION=teacher`` renders the teacher's edition into a folder of its
own: pages with solutions of exercises for assignment are executed once more, with these, while they are
rendered, and kept in the same cache.

With STRICT=1 in the environment a page that takes too long is an error.

Executed pages are kept in a cache that knows only their
cells, so a page is dropped from it whenever something that its cells stand on has changed:
the code that they reach, the stored results, the pinned versions or Python itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import yaml
from jupyter_book.sphinx import build_sphinx
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.cache.db import NbProjectRecord
from jupyter_cache.executors.basic import ExecutionWorkerLocalMProc, ProcessData
from myst_nb.core.read import is_myst_markdown_notebook
from nbclient import NotebookClient
from sphinx_external_toc.parsing import parse_toc_yaml
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
CACHE = BUILD / ".jupyter_cache"
SITES = {"public": BUILD / "html", "teacher": BUILD / "teacher"}  # the editions, beside each other
LOG = BUILD / "execution.log"
# Of each page: the processor time of its last execution, and what it stood on then
EXECUTED = BUILD / "executed.json"
LONG, TOO_LONG = 15, 60  # seconds of processor time: a page to look at, a page that readers would wait for

# What cells stand on, besides themselves and the code that they import.  measured.json is written by
# `make claims` for one page that reads it while it is rendered, not executed.
FOUNDATIONS = ("book/data/**/*", "requirements.txt")
NOT_READ_BY_CELLS = {ROOT / "book" / "data" / "measured.json"}

REDIRECT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}.html"></head>
<body><a href="{page}.html">{title}</a></body></html>
"""


def own_package() -> None:
    """Make sure that the book computes with its own package.

    The environment of a copied checkout still leads to the package of the first one, and a kernel
    need not be the Python that runs this.  So both are asked.

    Raises
    ------
    SystemExit
        If either finds `lattice` elsewhere.
    """
    question = "import importlib.util as u; print(getattr(u.find_spec('lattice'), 'origin', None), end='')"
    cell = nbformat.v4.new_code_cell(question)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    where = {"metadata": {"path": str(Path(__file__).parent)}}  # pages do not run beside the package either
    NotebookClient(notebook, kernel_name="python3", resources=where).execute()
    here = getattr(find_spec("lattice"), "origin", None)
    for who, found in (("Python", here), ("the kernel of the cells", cell.outputs[0]["text"])):
        if found is None or Path(found).resolve() != ROOT / "lattice" / "__init__.py":
            raise SystemExit(
                f"The book in {ROOT} would be computed with another package: {who} finds `lattice` in "
                f"{found and Path(found).parent}; allowed: {ROOT / 'lattice'}. "
                "In a copied checkout remove .venv and run `make book` again."
            )


def foundations(page: Path) -> str:
    """Hash of everything that the executed cells of a page depend on and jupyter-cache does not look at."""
    from book.register import code_hash  # `main` leads here once it is sure whose book this is

    digest = hashlib.sha256(f"{platform.python_version()} {code_hash(page)}".encode())
    for pattern in FOUNDATIONS:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts and path not in NOT_READ_BY_CELLS:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_executed() -> dict[str, dict[str, Any]]:
    """Of each page that was ever executed here: ``{"seconds": …, "foundations": …}``."""
    return json.loads(EXECUTED.read_text("utf-8")) if EXECUTED.exists() else {}


def write_executed(executed: dict[str, dict[str, Any]]) -> None:
    """Keep it; a build that is killed meanwhile leaves the old file whole."""
    unfinished = EXECUTED.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(executed, indent=1), "utf-8")
    unfinished.replace(EXECUTED)


def open_cache(pages: list[Path]) -> JupyterCacheAbstract:
    """The execution cache, without the pages that were executed on other foundations."""
    cache, executed = get_cache(CACHE), read_executed()
    for record in cache.list_cache_records():  # creates the folder and its database, too
        page = Path(record.uri)
        if page not in pages or executed.get(record.uri, {}).get("foundations") != foundations(page):
            cache.remove_cache(record.pk)
    return cache


def notebook_pages() -> list[Path]:
    """Pages of the table of contents that contain cells."""
    toc = parse_toc_yaml(ROOT / "_toc.yml")
    paths = [ROOT / f"{page}.md" for page in toc]
    return [path for path in paths if path.exists() and is_myst_markdown_notebook(path.read_text("utf-8"))]


def divert_stderr(log: Path) -> None:
    """Send what kernels say on starting into a file, so that it does not tear the progress bar."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)


def longest_first(pages: list[Path], seconds: dict[str, float]) -> list[Path]:
    """The order to execute pages in, so that none is left to run alone at the end.

    Pages that were never executed come before all others, the longer texts first.
    """
    return sorted(pages, key=lambda page: (-seconds.get(str(page), math.inf), -page.stat().st_size))


def run(page: ProcessData) -> tuple[int, str, float]:
    """Execute a page: an exit code, the page, and the processor time of its kernel."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, uri = ExecutionWorkerLocalMProc()(page)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, uri, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def execute(pages: list[Path], cache: JupyterCacheAbstract, timeout: int) -> None:
    """Execute the pages that are not in the cache, one process per core.

    Raises
    ------
    SystemExit
        If a cell fails, the page and the traceback having been printed, or as `judge_times` says.
    """
    for record in cache.list_project_records():
        cache.remove_nb_from_project(record.pk)
    for page in pages:
        cache.add_nb_to_project(str(page), read_data={"type": "plugin", "name": "myst_nb_md"})
    executed = read_executed()
    seconds = {page: known["seconds"] for page, known in executed.items()}
    waiting = {Path(record.uri): record.pk for record in cache.list_unexecuted()}
    todo = [
        ProcessData(waiting[page], str(page), cache, timeout, False)
        for page in longest_first(list(waiting), seconds)
    ]
    ground = {page.uri: foundations(Path(page.uri)) for page in todo}
    print(f"{len(pages)} pages have cells, {len(todo)} to execute.")
    LOG.write_text("")
    taken, failed = {}, []
    # Pages share the cores among them: threads of linear algebra in each would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")  # in the kernels: what they say on stderr is an error
    # "spawn": a clean process each, whatever this one has loaded
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), divert_stderr, (LOG,)) as pool:
        results = pool.imap_unordered(run, todo)
        for code, uri, spent in tqdm(
            results, total=len(todo), desc="Executing", unit="page", disable=not todo
        ):
            if code != 0:
                failed.append(uri)
            else:
                taken[Path(uri)] = spent
                executed[uri] = {"seconds": round(spent, 1), "foundations": ground[uri]}
                write_executed(executed)
    for uri in failed:
        traceback = NbProjectRecord.record_from_uri(uri, cache.db).traceback
        # the end of it: the cell, its error and the frames in between, not the executor's own frames
        cell = (traceback or "").partition("CellExecutionError: ")[2] or LOG.read_text("utf-8")
        print(f"\nFAILED: {Path(uri).relative_to(ROOT)}\n{cell}", file=sys.stderr)
    if failed:
        raise SystemExit(f"{len(failed)} of {len(pages)} pages did not run; nothing was built.")
    judge_times(taken)


def judge_times(taken: dict[Path, float]) -> None:
    """Say which of the pages that were executed now readers would wait too long for.

    Raises
    ------
    SystemExit
        If there are any and STRICT=1 is in the environment.
    """
    long = [
        f"{page.relative_to(ROOT)} took {spent:.0f} s of processor time; allowed: {TOO_LONG} s"
        for page, spent in taken.items()
        if spent > TOO_LONG
    ]
    if long and os.environ.get("STRICT") == "1":
        raise SystemExit("\n".join([*long, "Let it load stored results (book/data). Nothing was built."]))
    for warning in long:
        print(f"WARNING: {warning}; slower machines take longer", file=sys.stderr)


def render_site(site: Path, edition: str) -> None:
    """Render all pages from scratch: an incremental build forgets earlier warnings."""
    clear(site)
    failed = build_sphinx(
        ROOT,
        site,
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides={
            "external_toc_path": str(ROOT / "_toc.yml"),
            "latex_individualpages": False,
            "nitpicky": True,
        },
        tags=[edition],
        warningiserror=True,
        keep_going=True,
        freshenv=True,
        quiet=True,
    )
    if failed:
        raise SystemExit("The book was not built: see the messages above.")


def render_paper(builder: str) -> None:
    """The public edition for printing."""
    clear(BUILD / "latex")
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [str(jupyter_book), "build", str(ROOT), "--builder", builder, "--all", "-q"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit("The book was not built: see the messages above.")


def clear(made: Path) -> None:
    """Remove what an earlier build has left."""
    for stale in (made, BUILD / ".doctrees", BUILD / "jupyter_execute"):
        shutil.rmtree(stale, ignore_errors=True)


def report(pages: list[Path], site: Path) -> None:
    """Print the seconds of each page and where to open the site."""
    seconds = {page: known["seconds"] for page, known in read_executed().items()}
    print("\nSeconds of processor time that each page took when it was executed:")
    for page in pages:
        spent = seconds.get(str(page), math.nan)
        print(f"  {spent:6.1f}  {page.relative_to(ROOT)}{f'  LONG: above {LONG} s' if spent > LONG else ''}")
    print(f"  {sum(seconds.get(str(page), 0.0) for page in pages):6.1f}  together")
    print(f"\nOpen {(site / 'index.html').as_uri()}")
    if site == SITES["public"]:
        print("or run `make serve`.")


def main(builder: str = "html", edition: str = "public") -> None:
    if edition not in SITES:
        raise SystemExit(f"EDITION={edition}; allowed: {' or '.join(SITES)}")
    own_package()
    sys.path.append(str(ROOT))
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    pages = notebook_pages()
    cache = open_cache(pages)
    execute(pages, cache, config["execute"]["timeout"])
    if builder == "html":
        site = SITES[edition]
        render_site(site, edition)
        # Jupyter Book's own redirect has neither title nor language
        root = re.search(r"^root: (\S+)", (ROOT / "_toc.yml").read_text("utf-8"), re.MULTILINE)
        (site / "index.html").write_text(REDIRECT.format(title=config["title"], page=root[1]), "utf-8")
        report(pages, site)
    else:
        render_paper(builder)
        print(f"\nOpen {(BUILD / 'latex' / 'lattice-kinetics.pdf').as_uri()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
