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
import functools
import helpers
from helpers import Law, law
from package import inner
import unmet

class Drift:
    speeds = [1.0, 2.0]
    def __init__(self, speed): self.speed = speed
    def run(self, rng): return self.speed + self.speeds[0] + rng.normal()

drift = Drift(1.0)
names = {"one", "two", ("three", frozenset({"four", "five"}))}
plot = {"colour": "blue"}

@functools.lru_cache
def cached(n, more=[5]): return n + more[0]

def task(rng):
    import late
    from package import deferred
    total = law(rng) + helpers.TABLE["x"] + sum(helpers.KNOTS) + helpers.ARRAY[0] + helpers.WEIGHT
    total += cached(1) + drift.run(rng) + Law(1.0).pull(2.0) + len(names)
    return total + late.factor() + deferred.draw(rng) + inner.deepest.CONFIG["a"]

def scaled(rng, scale, law=None):
    return scale * rng.normal()
""",
    "helpers.py": """
import numpy as np

TABLE, KNOTS, ARRAY, WEIGHT = {"x": 1.0}, [1.0, 2.0], np.ones(2), 1.5

class Base:
    power = 2

class Law(Base):
    def __init__(self, strength): self.strength = strength
    def pull(self, x): return self.strength * x ** self.power * self.sign
    @property
    def sign(self): return -1

def law(rng): return rng.normal()
""",
    "late.py": """
import deeper
FACTOR = [1.0]
def factor(): return FACTOR[0] * deeper.constant()
""",
    "deeper.py": "def constant():\n    from deepest_of_all import CONSTANT\n    return CONSTANT\n",
    "deepest_of_all.py": "CONSTANT = 3.0\n",
    "unmet.py": "import numpy as np\n",
    "package/__init__.py": "VERSION = 1\n",
    "package/inner.py": "from . import deepest\n",
    "package/deepest.py": "CONFIG = {'a': 1.0}\n",
    "package/deferred.py": """
def draw(rng):
    from .below import LEVEL
    return LEVEL * rng.normal()
""",
    "package/below.py": "LEVEL = 2.0\n",
    "apart.py": "class Apart: level = 1\ndef factor(): return 1.0\n",
    "locked.py": """
import threading
LOCK = threading.Lock()
def task(rng):
    with LOCK: return rng.normal()
""",
    "closed.py": """
inside = (lambda scale: lambda rng: scale * rng.normal())(2.0)
def task(rng): return inside(rng)
""",
    "dynamic.py": """
from importlib import import_module as fetch
def task(rng): return fetch("late").factor() * rng.normal()
""",
    "evaluated.py": "def task(rng): return eval('rng.normal()')\n",
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
        for name in PROJECT:
            sys.modules.pop(".".join(Path(name).with_suffix("").parts).removesuffix(".__init__"), None)
        importlib.invalidate_caches()

    def get(self, name="project.task"):
        """As a new process would import it."""
        self.forget()
        module, _, name = name.rpartition(".")
        return getattr(importlib.import_module(module), name)


@pytest.fixture
def project(tmp_path, monkeypatch):
    _store._is_library.cache_clear()  # a name may be that of another test's project
    project = Project(tmp_path / "project", monkeypatch)
    yield project
    project.forget()


def accepts(task, store):
    """The store is of this task: nothing is computed."""
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    ensemble(task, 2, rng=11, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def refuses(task, store, *, kind, part):
    """The store is of another task, and the message says what differs."""
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(StoreError, match=rf"was made with another (.*, )?{kind} .of '(.*, )?{part}[,']"):
        ensemble(task, 2, rng=11, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_a_project_is_the_same_in_every_process(project, tmp_path):
    ensemble(project.get(), 2, rng=11, store=tmp_path / "store")
    accepts(project.get(), tmp_path / "store")
    code = "import sys, project, lattice; lattice.ensemble(project.task, 2, rng=11, store=sys.argv[1])"
    inherited = os.environ.get("PYTHONPATH", "")  # the offset of seeds comes this way
    path = os.pathsep.join([ROOT, str(project.folder), *filter(None, [inherited])])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "77"}
    before = sorted((tmp_path / "store").iterdir())
    subprocess.run([sys.executable, "-B", "-c", code, tmp_path / "store"], env=environment, check=True)
    assert sorted((tmp_path / "store").iterdir()) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("project.py", "law(rng) +", "law(rng) -"),
        ("project.py", "@functools.lru_cache\n", ""),
        ("helpers.py", "x ** self.power", "x * self.power"),
        ("late.py", "FACTOR[0] *", "FACTOR[0] +"),  # imported in a body
        ("deeper.py", "return CONSTANT", "return -CONSTANT"),  # imported by that
        ("deepest_of_all.py", "3.0", "4.0"),  # imported in a body, by what is imported in a body
        ("unmet.py", "import numpy as np", "import numpy as np; np.seterr()"),  # imported and not used
        ("package/__init__.py", "1", "2"),
        ("package/deepest.py", "1.0", "2.0"),
        ("package/deferred.py", "LEVEL *", "LEVEL +"),
        ("package/below.py", "2.0", "3.0"),
    ],
)
def test_a_file_edited_between_two_processes(project, tmp_path, name, old, new):
    ensemble(project.get(), 2, rng=11, store=tmp_path / "store")
    project.edit(name, old, new)
    module = ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")
    refuses(project.get(), tmp_path / "store", kind="files", part=module)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("return rng.normal()", "return 2 * rng.normal()", r"project\.law = .*law is not what its file says"),
        ("return -1", "return 1", r"Law.*Law\.sign is not what its file says now; start Python"),
        ("self.strength = strength", "self.strength = 2", r"Law.*__init__ is not what its file says"),
    ],
)
def test_a_file_edited_since_it_was_imported(project, tmp_path, old, new, words):
    task = project.get()
    project.edit("helpers.py", old, new)
    with pytest.raises(ValueError, match=words):
        ensemble(task, 2, rng=11, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("part", "change"),
    {
        "helpers.TABLE": lambda of: of("helpers").TABLE.update(x=2.0),
        "helpers.KNOTS": lambda of: of("helpers").KNOTS.append(3.0),
        "helpers.ARRAY": lambda of: of("helpers").ARRAY.fill(2.0),
        "helpers.WEIGHT": lambda of: setattr(of("helpers"), "WEIGHT", 2.5),
        "helpers.Law": lambda of: setattr(of("helpers").Base, "power", 3),
        "late.FACTOR": lambda of: of("late").FACTOR.append(1.0),
        "late.deeper": lambda of: setattr(of("late"), "deeper", of("helpers")),
        "deepest_of_all.CONSTANT": lambda of: setattr(of("deepest_of_all"), "CONSTANT", 4.0),
        "package.deepest.CONFIG": lambda of: of("package.deepest").CONFIG.update(a=2.0),
        "package.below.LEVEL": lambda of: setattr(of("package.below"), "LEVEL", 3.0),
        "project.law": lambda of: setattr(of("project"), "law", of("project").scaled),
        "project.cached": lambda of: of("project").cached.__wrapped__.__defaults__[0].append(3),
        "project.drift": lambda of: setattr(of("project").drift, "speed", 2.0),
        "project.drift ": lambda of: of("project").drift.speeds.insert(0, 3.0),
        "project.names": lambda of: of("project").names.add("six"),
    }.items(),
)
def test_values_changed_at_run_time(project, tmp_path, part, change):
    task = project.get()
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    change(importlib.import_module)
    refuses(task, tmp_path / "store", kind="values", part=part.strip())


@pytest.mark.parametrize(
    "change",
    [
        lambda of: setattr(of("helpers").Law, "pull", lambda self, x: x),
        lambda of: setattr(of("late"), "factor", lambda: 1.0),
        lambda of: setattr(of("helpers").law, "__code__", of("project").scaled.__code__),
    ],
)
def test_functions_replaced_at_run_time(project, tmp_path, change):
    task = project.get()
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    change(importlib.import_module)
    with pytest.raises((ValueError, StoreError)):
        ensemble(task, 2, rng=11, store=tmp_path / "store")


def test_what_no_function_reads_may_change(project, tmp_path):
    task = project.get()
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    sys.modules["project"].plot["colour"] = "red"
    accepts(task, tmp_path / "store")


def test_arguments(project, tmp_path):
    scaled = project.get("project.scaled")
    chain = Chain(4, Bond(chi=np.ones(4)))
    task = functools.partial(scaled, scale=2.0, law={"chain": chain, "words": {"b", "a"}})
    ensemble(task, 2, rng=11, store=tmp_path / "store")
    same = functools.partial(
        scaled, scale=2.0, law={"chain": Chain(4, Bond(chi=[1.0] * 4)), "words": {"a", "b"}}
    )
    accepts(same, tmp_path / "store")
    for other in (
        functools.partial(scaled, scale=3.0, law=task.keywords["law"]),
        functools.partial(scaled, scale=2.0, law={"chain": Chain(5), "words": {"a", "b"}}),
        functools.partial(scaled, 2.0),
        functools.partial(sys.modules["project"].task, 2.0),
    ):
        with pytest.raises(StoreError, match=r"was made with another (.*, )?arguments"):
            ensemble(other, 2, rng=11, store=tmp_path / "store")


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
        np.random.Generator.random,
        abs,
    ],
)
def test_what_is_no_function_of_a_file_is_refused(tmp_path, task):
    with pytest.raises(ValueError, match=r"^task .*cannot be told from others.*; allowed with a store: "):
        ensemble(task, 2, rng=11, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["factor", "Apart"])
def test_arguments_from_files_that_the_task_does_not_import_are_refused(project, tmp_path, name):
    """Their files would count, but nothing leads to all that they import."""
    task = functools.partial(
        project.get("project.scaled"), 1.0, getattr(importlib.import_module("apart"), name)
    )
    with pytest.raises(ValueError, match="the file of the task does not import apart"):
        ensemble(task, 2, rng=11, store=tmp_path / "store")


@pytest.mark.parametrize("argument", [lambda: 1, threading.Lock()])
def test_arguments_that_cannot_be_identified_are_refused(project, tmp_path, argument):
    task = functools.partial(project.get("late.factor"), argument)
    with pytest.raises(ValueError, match=r"^task cannot be told from others, by an argument of the task"):
        ensemble(task, 2, rng=11, store=tmp_path / "store")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("locked.task", r"by locked\.LOCK = .*cannot pickle"),
        ("closed.task", r"by closed\.inside = .*local object"),
        ("dynamic.task", r"may use import_module, in .*dynamic\.py"),
        ("evaluated.task", r"may use eval, in .*evaluated\.py"),
    ],
)
def test_what_cannot_be_identified_is_named(project, tmp_path, name, words):
    with pytest.raises(ValueError, match=words):
        ensemble(project.get(name), 2, rng=11, store=tmp_path / "store")


def test_a_function_of_a_notebook_is_refused(tmp_path):
    code = "import lattice, sys\ndef f(rng): return 1.0\nlattice.ensemble(f, 2, rng=1, store=sys.argv[1])"
    environment = os.environ | {"PYTHONPATH": ROOT}
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "store"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ValueError: task = <function f" in run.stderr
    assert "a function at the top level of a file" in run.stderr


def test_a_script_may_be_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import lattice, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import numpy as np\n"
        "def f(rng): print('run'); return rng.random()\n"
        "rng = np.random.default_rng()\n"  # no function reads this one
        "with ThreadPoolExecutor(1) as pool:\n"
        "    lattice.ensemble(f, 2, rng=1, map=pool.map, store=sys.argv[1])\n"
    )
    environment = os.environ | {"PYTHONPATH": ROOT}
    for times in (2, 0):
        run = subprocess.run(
            [sys.executable, script, tmp_path / "store"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.split() == ["run"] * times
