"""The identity of a task: no store returns what other code or other data would not give."""

import functools
import importlib
import linecache
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lattice import _store
from lattice.ensemble import StoreError, ensemble
from lattice.model import Bond, Chain, energy

ROOT = str(Path(_store.__file__).parents[1])


def accepts(task, store):
    """The store is of this task: nothing is computed."""
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    ensemble(task, 2, seed=11, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def refuses(task, store, part):
    """The store is of another task, and the message says what differs."""
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(StoreError, match=rf"was made with another (.*, )?code .of '(.*, )?{part}"):
        ensemble(task, 2, seed=11, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


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

def make(scale):
    def scaled(rng): return scale * rng.normal()
    return scaled

closure = make(2.0)
square = lambda x, power=[2], *, shift=[0]: x ** power[0] + shift[0]

@functools.lru_cache
def cached(n, more=[5]): return n + more[0]

def wrap(function):
    calls = {"gain": 1.0}
    @functools.wraps(function)
    def wrapped(rng): return calls["gain"] * function(rng)
    return wrapped

@wrap
def decorated(rng): return rng.normal()

names = {"one", "two", ("three", frozenset({"four", "five"}))}
plot = {"colour": "blue"}

def task(rng):
    import late
    from package import deferred
    total = law(rng) + helpers.TABLE["x"] + sum(helpers.KNOTS) + helpers.ARRAY[0] + helpers.WEIGHT
    total += closure(rng) + square(3.0) + cached(1) + decorated(rng) + Law(1.0).pull(2.0) + len(names)
    return total + late.factor() + deferred.draw(rng) + inner.deepest.CONFIG["a"] + helpers.find("UTED")

def method(rng):
    return drift.run(rng)
""",
    "helpers.py": """
import numpy as np

TABLE, KNOTS, ARRAY, WEIGHT, COMPUTED = {"x": 1.0}, [1.0, 2.0], np.ones(2), 1.5, 7.0
UNUSED = [1, 2]

class Base:
    power = 2

class Law(Base):
    def __init__(self, strength): self.strength = strength
    def pull(self, x): return self.strength * x ** self.power * self.sign
    @property
    def sign(self): return -1

def law(rng): return law.gain * rng.normal()
law.gain = 1.0

def find(name):
    import helpers as myself
    return getattr(myself, "COMP" + name) + getattr(myself, "hid" + "den")(1)
def hidden(x):
    import behind
    return behind.f(x)
""",
    "late.py": """
import deeper
FACTOR = [1.0]
def factor(): return FACTOR[0] * deeper.constant()
""",
    "deeper.py": "def constant():\n    from deepest_of_all import CONSTANT\n    return CONSTANT\n",
    "deepest_of_all.py": "CONSTANT = 3.0\n",
    "behind.py": "def f(x): return x\n",
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

    def task(self, name="task"):
        """As a new process would import it."""
        self.forget()
        return getattr(importlib.import_module("project"), name)


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = Project(tmp_path / "project", monkeypatch)
    yield project
    project.forget()


def test_a_project_is_the_same_in_every_process(project, tmp_path):
    ensemble(project.task(), 2, seed=11, store=tmp_path / "store")
    accepts(project.task(), tmp_path / "store")
    importlib.import_module("late").factor()  # is loaded now
    accepts(sys.modules["project"].task, tmp_path / "store")
    code = "from project import task; from lattice.ensemble import ensemble; ensemble(task, 2, seed=11, store={!r})"
    path = os.pathsep.join([ROOT, str(project.folder)])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "77"}
    before = sorted((tmp_path / "store").iterdir())
    code = code.format(str(tmp_path / "store"))
    subprocess.run([sys.executable, "-B", "-c", code], env=environment, check=True)
    assert sorted((tmp_path / "store").iterdir()) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("project.py", "law(rng) +", "law(rng) -"),
        ("project.py", "@functools.lru_cache\n", ""),  # a line that is code of no function
        ("helpers.py", "gain * rng", "gain + rng"),
        ("helpers.py", "KNOTS, ARRAY", "ARRAY, KNOTS"),
        ("late.py", "FACTOR[0] *", "FACTOR[0] +"),  # imported in a body
        ("deeper.py", "return CONSTANT", "return -CONSTANT"),  # imported by that
        ("deepest_of_all.py", "3.0", "4.0"),  # imported in a body, by what is imported in a body
        ("behind.py", "return x", "return -x"),  # imported by a function that no code names
        ("unmet.py", "import numpy as np", "import numpy as np; np.seterr()"),  # imported and not used
        ("package/__init__.py", "1", "2"),
        ("package/deepest.py", "1.0", "2.0"),
        ("package/deferred.py", "LEVEL *", "LEVEL +"),
        ("package/below.py", "2.0", "3.0"),
    ],
)
def test_a_file_edited_between_two_processes(project, tmp_path, name, old, new):
    ensemble(project.task(), 2, seed=11, store=tmp_path / "store")
    project.edit(name, old, new)
    module = ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")
    refuses(project.task(), tmp_path / "store", f"file of {module}")


def change(modules, name, change):
    change(functools.reduce(getattr, name.split("."), modules))


@pytest.mark.parametrize(
    ("part", "change"),
    {
        "helpers.TABLE": lambda of: of("helpers").TABLE.update(x=2.0),
        "helpers.KNOTS": lambda of: of("helpers").KNOTS.append(3.0),
        "helpers.ARRAY": lambda of: of("helpers").ARRAY.fill(2.0),
        "helpers.WEIGHT": lambda of: setattr(of("helpers"), "WEIGHT", 2.5),
        "helpers.COMPUTED": lambda of: setattr(of("helpers"), "COMPUTED", 8.0),
        "helpers.Law": lambda of: setattr(of("helpers").Base, "power", 3),
        "helpers.Law ": lambda of: setattr(of("helpers").Law, "pull", lambda self, x: x),
        "helpers.Law  ": lambda of: setattr(of("helpers").Law, "sign", property(lambda self: 1)),
        "helpers.law": lambda of: setattr(of("helpers").law, "gain", 2.0),
        "late.FACTOR": lambda of: of("late").FACTOR.append(1.0),
        "late.factor": lambda of: setattr(of("late"), "factor", lambda: 1.0),
        "late.deeper": lambda of: setattr(of("late"), "deeper", of("helpers")),
        "deepest_of_all.CONSTANT": lambda of: setattr(of("deepest_of_all"), "CONSTANT", 4.0),
        "package.deepest.CONFIG": lambda of: of("package.deepest").CONFIG.update(a=2.0),
        "package.below.LEVEL": lambda of: setattr(of("package.below"), "LEVEL", 3.0),
        "project.law": lambda of: setattr(of("project"), "law", lambda rng: 1.0),
        "project.closure": lambda of: setattr(of("project").closure.__closure__[0], "cell_contents", 3.0),
        "project.square": lambda of: of("project").square.__defaults__[0].append(3),
        "project.square ": lambda of: of("project").square.__kwdefaults__["shift"].append(3),
        "project.cached": lambda of: of("project").cached.__wrapped__.__defaults__[0].append(3),
        "project.decorated": lambda of: of("project").decorated.__closure__[0].cell_contents.update(gain=2.0),
        "project.names": lambda of: of("project").names.add("six"),
    }.items(),
)
def test_values_changed_at_run_time(project, tmp_path, part, change):
    task = project.task()
    ensemble(task, 2, seed=11, store=tmp_path / "store")
    change(importlib.import_module)
    refuses(task, tmp_path / "store", part.strip())


@pytest.mark.parametrize(
    "change",
    [
        lambda drift: setattr(drift, "speed", 2.0),
        lambda drift: drift.speeds.insert(0, 3.0),
        lambda drift: setattr(type(drift), "run", lambda self, rng: 1.0),
        lambda drift: setattr(drift, "run", lambda rng: 1.0),
    ],
)
def test_objects_changed_at_run_time(project, tmp_path, change):
    task = project.task("method")
    drift = sys.modules["project"].drift
    ensemble(task, 2, seed=11, store=tmp_path / "store")
    ensemble(drift.run, 2, seed=11, store=tmp_path / "bound")
    accepts(drift.run, tmp_path / "bound")
    bound = drift.run
    change(drift)
    refuses(task, tmp_path / "store", "project.drift")
    if "run" not in vars(drift):
        refuses(drift.run, tmp_path / "bound", "task")
    with pytest.raises(StoreError):
        ensemble(drift.run, 2, seed=11, store=tmp_path / "bound")
    del bound


def test_what_the_task_does_not_read_may_change(project, tmp_path):
    task = project.task()
    ensemble(task, 2, seed=11, store=tmp_path / "store")
    sys.modules["project"].plot["colour"] = "red"
    accepts(task, tmp_path / "store")
