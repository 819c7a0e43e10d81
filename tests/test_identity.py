"""The identity of a task: no store returns what other code or other data would not give."""

import functools
import importlib
import math
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


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch):
    """Nothing is killed here."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


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
    code = "import sys, project, lattice; lattice.ensemble(project.task, 2, seed=11, store=sys.argv[1])"
    path = os.pathsep.join([ROOT, str(project.folder)])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "77"}
    before = sorted((tmp_path / "store").iterdir())
    subprocess.run([sys.executable, "-B", "-c", code, tmp_path / "store"], env=environment, check=True)
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
    task = task_from("import deepest_of_all as d\ndef task(rng): return d.CONSTANT")
    ensemble(task, 2, seed=11, store=tmp_path / "cell")
    sys.modules["deepest_of_all"].lock = threading.Lock()
    accepts(task, tmp_path / "cell")
    sys.modules["deepest_of_all"].CONSTANT = 4.0
    refuses(task, tmp_path / "cell", "deepest_of_all.CONSTANT")


# The cells of a notebook, or what is typed at a prompt

CELLS = """
import abc, collections, contextlib, dataclasses, enum, functools, typing
import numpy as np
from scipy.stats import norm
import lattice.model as model

STRENGTH, OFFSETS = 2.0, {1, 2.0, True, "four"}
__private = 1.0

class Root(abc.ABC):
    base = [1.0]
    @abc.abstractmethod
    def __call__(self, x): ...

class Law(Root):
    power = 2
    def __call__(self, x): return x ** self.power * self.sign + super().base[0]
    @property
    def sign(self): return -1
    @staticmethod
    def even(x): return x % 2 == 0
    @classmethod
    def odd(cls, x): return not cls.even(x)
    @functools.cached_property
    def half(self): return 0.5
    third = functools.partialmethod(pow, 1 / 3)

law = Law()

@functools.lru_cache
def table(n): return [odd(i) for i in range(n)]

def odd(i): return i in {"one", 1, "three", 3} or not Law.even(i) or (i > 9 and table(i))

class Pair(typing.NamedTuple):
    first: float = 1.5

Point = collections.namedtuple("Point", "x y", defaults=[0.0])

class Colour(enum.Enum):
    RED = 1
    def twice(self): return 2 * self.value

@dataclasses.dataclass(frozen=True)
class Options:
    scale: float = 1.0
    more: list = dataclasses.field(default_factory=lambda: [7], metadata={"unit": "m"})

@dataclasses.dataclass(slots=True)
class Slots:
    depth: int = 3

@contextlib.contextmanager
def context(): yield 4.0

def outer(start):
    def inner(n): return start + (n and inner(n - 1))
    return inner

nested = outer(0.25)

def draws(rng): yield from (rng.normal() for _ in range(2))

def helper(x, *, shift=[0.5]):
    try:
        return STRENGTH * law(x) + shift[0] + __private  # how hard it pulls
    except ZeroDivisionError:
        return 0.0

def task(rng, chain=model.Chain(4)):
    draw = lambda n: helper(rng.normal(size=n))
    with context() as extra:
        total = model.energy(chain, draw(4), np.zeros(4)) + sum(table(3)) + extra
    total += Options().scale + Pair().first + Point(1).y + Colour.RED.twice() + Slots().depth + nested(3)
    return total + sum(draws(rng)) + norm.cdf(0.1) + len(OFFSETS)
"""


def task_from(code, name="<cell>"):
    """The task of a notebook cell: its source is nowhere on a disk."""
    space = {"__name__": "__main__"}
    exec(compile(code, name, "exec"), space)
    return space["task"]


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("STRENGTH, OFFSETS = 2.0", "STRENGTH, OFFSETS = 2.5", "STRENGTH"),
        ("STRENGTH *", "STRENGTH +", "helper"),
        ("2.0, True", "2.0, 3.0", "OFFSETS"),
        ("__private = 1.0", "__private = 2.0", "__private"),
        ("base = [1.0]", "base = [2.0]", "Law"),
        ("power = 2", "power = 3", "Law"),
        ("return -1", "return 1", "Law"),
        ("x % 2", "x % 3", "Law"),
        ("not cls", "cls", "Law"),
        ("return 0.5", "return 0.25", "Law"),
        ("1 / 3", "1 / 4", "Law"),
        ("x ** self.power", "self.power ** x", "Law"),
        ("range(n)", "range(n + 1)", "table"),
        ("i > 9", "i > 8", "odd"),
        ("first: float = 1.5", "first: float = 2.5", "Pair"),
        ("defaults=[0.0]", "defaults=[1.0]", "Point"),
        ("RED = 1", "RED = 2", "Colour"),
        ("2 * self.value", "3 * self.value", "Colour"),
        ("scale: float = 1.0", "scale: float = 2.0", "Options"),
        ("[7]", "[8]", "Options"),
        ('"m"', '"s"', "Options"),
        ("frozen=True", "frozen=True, eq=False", "Options"),
        ("depth: int = 3", "depth: int = 4", "Slots"),
        ("yield 4.0", "yield 5.0", "context"),
        ("start + (n", "start * (n", "nested"),
        ("outer(0.25)", "outer(0.5)", "nested"),
        ("range(2)", "range(3)", "draws"),
        ("shift=[0.5]", "shift=[1.5]", "helper"),
        ("except ZeroDivisionError", "except ValueError", "helper"),
        ("Chain(4)", "Chain(4, pin=model.Pin(chi=1))", "task"),
        ("np.zeros", "np.ones", "task"),
        ("rng.normal(size", "rng.random(size", "task"),
        ("import norm", "import expon as norm", "norm"),
    ],
)
def test_a_store_of_an_edited_cell_is_refused(tmp_path, old, new, part):
    assert CELLS.count(old) == 1
    ensemble(task_from(CELLS), 2, seed=11, store=tmp_path)
    refuses(task_from(CELLS.replace(old, new)), tmp_path, part)


def test_where_a_cell_stands_and_its_comments_do_not_count(tmp_path):
    ensemble(task_from(CELLS), 2, seed=11, store=tmp_path)
    accepts(task_from(CELLS), tmp_path)
    accepts(task_from("\n\n# new\n" + CELLS.replace("# how hard it pulls", ""), "<another cell>"), tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a, b): return a - b", "def f(b, a): return b - a"),  # names tell which is which
        ("def f(a, b): return a - b", "def f(a, *, b): return a - b"),
        ("def f(x): return (yield)", "async def f(x): return 1"),
        ("def f(x): return 1.0", "def f(x): return 1"),
        ("def f(x): return 1", "def f(x): return True"),
        ("def f(x): return 0.0", "def f(x): return -0.0"),
        ("def f(x): return 'a'", "def f(x): return b'a'"),
        ("def f(x): return x.a", "def f(x): return x.b"),
        ("def f(x):\n try: x()\n finally: x()", "def f(x):\n x()\n try: pass\n finally: x()"),
        ("f = lambda x: x + 1", "f = lambda x: x + 2"),
        ("f = [lambda: 1, lambda: 2]", "f = [lambda: 2, lambda: 1]"),
        ("def f(): pass\nf.gain = 1.0", "def f(): pass\nf.gain = 2.0"),
        ("class f:\n x = 1", "class f:\n y = 1"),
        ("class f: pass", "class f(dict): pass"),
        ("class f: pass", "class f(metaclass=type('M', (type,), {})): pass"),
        ("f = property(abs)", "f = property(abs, max)"),
        ("class g: f = len\nf = type('h', (g,), {})", "class g: f = abs\nf = type('h', (g,), {})"),
        ("f = {1: 2, 3: 4}", "f = {3: 4, 1: 2}"),
        ("import math as f", "import cmath as f"),
        ("from math import sin as f", "from math import cos as f"),
        ("f = 'a b'.split", "f = 'a c'.split"),
        ("class g: pass\nf = (lambda x: 1).__get__(g())", "class g: pass\nf = (lambda x: 2).__get__(g())"),
        ("from functools import *\nf = partial(max, 1)", "from functools import *\nf = partial(max, 2)"),
    ],
)
def test_all_of_what_is_compiled_counts(tmp_path, one, other):
    tasks = [task_from(f"{code}\ndef task(rng): return f and 1.0") for code in (one, one, other)]
    ensemble(tasks[0], 2, seed=11, store=tmp_path)
    accepts(tasks[1], tmp_path)
    refuses(tasks[2], tmp_path, "f")


def test_what_python_notes_on_a_class_does_not_count(tmp_path):
    task = task_from("import abc\nclass f(abc.ABC): pass\ndef task(rng): return f and 1.0")
    ensemble(task, 2, seed=11, store=tmp_path)
    task.__globals__["f"]().__reduce_ex__(4)
    isinstance(task, task.__globals__["f"])
    accepts(task, tmp_path)


def test_arguments_closures_and_methods_are_compared_by_value(tmp_path):
    def make(scale):
        return lambda rng: scale * rng.normal()

    def scaled(rng, chain):
        return energy(chain, rng.normal(size=chain.n), np.zeros(chain.n))

    class Drift:
        def __init__(self, speed):
            self.speed = speed

        def run(self, rng):
            return self.speed * rng.random()

        __call__ = run

    def given(rng, data):
        return rng.random()

    tasks = [
        (make(1.0), make(1.0), make(2.0)),
        [functools.partial(scaled, chain=Chain(5, bond=Bond(chi=chi))) for chi in (1, 1, [1, 1, 1, 1, 2])],
        (Drift(1).run, Drift(1).run, Drift(2).run),
        (Drift(1), Drift(1), Drift(2)),
    ]
    for data in [
        (np.arange(3.0), np.arange(3.0), np.arange(3)),
        ({1, "a"}, {"a", 1}, {1, "b"}),
        (["a b", "a b"], ["a b", " ".join("ab")], ["a b", "a"]),  # one object, or two
        (math.nan, float("nan"), math.inf),
    ]:
        tasks.append([functools.partial(given, data=value) for value in data])
    for number, (task, twin, other) in enumerate(tasks):
        ensemble(task, 2, seed=11, store=tmp_path / str(number))
        accepts(twin, tmp_path / str(number))
        refuses(other, tmp_path / str(number), "task")


def test_functions_compiled_by_numba_tell_their_code_and_options(tmp_path):
    import numba  # here, so that the workers need not

    def make(scale, **options):
        compiled = numba.njit(lambda x: scale * x, **options)
        return lambda rng: compiled.py_func(rng.random())  # nothing to compile for

    ensemble(make(1.0), 2, seed=11, store=tmp_path)
    accepts(make(1.0), tmp_path)
    refuses(make(2.0), tmp_path, "task")
    refuses(make(1.0, fastmath=True), tmp_path, "task")


def test_a_script_is_the_same_in_every_process(tmp_path, monkeypatch):
    """A script, too, belongs to its files; what in it the task does not read may change."""
    (tmp_path / "helpers.py").write_text("WEIGHT = 1.5\n")
    script = tmp_path / "script.py"
    text = """
import sys
from helpers import WEIGHT
from lattice.ensemble import ensemble
class Law:
    x = 1.0
def task(rng):
    return WEIGHT * Law.x * rng.normal() * len({"one", "two", ("three", frozenset({"four", "five"}))})
if __name__ == "__main__":
    results = ensemble(task, 2, seed=11, store=sys.argv[1])
    plot = "blue"
"""
    environment = os.environ | {"PYTHONPATH": ROOT}
    monkeypatch.syspath_prepend(tmp_path)
    command = [sys.executable, "-B", script, tmp_path / "store"]
    for seed, colour in [("1", "blue"), ("2", "red")]:
        script.write_text(text.replace("blue", colour))
        subprocess.run(command, env=environment | {"PYTHONHASHSEED": seed}, check=True)
    assert len(list((tmp_path / "store").glob("*.npz"))) == 1
    accepts(runpy.run_path(script)["task"], tmp_path / "store")
    monkeypatch.setattr(sys.modules["helpers"], "WEIGHT", 2.0)
    refuses(runpy.run_path(script)["task"], tmp_path / "store", "WEIGHT")
    del sys.modules["helpers"]


def test_what_cannot_be_told_needs_no_store(tmp_path):
    circle = []
    circle.append(circle)
    with open(os.devnull) as file:
        for value in (file, threading.Lock(), circle, (i for i in "ab")):
            task = functools.partial(lambda rng, value: 1.0, value=value)
            assert ensemble(task, 2, seed=1).tolist() == [1, 1]
            with pytest.raises(ValueError, match=r"^task = .* cannot be told .* by task = .*; allowed"):
                ensemble(task, 2, seed=1, store=tmp_path / "store")
            task = task_from("def task(rng): return helper() and 1.0\ndef helper(): return value and 1.0")
            task.__globals__["value"] = value
            with pytest.raises(ValueError, match=r"^task = .* by value = .*; allowed"):
                ensemble(task, 2, seed=1, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "line",
    [
        "importlib.import_module('helpers').f()",
        "import_module('helpers').f()",
        "__import__('helpers').f()",
        "eval('f()')",
        "exec('f()')",
        "globals()['f']()",
        "sys.modules['helpers'].f()",
        "runpy.run_path('helpers.py')['f']()",
        "task.__globals__['f']()",
        "sys._getframe().f_globals['f']()",
    ],
)
def test_code_that_may_lead_anywhere_is_refused(tmp_path, line):
    imports = "import importlib, runpy, sys\nfrom importlib import import_module\n"
    task = task_from(f"{imports}def task(rng):\n    return [{line} for i in range(2)]")
    with pytest.raises(ValueError, match=r"^task = .*: task uses \w+; allowed with a store"):
        ensemble(task, 2, seed=1, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_library_code_counts_by_its_name(project, tmp_path, monkeypatch):
    """A file of the project is no library, whatever its name; one in site-packages is."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    (folder / "helpers.py").write_text(PROJECT["helpers.py"])
    monkeypatch.delitem(sys.modules, "helpers", raising=False)
    importlib.invalidate_caches()
    importlib.import_module("helpers")
    source = "import helpers\nfrom helpers import law\ndef task(rng): return law(rng) + helpers.WEIGHT"
    task = task_from(source)
    ensemble(task, 2, seed=11, store=tmp_path / "store")
    (folder / "helpers.py").write_text(PROJECT["helpers.py"] + "# edited")
    sys.modules["helpers"].WEIGHT = 3.0
    accepts(task, tmp_path / "store")
    project.forget()
    monkeypatch.syspath_prepend(project.folder)
    refuses(task_from(source), tmp_path / "store", "file of helpers")


@pytest.mark.parametrize("name", ["calendar", "statistics"])
def test_a_file_of_the_project_may_hide_one_of_python(project, tmp_path, monkeypatch, name):
    monkeypatch.delitem(sys.modules, name, raising=False)
    (project.folder / f"{name}.py").write_text("def f(): return 1.0")
    importlib.invalidate_caches()
    source = f"from {name} import f\ndef task(rng): return f()"
    ensemble(task_from(source), 2, seed=11, store=tmp_path / "store")
    monkeypatch.delitem(sys.modules, name)
    (project.folder / f"{name}.py").write_text("def f(): return 2.0")
    importlib.invalidate_caches()
    refuses(task_from(source), tmp_path / "store", f"f, file of {name}")
    monkeypatch.delitem(sys.modules, name)


def test_code_edited_since_it_was_imported_is_not_what_runs(project, tmp_path):
    task = project.task()
    project.edit("helpers.py", "gain * rng", "gain + rng")
    ensemble(task, 2, seed=11, store=tmp_path / "store")
    refuses(project.task(), tmp_path / "store", "helpers.law")
