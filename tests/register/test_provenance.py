"""Which code a script, a test or a page stands on."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("script", "reached"),
    [
        ("import lattice as lk\nlk.ONE", {"one"}),
        ("import lattice as lk\nprint(lk)", {"__init__", "one", "unused"}),
        ("import lattice.two\nlattice.two.TWO", {"two"}),
        ("from lattice import *", {"__init__", "one", "unused"}),
        ("from lattice import two as second\nsecond.TWO", {"two"}),
        ("from lattice import upper\nupper.run(1)", {"upper/runner", "one"}),
        ("def f():\n    from lattice.upper import run", {"upper/runner", "one"}),
        ("from lattice import unknown", {"__init__", "one", "unused"}),
        ("import numpy", set()),
    ],
)
def test_dependencies_follow_names_through_packages(repository, script, reached):
    repository.write("lattice/upper/__init__.py", "from . import runner as _\nfrom .runner import run\n")
    repository.write("lattice/upper/runner.py", "from ..one import ONE\ndef run(x): return ONE\n")
    repository.write("book/data/script.py", script)
    root = repository.root
    found = repository.provenance().dependencies(root / "book/data/script.py")
    inside = {path.relative_to(root / "lattice") for path in found if path.is_relative_to(root / "lattice")}
    assert inside == {Path(f"{name}.py") for name in reached}


def test_a_fingerprint_changes_with_the_code_only(repository):
    def fingerprint(text):
        repository.write("book/data/script.py", text)
        return repository.code_hash("book/data/script.py")

    source = 'def f(x):\n    """Twice."""\n    return 2 * x\n'
    same = [
        '# twice\n\ndef f(x):  # x\n    """Two\n\n    times.\n    """\n\n    return 2 * x\n',
        source + "\n",
    ]
    different = [
        source.replace("2", "3"),
        source.replace("2 * x", '"# 2"'),
        source + "from lattice import two\n",
    ]
    assert {fingerprint(text) for text in same} == {fingerprint(source)}
    assert len({fingerprint(text) for text in [source, *different]}) == 4


def test_a_script_outside_is_refused(repository, tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "script.py"
    outside.write_text("")
    with pytest.raises(ValueError, match="allowed: a file inside"):
        repository.code_hash(outside)


CELL = """
```{code-cell}
---
tags: [hide-input]
mystnb: {image: {alt: import lattice.unused}}
---
import lattice as lk
```
"""


def test_a_page_counts_by_its_cells(repository):
    """By their code and what it reaches, not by options and prose."""

    def fingerprint(text):
        repository.write("book/page.md", text)
        return repository.code_hash("book/page.md")

    cell, other = "```{code-cell}\n:tags: [x]\nlk.ONE\n```\n", "```python\nimport lattice.unused\n```\n"
    page = f"# Page\n{CELL}\nText.\n\n{cell}"
    before = fingerprint(page)
    reached = repository.provenance().dependencies(repository.root / "book/page.md")
    assert [path.name for path in reached] == ["page.md", "one.py"]
    assert fingerprint(page + "More.\n" + other) == before
    assert fingerprint(page.replace("hide", "show").replace("[x]", "[y]")) == before
    assert fingerprint(page.replace("lk.ONE", "lk.NOTHING")) != before
    assert fingerprint(page + "\n````{code-cell}\nlk.two\n````\n") != before
    repository.write("lattice/one.py", "ONE = 2.0\n")
    assert fingerprint(page) != before


def test_a_page_counts_with_its_solutions(repository, tmp_path_factory, monkeypatch):
    """The teacher's edition executes them with the page: what they reach may not be stale there."""
    folder = tmp_path_factory.mktemp("solutions")
    monkeypatch.setattr("book._ext.teacher.SOLUTIONS", folder)
    repository.write("book/page.md", "```{exercise} One\n:label: ex-one\nFind it.\n```\n" + CELL)
    page = repository.root / "book/page.md"
    alone = repository.code_hash("book/page.md")
    assert repository.root / "lattice/two.py" not in repository.provenance().dependencies(page)
    (folder / "ex-one.md").write_text("```{code-cell} ipython3\nlk.two.TWO\n```\n")
    assert repository.code_hash("book/page.md") != alone
    assert repository.root / "lattice/two.py" in repository.provenance().dependencies(page)
