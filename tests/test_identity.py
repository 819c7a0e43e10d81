"""The identity of a task: no store returns what other code or other data would not give."""

import functools
import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lattice import Bond, Chain, _store
from lattice.replicas import StoreError, ensemble

ROOT = str(Path(_store.__file__).parents[1])

# A project of several files

PROJECT = {
    "project.py": """
import helpers
from helpers import law
from package import inner

class Drift:
    speeds = [1.0, 2.0]
    def __init__(self, speed): self.speed = speed
    def run(self): return self.speed + self.speeds[0]

drift = Drift(1.0)
plot = {"colour": "blue"}

def task(rng):
    import late
    from namespace.folder import deep
    from package import deferred
    total = law(rng) + helpers.TABLE["x"] + sum(helpers.KNOTS) + drift.run()
    return total + late.factor() + deep.DEPTH + deferred.draw(rng) + inner.deepest.LEVEL

def scaled(rng, scale, law=None): return scale * rng.normal()
""",
    "helpers.py": """
import numpy as np
TABLE, KNOTS = {"x": 1.0}, [1.0, 2.0]
def law(rng, width=1.0): return width * rng.normal()
""",
    "late.py": """
try: import never_there
except ImportError: pass
def factor():
    from deepest_of_all import CONSTANT
    return CONSTANT
""",
    "deepest_of_all.py": "CONSTANT = 3.0\n",
    "package/__init__.py": "VERSION = 1\n",
    "package/inner.py": "from . import deepest\n",
    "package/deepest.py": "LEVEL = 1.0\n",
    "package/deferred.py": """
def draw(rng):
    from .below import LEVEL
    return LEVEL * rng.normal()
""",
    "package/below.py": "LEVEL = 2.0\n",
    "namespace/folder/deep.py": "DEPTH = 1.0\n",
    "apart.py": """
import numba
from apart_below import LEVEL
@numba.njit
def compiled(x): return x
class Apart:
    class Inner: level = LEVEL
def factor(): return LEVEL
""",
    "apart_below.py": "LEVEL = 1.0\n",
}


class Project:
    """The project, freshly imported; its files can be edited."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        for name, text in PROJECT.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def edit(self, name, old, new):
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    def forget(self):
        for name in [*map(module_of, PROJECT), "namespace", "namespace.folder"]:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def get(self, name="project.task"):
        """As a new process would import it."""
        self.forget()
        module, _, name = name.rpartition(".")
        return getattr(importlib.import_module(module), name)


def module_of(name):
    return ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = Project(tmp_path / "project", monkeypatch)
    yield project
    project.forget()


def python(*arguments, check=True, cwd=None, **environment):
    """Another process that knows `lattice`."""
    inherited = os.environ.get("PYTHONPATH", "")  # the offset of seeds comes this way
    path = os.pathsep.join(filter(None, [ROOT, inherited]))
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=check,
    )


def accepts(task, store):
    """The store is of this task: nothing is written."""
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    ensemble(task, 2, rng=11, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def refuses(task, store, words):
    """The store is of another task, and the message says so."""
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(StoreError, match=words):
        ensemble(task, 2, rng=11, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


# What files tell


def test_a_project_is_the_same_in_every_process(project, tmp_path):
    ensemble(project.get(), 2, rng=11, store=tmp_path / "store")
    accepts(project.get(), tmp_path / "store")
    code = f"""
import sys
sys.path.append({str(project.folder)!r})
import project, lattice
lattice.ensemble(project.task, 2, rng=11, store=sys.argv[1], map=lambda f, left: print(left) or map(f, left))
"""
    assert python("-c", code, tmp_path / "store", PYTHONHASHSEED="77").stdout == "[0]\n"


@pytest.mark.parametrize("name", [name for name in PROJECT if not name.startswith("apart")])
def test_a_changed_file_is_other_code(project, tmp_path, name):
    """Also if nothing but its bytes has changed, and wherever the import stands."""
    ensemble(project.get(), 2, rng=11, store=tmp_path / "store")
    (project.folder / name).write_text(PROJECT[name] + "# more\n")
    refuses(project.get(), tmp_path / "store", f"was made with another file of {module_of(name)} .stored: '")


def test_a_module_that_was_not_there_is_other_code(project, tmp_path):
    ensemble(project.get(), 2, rng=11, store=tmp_path / "store")
    (project.folder / "never_there.py").write_text("this is no Python\n")
    refuses(project.get(), tmp_path / "store", "another file of never_there .stored: None")


def test_other_files_of_the_project_may_change(project, tmp_path):
    ensemble(project.get(), 2, rng=11, store=tmp_path / "store")
    project.edit("apart.py", "def", "1/0\ndef")
    accepts(project.get(), tmp_path / "store")


def test_libraries_do_not_count_and_are_not_run(project, tmp_path):
    project.edit("late.py", "from deepest", "import json.tool, lattice.micro, xdist.plugin\n    from deepest")
    files = _store._files(["project", "numpy.linalg", "os", "sys"])
    expected = {f"file of {module_of(name)}" for name in PROJECT if not name.startswith("apart")}
    assert files.keys() == expected


# Arguments


def test_arguments(project, tmp_path):
    scaled = project.get("project.scaled")
    knots = [1.0, 2.0]
    law = {"chain": Chain(4, Bond(chi=np.ones(4))), "knots": [knots, knots]}
    task = functools.partial(scaled, scale=2.0, law=law)
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    equal = {"chain": Chain(4, Bond(chi=[1.0] * 4)), "knots": [[1.0, 2.0], [1.0, 2.0]]}
    accepts(functools.partial(scaled, law=equal, scale=float("2")), tmp_path / "store")
    for other in (
        functools.partial(scaled, scale=3.0, law=equal),
        functools.partial(scaled, scale=2.0, law={"chain": Chain(5)}),
        functools.partial(scaled, 2.0),
    ):
        refuses(other, tmp_path / "store", "was made with another arguments")
    refuses(functools.partial(sys.modules["project"].task, 2.0), tmp_path / "store", r"another .*, task \(")


@pytest.mark.parametrize("name", ["factor", "compiled", "Apart", "Apart.Inner", "an object"])
@pytest.mark.parametrize("file", ["apart", "apart_below"])
def test_the_files_of_arguments_count(project, tmp_path, name, file):
    def task():
        scaled = project.get("project.scaled")
        apart = importlib.import_module("apart")
        law = apart.Apart() if name == "an object" else functools.reduce(getattr, name.split("."), apart)
        return functools.partial(scaled, scale=1.0, law=law)

    ensemble(task(), 2, rng=11, store=tmp_path / "store")
    accepts(task(), tmp_path / "store")
    (project.folder / f"{file}.py").write_text(PROJECT[f"{file}.py"] + "# more\n")
    refuses(task(), tmp_path / "store", f"another file of {file}")


def itself():
    law = []
    law.append(law)
    return law


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (lambda: 1, "<lambda>"),
        (threading.Lock(), "cannot pickle .*lock"),
        ([{"a", "b"}], r"\{'.', '.'\} has another order in the next process"),
        ({"x": frozenset("a")}, r"frozenset\(\{'a'\}\) has another order"),
        (itself(), "cyclic|recursion"),
    ],
)
def test_arguments_that_cannot_be_told_from_others_are_refused(tmp_path, argument, words):
    task = functools.partial(accepts, argument)
    with pytest.raises(ValueError, match=rf"^task = .* cannot be told from others: .*({words}).*; allowed"):
        ensemble(task, 2, rng=11, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


# What no file tells


def held(name):
    return importlib.import_module(name)


@pytest.mark.parametrize(
    "change",
    {
        "dict": lambda: held("helpers").TABLE.update(x=2.0),
        "list": lambda: held("helpers").KNOTS.append(3.0),
        "number": lambda: setattr(held("package.below"), "LEVEL", 3.0),
        "instance": lambda: setattr(held("project").drift, "speed", 2.0),
        "class": lambda: held("project").Drift.speeds.insert(0, 3.0),
        "default": lambda: setattr(held("helpers").law, "__defaults__", (2.0,)),
        "method": lambda: setattr(held("project").Drift, "run", lambda self: 0.0),
        "function": lambda: setattr(held("late"), "factor", lambda: 1.0),
        "code": lambda: setattr(held("late").factor, "__code__", (lambda: 1.0).__code__),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_what_was_changed_at_run_time(project, tmp_path, change):
    task = project.get()
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    change[1]()
    refuses(task, tmp_path / "store", "replica 0, made again, is not the stored one")
    accepts(project.get(), tmp_path / "store")


def test_what_does_not_matter_may_change(project, tmp_path):
    task = project.get()
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    sys.modules["project"].plot["colour"] = "red"
    accepts(task, tmp_path / "store")


def test_a_file_edited_after_its_import(project, tmp_path):
    """The store takes the file for what has been run; the next process finds out."""
    task = project.get()
    project.edit("helpers.py", "width *", "2 * width *")
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    refuses(project.get(), tmp_path / "store", "replica 0, made again, is not the stored one")


# Tasks


class Callable:
    def method(self, rng):
        return rng.normal()

    __call__ = method


@pytest.mark.parametrize(
    "task",
    [
        lambda rng: rng.normal(),
        functools.partial(lambda rng, x: rng.normal(), x=1),
        Callable(),
        Callable().method,
        Callable.method,
        np.random.Generator.random,
    ],
)
def test_what_is_no_function_of_a_file_is_refused(tmp_path, task):
    with pytest.raises(ValueError, match=r"^task = .* cannot be told from others.*; allowed with a store: "):
        ensemble(task, 2, rng=11, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


NOTEBOOK = """
import functools, lattice, sys, urllib.parse
def f(rng, law=None): return 1.0
class Law: pass
lattice.ensemble({}, 2, rng=1, store=sys.argv[1])
"""


@pytest.mark.parametrize(
    "task", ["f", "functools.partial(urllib.parse.quote, f)", "functools.partial(print, Law())"]
)
def test_what_is_of_a_notebook_is_refused(tmp_path, task):
    run = python("-c", NOTEBOOK.format(task), tmp_path / "store", check=False)
    assert "ValueError: task = " in run.stderr
    assert "is of no file; allowed with a store: a function" in run.stderr
    assert not (tmp_path / "store").exists()


SCRIPT = """
import lattice, sys
from concurrent.futures import ThreadPoolExecutor
from helpers import law
def f(rng): print("run"); return law(rng)
if __name__ == "__main__":
    with ThreadPoolExecutor(1) as pool:
        lattice.ensemble(f, 2, rng=1, map=pool.map, store=sys.argv[1])
"""


@pytest.mark.parametrize("way", ["script", "module"])
def test_a_script_may_be_run_again(project, tmp_path, way):
    """``python -m package.script``, too."""
    folder, dot, how = project.folder, "", ["script.py"]
    if way == "module":
        folder, dot, how = folder / "package", ".", ["-m", "package.script"]
        (project.folder / "helpers.py").rename(folder / "helpers.py")
    (folder / "script.py").write_text(SCRIPT.replace("helpers", f"{dot}helpers"))
    for times in (2, 1):
        run = python(*how, tmp_path / "store", cwd=project.folder)
        assert run.stdout.split() == ["run"] * times
    (folder / "helpers.py").write_text(PROJECT["helpers.py"] + "# more\n")
    run = python(*how, tmp_path / "store", cwd=project.folder, check=False)
    assert f"another file of {'package.' if dot else ''}helpers" in run.stderr
