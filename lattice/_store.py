"""Finished replicas on a disk, and whose they are.

A store belongs to a seed and a task: to what is compiled of the task and of every function and
class that it reads, to the values of its arguments, defaults, closures and globals at the time of
the call, and to the files of all modules of the project that these import, wherever the import
stands.  What lies among the files of Python or of installed packages counts by its name alone,
`lattice` by all of its files.  What cannot be told in this way, a lock or code that is found by
`import_module` say, is refused by name; what a task reads from files, the environment or the clock
is not seen.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import hashlib
import io
import itertools
import json
import os
import pickle
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import resolve_name
from pathlib import Path
from types import (
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np
from numpy.random import SeedSequence

from ._check import shown

__all__ = ["Store", "StoreError", "made_by"]

PACKAGE = Path(__file__).parent


def _lattice(folder: Path) -> str:
    """The digest of all files of a package, with their names."""
    files = [(str(path.relative_to(folder)), path.read_bytes()) for path in sorted(folder.rglob("*.py"))]
    return _digest(repr(files).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


LATTICE = _lattice(PACKAGE)  # while it is imported: later the files may be others than what runs

# The folder of a store


RECORD, LOCK, TEMPORARY = "ensemble.json", "lock", "unfinished.tmp"  # beside the results
# The stores that a run of this process holds, by device and inode.  The lock on a file keeps out other
# processes only, and one more open and close of that file, by whomever in this process, would drop it.
HELD: dict[tuple[int, int], object] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=HELD.clear)  # a child inherits no lock


class StoreError(RuntimeError):
    """A store that cannot be used or written; nothing in it was changed or lost."""


class Store:
    """A folder of finished replicas.

    ``ensemble.json`` is the record of what made them.  A file ``<first>-<stop>-<digest>.npz`` holds
    the replicas first, ..., stop - 1; the digest is that of the record, of their numbers and of its
    bytes.  Files appear whole or not at all, and are never changed or removed.  So reading needs no lock.

    Parameters
    ----------
    folder : Path
        Need not exist before something is written.
    record : dict
        What may not change between two runs; plain enough for JSON.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder = folder
        self.record = record
        self.content = json.dumps(record, indent=1, sort_keys=True).encode()
        self.known: set[str] = set()  # names of the files that have been read

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"store {self.folder}: {error}; what is stored is kept") from error

    def read(self, put: Callable[[int, dict[str, np.ndarray]], None]) -> None:
        """Hand over the replicas of all files that are new; nothing is written."""
        with self._clear_errors():
            names = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
            if (self.folder / RECORD).exists():
                self._compare((self.folder / RECORD).read_bytes())
            elif names - {LOCK, TEMPORARY}:
                other = min(names - {LOCK, TEMPORARY})
                raise StoreError(f"{self.folder} is not a store: it holds {other} but no {RECORD}")
            for name in sorted(names - self.known):
                if name.endswith(".npz"):
                    self._read(self.folder / name, put)
                    self.known.add(name)

    def _read(self, path: Path, put: Callable[[int, dict[str, np.ndarray]], None]) -> None:
        content = path.read_bytes()
        try:
            first, stop = map(int, path.name.split("-")[:2])
            if path.name != self._name(first, stop, content):
                raise ValueError("its name is not that of its content in this store")
            with np.load(io.BytesIO(content), allow_pickle=False) as block:
                put(first, {name: block[name] for name in block.files})
        except ValueError as error:
            raise StoreError(
                f"{path} is corrupt, or of another store: {error}; remove it to have it made again"
            ) from error

    def _compare(self, content: bytes) -> None:
        """Make sure that the record is that of this ensemble."""
        try:
            stored = dict(json.loads(content))
        except (TypeError, ValueError) as error:
            path = self.folder / RECORD
            raise StoreError(f"{path} is corrupt; a new store of this ensemble has the same") from error
        differ = [
            _difference(key, stored.get(key), self.record.get(key))
            for key in sorted(stored.keys() | self.record.keys())
            if stored.get(key) != self.record.get(key)
        ]
        if differ:
            how = ", ".join(differ)
            raise StoreError(f"store {self.folder} was made with another {how}; use another folder")

    def lock(self, stack: contextlib.ExitStack) -> None:
        """Keep out other runs until `stack` ends, and make sure that the folder can be written."""
        import fcntl  # POSIX only, and only who writes needs it

        with self._clear_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            place, run = os.stat(self.folder), object()
            key = (place.st_dev, place.st_ino)
            if HELD.setdefault(key, run) is not run:  # in one step: two threads may ask
                raise StoreError(f"store {self.folder} is in use by another run of this process")
            stack.callback(HELD.pop, key, None)  # after the file is closed
            file = open(self.folder / LOCK, "a")  # noqa: SIM115 - for as long as the stack
            stack.callback(file.close)
            try:
                # a record lock dies with this process and, unlike flock, is not inherited by pool workers
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                raise StoreError(f"store {self.folder} is in use by another run") from error
            if (self.folder / RECORD).exists():
                with open(self.folder / TEMPORARY, "wb"):  # if nothing can be written, say so now
                    os.unlink(self.folder / TEMPORARY)
            else:
                self._write(RECORD, self.content)

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, and on the disk before it is visible."""
        with self._clear_errors():
            with open(self.folder / TEMPORARY, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.folder / TEMPORARY, self.folder / name)
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, folder := os.open(self.folder, os.O_RDONLY))
                os.fsync(folder)  # the name, too

    def add(self, indices: Iterable[int], arrays: dict[str, np.ndarray]) -> None:
        """Write these replicas, rows of the arrays: one file per run of consecutive ones."""
        for _, group in itertools.groupby(enumerate(sorted(indices)), lambda pair: pair[1] - pair[0]):
            run = [index for _, index in group]
            first, stop = run[0], run[-1] + 1
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:  # an .npz without dates: same results, same bytes
                for name, array in arrays.items():
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array[first:stop], allow_pickle=False)
            content = buffer.getvalue()
            self._write(self._name(first, stop, content), content)

    def _name(self, first: int, stop: int, content: bytes) -> str:
        return f"{first}-{stop}-{_digest(self.content + f'{first}-{stop}'.encode() + content)}.npz"


def _difference(key: str, stored: Any, now: Any) -> str:
    """What of two records differs."""
    if isinstance(stored, dict) and isinstance(now, dict):
        parts = [name for name in sorted(stored.keys() | now.keys()) if stored.get(name) != now.get(name)]
        return f"{key} (of {shown(', '.join(parts))})"
    return f"{key} (stored: {shown(stored)}, now: {shown(now)})"


# The identity of a task


# What things are made of; of compiled code all but the place where it stands
PLACE = {"co_filename", "co_firstlineno", "co_linetable", "co_lnotab", "co_lines", "co_positions"}
PLACE |= {"co_branches"}
MADE_OF: dict[type, Iterable[str]] = {
    CodeType: [name for name in dir(CodeType) if name.startswith("co_") and name not in PLACE],
    CellType: ["cell_contents"],
    FunctionType: ["__code__", "__defaults__", "__kwdefaults__", "__closure__", "__dict__"],
    MethodType: ["__func__", "__self__"],
    staticmethod: ["__func__"],
    classmethod: ["__func__"],
    property: ["fget", "fset", "fdel"],
    functools.cached_property: ["func"],
    type(functools.cache(repr)): ["__wrapped__"],
}
# What Python adds to a class, and where it stands
ADDED = {"__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__slotnames__", "_abc_impl"}
ADDED |= {"__firstlineno__", "__static_attributes__", "__annotate_func__", "__annotations_cache__"}
# What Python adds to a module
OF_MODULES = {*vars(ModuleType("")), "__builtins__", "__file__", "__cached__", "__path__", "__annotations__"}
LIBRARIES = (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("platstdlib")), PACKAGE)
READ = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
# Code may lead where nobody sees: by these globals, by these names,
ANYWHERE = {"__import__", "eval", "exec", "globals"}
MODULES = {"import_module", "modules", "run_module", "run_path", "__globals__", "f_globals"}
# and by these to any data of the modules that it has at hand
ANYTHING = {"__dict__", "__getattribute__", "attrgetter", "getattr", "getmembers", "vars"}


def made_by(task: Callable, seed: SeedSequence) -> dict[str, Any]:
    """The record of a store: whatever may not change between two runs.

    Raises
    ------
    ValueError
        If the task cannot be told from another one; names the part.
    StoreError
        If the files of `lattice` are no longer those that were imported.
    """
    if _lattice(PACKAGE) != LATTICE:
        raise StoreError("the files of lattice have changed since it was imported; start Python again")
    function = getattr(task, "func", task)  # of a functools.partial
    _is_library.cache_clear()
    return {
        "format": 2,
        "task": getattr(function, "__qualname__", type(function).__qualname__),
        "seed": [_plain(seed.entropy), _plain(seed.spawn_key), int(seed.pool_size)],
        "code": _Identity(task).parts,
        "lattice": LATTICE,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",  # compiles differently
    }


def _plain(entropy: Any) -> Any:
    """Entropy for JSON, every digit of it."""
    if isinstance(entropy, (int, np.integer)):
        return int(entropy)
    return entropy if isinstance(entropy, str) else [_plain(word) for word in entropy]


def _spec(name: str) -> ModuleSpec | None:
    """Where a module comes from; nothing is imported."""
    if name in ("__main__", "__mp_main__"):  # a script or a notebook, whatever has started it
        return None
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    path, above = None, name.rpartition(".")[0]
    if above:
        path = getattr(_spec(above), "submodule_search_locations", None)
        if path is None:
            return None
    return next(filter(None, (finder.find_spec(name, path) for finder in sys.meta_path)), None)


@functools.cache
def _is_library(name: str) -> bool:
    """Whether a module is Python's, an installed package's or `lattice`: known by where it lies."""
    spec = _spec(name)
    if spec is None or spec.origin in ("built-in", "frozen"):
        return spec is not None
    place = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
    installed = {"site-packages", "dist-packages"} & set(place.parts)
    return bool(installed) or any(place.is_relative_to(folder) for folder in LIBRARIES)


def _module_of(thing: Any) -> str:
    name = getattr(thing, "__module__", None)
    return name if isinstance(name, str) else type(thing).__module__


def _known_as(thing: Any) -> tuple[str, str] | None:
    """The name that leads to a thing in a library, if one does."""
    module = _module_of(thing)
    if module not in sys.modules or not _is_library(module):
        return None
    space, name = vars(sys.modules[module]), getattr(thing, "__qualname__", None)
    if not isinstance(name, str):  # an object, scipy.stats.norm for example
        name = next((name for name, value in space.items() if value is thing), "")
    first, *rest = name.split(".")
    found = space.get(first)
    for part in rest:
        found = getattr(found, part, None)
    return (module, name) if found is thing else None


def _scan(code: CodeType) -> tuple[set[str], set[str], list[tuple[str, tuple[str, ...], int]]]:
    """The globals that code reads, all names and strings in it, and its imports (module, names, level)."""
    reads: set[str] = set()
    words: set[str] = set()
    imports = []
    codes = [code]
    for inner in codes:  # grows by the functions defined inside
        codes += [const for const in inner.co_consts if isinstance(const, CodeType)]
        words |= {*inner.co_names, *(const for const in inner.co_consts if isinstance(const, str))}
        steps = [step for step in dis.get_instructions(inner) if step.opname != "EXTENDED_ARG"]
        reads |= {step.argval for step in steps if step.opname in READ}
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opname == "IMPORT_NAME":
                imports.append((step.argval, names.argval or (), level.argval))
    return reads, words, imports


class _Writer(pickle.Pickler):
    """Writes a value, the same in every process; nobody reads it back."""

    def __init__(self, write: Callable, meet: Callable, seen: dict[int, tuple[int, Any]]) -> None:
        super().__init__(SimpleNamespace(write=write), protocol=4)
        self.fast = True  # no memo: equal data give equal bytes, whether they are one object or two
        self.meet, self.seen = meet, seen

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, (set, frozenset)):  # its order is another in the next process
            return sorted(self.digest(member, self.meet, self.seen.copy()) for member in thing)
        return None

    def reducer_override(self, thing: Any) -> Any:
        if thing is repr:  # stands for whatever would put the parts together
            return NotImplemented
        if name := _known_as(thing):
            return repr, name
        self.meet(thing)
        if isinstance(thing, ModuleType):
            return repr, (thing.__name__,)
        if isinstance(thing, MappingProxyType):
            return repr, (dict(thing),)
        names = next((MADE_OF[kind] for kind in type(thing).__mro__ if kind in MADE_OF), None)
        if names is None and hasattr(thing, "targetoptions") and hasattr(thing, "__wrapped__"):
            names = ["__wrapped__", "targetoptions"]  # compiled by numba
        if names is None and not isinstance(thing, type):
            return NotImplemented
        if id(thing) in self.seen:  # in a circle, perhaps
            return repr, (self.seen[id(thing)][0],)
        self.seen[id(thing)] = len(self.seen), thing
        if isinstance(thing, type):
            held = [(name, value) for name, value in sorted(vars(thing).items()) if name not in ADDED]
            return repr, (thing.__qualname__, type(thing), thing.__bases__, held)
        return repr, tuple(getattr(thing, name) for name in names)

    @classmethod
    def digest(cls, thing: Any, meet: Callable, seen: dict[int, tuple[int, Any]]) -> str:
        content = hashlib.sha256()
        cls(content.update, meet, seen).dump(thing)
        return content.hexdigest()[:16]


class _Identity:
    """The digests of all that a task is made of, by name."""

    def __init__(self, task: Callable) -> None:
        self.parts: dict[str, str] = {}
        self.waiting: list[tuple[str, Any]] = [("task", task)]
        self.met: set[tuple[int, str]] = set()  # names by namespace
        self.modules: dict[str, ModuleType] = {}  # of the project, that the code met has at hand
        self.words: set[str] = set()  # all names and strings in the code met
        while self.waiting:
            name, value = self.waiting.pop()
            try:
                digest = _Writer.digest(value, self.meet, {})
            except Exception as error:  # pickling runs code of others
                raise ValueError(
                    f"task = {shown(task)} cannot be told from others, by {name} = {shown(value)}: {error}; "
                    "allowed with a store: functions and classes, and data that can be pickled"
                ) from error
            # two namespaces without a name may hold the same names
            self.parts[name] = _digest((self.parts.get(name, "") + digest).encode())
            if not self.waiting:
                self._look_into_modules()

    def meet(self, thing: Any) -> None:
        """Follow what a value leads to."""
        if isinstance(thing, ModuleType):
            self._module(thing)
        elif isinstance(thing, FunctionType):
            self._function(thing)
        else:
            self._file(_module_of(thing))

    def _function(self, function: FunctionType) -> None:
        space = function.__globals__
        name = str(space.get("__name__"))
        if _is_library(name):  # a wrapper: what it holds is data, what it reads is the library's
            return
        reads, words, imports = _scan(function.__code__)
        if unseen := reads & ANYWHERE | words & MODULES:
            raise ValueError(f"{function.__qualname__} uses {min(unseen)}")
        self.words |= words
        imported = name != "__main__" and getattr(sys.modules.get(name), "__dict__", None) is space
        if imported:  # a script or a notebook may change where the task does not look
            self._file(name)
        self._read(space, reads & space.keys(), f"{name}." if imported else "")
        for name in self._files(imports, space.get("__package__")):
            with contextlib.suppress(ImportError):  # perhaps the task does without
                self._module(import_module(name))

    def _module(self, module: ModuleType) -> None:
        name = module.__name__
        if name not in self.modules and not _is_library(name):
            self.modules[name] = module
            self._file(name)
            if (above := name.rpartition(".")[0]) in sys.modules:
                self._module(sys.modules[above])

    def _look_into_modules(self) -> None:
        """Of modules, the values of all names that any code may mean."""
        for title, module in sorted(self.modules.items()):
            names = self.words & vars(module).keys()
            if ANYTHING & self.words:
                code = FunctionType | type | ModuleType
                names |= {name for name, value in vars(module).items() if not isinstance(value, code)}
            self._read(vars(module), names, f"{title}.")

    def _read(self, space: dict[str, Any], names: Iterable[str], title: str) -> None:
        for name in sorted(names):
            if (id(space), name) not in self.met and name not in OF_MODULES:
                self.met.add((id(space), name))
                self.waiting.append((title + name, space[name]))

    def _file(self, name: str) -> None:
        """The file of a module of the project, and those of all that it imports."""
        label, spec = f"file of {name}", _spec(name)
        if label in self.parts or spec is None or _is_library(name):
            return
        above = name.rpartition(".")[0]
        path = Path(spec.origin or "")
        if path.is_file():
            content = path.read_bytes()
            self.parts[label] = _digest(content)
            if path.suffix == ".py":
                imports = _scan(compile(content, path, "exec", dont_inherit=True))[2]
                self._files(imports, above if spec.submodule_search_locations is None else name)
        if above:
            self._file(above)

    def _files(self, imports: list[tuple[str, tuple[str, ...], int]], package: str | None) -> list[str]:
        """The files that import statements lead to, and the modules of the project among what they name."""
        found = []
        for module, names, level in imports:
            with contextlib.suppress(ImportError):  # beyond the package: it cannot be imported either
                base = resolve_name("." * level + module, package)
                inner = [base, *(f"{base}.{name}" for name in names)]
                found += [name for name in inner if not _is_library(name) and _spec(name)]
        for name in found:
            self._file(name)
        return found
