"""Finished replicas on a disk, and whose they are.

A store belongs to a seed and a task.  A task is a function at the top level of a file, with its
arguments; it is known by the files of its module and of all that this imports, wherever the
import stands, and by what these modules hold, at the time of the call, under the names that their functions
read.  `lattice` counts by all of its files, Python and installed packages do not count.  What cannot be
identified in this way is refused by name.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import io
import itertools
import json
import os
import pickle
import symtable
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
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

LIBRARIES = (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("platstdlib")), PACKAGE)
UNSEEN = {"__import__", "import_module", "eval", "exec", "globals"}  # may lead to code that nothing names
BODIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def made_by(task: Callable, seed: SeedSequence) -> dict[str, Any]:
    """The record of a store: whatever may not change between two runs.

    Raises
    ------
    ValueError
        If the task, or something that it may read, cannot be told from others; names it.
    StoreError
        If the files of `lattice` are no longer those that were imported.
    """
    if _lattice(PACKAGE) != LATTICE:
        raise StoreError("the files of lattice have changed since it was imported; start Python again")
    function, arguments = task, ()
    if isinstance(task, functools.partial):
        function, arguments = task.func, (task.args, task.keywords)
    home, name = sys.modules.get(_text(function, "__module__")), _text(function, "__qualname__")
    if getattr(home, "__file__", None) is None or vars(home).get(name) is not function:
        raise ValueError(
            f"task = {shown(task)} cannot be told from others; allowed with a store: a function at the top "
            "level of a file, or a functools.partial of it"
        )
    project = _Project(home)
    return {
        "format": 2,
        "task": f"{home.__name__}.{name}",
        "seed": [_plain(seed.entropy), _plain(seed.spawn_key), int(seed.pool_size)],
        "arguments": project.value("an argument of the task", arguments),
        "values": project.values(),
        "files": project.files,
        "lattice": LATTICE,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",  # compiles differently
    }


def _plain(entropy: Any) -> Any:
    """Entropy for JSON, every digit of it."""
    if isinstance(entropy, (int, np.integer)):
        return int(entropy)
    return entropy if isinstance(entropy, str) else [_plain(word) for word in entropy]


def _text(thing: Any, name: str) -> str:
    value = getattr(thing, name, None)
    return value if isinstance(value, str) else ""


@functools.cache
def _is_library(root: str) -> bool:
    """Whether a top-level module is Python's, an installed package or `lattice`: known by where it lies."""
    spec = None if root in ("__main__", "__mp_main__") else find_spec(root)
    if spec is None:
        return False
    places = [Path(spec.origin or ""), *map(Path, spec.submodule_search_locations or ())]
    installed = any({"site-packages", "dist-packages"} & set(place.parts) for place in places)
    return (
        installed
        or spec.origin in ("built-in", "frozen")
        or any(place.is_relative_to(folder) for place in places for folder in LIBRARIES)
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _globals_read(table: symtable.SymbolTable) -> set[str]:
    """The globals that the functions and classes in a scope read."""
    inner = table.get_children()
    own = {symbol.get_name() for child in inner for symbol in child.get_symbols() if symbol.is_global()}
    return own.union(*map(_globals_read, inner))


def _imports(tree: ast.Module, module: ModuleType) -> set[str]:
    """All modules that import statements may mean, wherever they stand, with the packages around them."""
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    names = [package]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            with contextlib.suppress(ImportError):  # beyond the package: it cannot be imported either
                base = resolve_name("." * node.level + (node.module or ""), package)
                names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    parts = [name.split(".") for name in names if name]
    return {".".join(part[:stop]) for part in parts for stop in range(1, len(part) + 1)}


class _Project:
    """The modules that a module and all that it imports belong to, those of libraries left out.

    Attributes
    ----------
    files : dict
        Digest of the file of each module.
    """

    def __init__(self, home: ModuleType) -> None:
        self.modules, self.files = [home], {}
        self.reads: dict[str, set[str]] = {}  # the globals that the functions and classes of a module read
        self.attributes: set[str] = set()  # and the names that any of them takes from another module
        self.codes: dict[str, set[CodeType]] = {}
        for module in self.modules:  # grows by what they import
            for name in sorted(self._scan(module)):
                with contextlib.suppress(Exception, SystemExit):  # perhaps the task does without
                    if not _is_library(name.partition(".")[0]):
                        found = import_module(name)
                        self.modules += [] if found in self.modules else [found]

    def _scan(self, module: ModuleType) -> set[str]:
        """Take in a file; the names of what it imports."""
        if getattr(module, "__file__", None) is None:  # a folder
            return set()
        path = Path(module.__file__)
        content = path.read_bytes()
        self.files[module.__name__] = _digest(content)
        if path.suffix != ".py":  # compiled
            return set()
        tree = ast.parse(content)
        self.codes[module.__name__] = set(_codes(compile(content, path, "exec", dont_inherit=True)))
        inside = {node for body in ast.walk(tree) if isinstance(body, BODIES) for node in ast.walk(body)}
        taken = {_text(node, "attr") for node in inside}
        taken |= {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
        reads = _globals_read(symtable.symtable(content, str(path), "exec"))
        if unseen := UNSEEN & (reads | taken):
            raise ValueError(
                f"task may use {min(unseen)}, in {path}; allowed with a store: code that import statements "
                "lead to"
            )
        self.reads[module.__name__] = reads
        self.attributes |= taken
        return _imports(tree, module)

    def values(self) -> dict[str, str]:
        """Digests of what the modules hold under the names that are read."""
        held = {}
        for module in self.modules:
            names = set(self.reads.get(module.__name__, ()))
            if module.__name__ != "__main__":
                names |= self.attributes
            for name in sorted(names & vars(module).keys()):
                if not name.endswith("__"):  # what Python adds to a module
                    title = f"{module.__name__}.{name}"
                    held[title] = self.value(title, vars(module)[name])
        return held

    def value(self, title: str, value: Any) -> str:
        """The digest of a value."""
        try:
            return _Writer.digest(value, self.codes)
        except Exception as error:  # pickling runs code of others
            raise ValueError(
                f"task cannot be told from others, by {title} = {shown(value)}: {error}; allowed with a "
                "store: functions and classes at the top level of a file, and data that can be pickled"
            ) from error


class _Writer(pickle.Pickler):
    """Writes a value, the same in every process; nobody reads it back."""

    def __init__(self, write: Callable, codes: dict[str, set[CodeType]]) -> None:
        super().__init__(SimpleNamespace(write=write), protocol=4)
        self.fast = True  # no memo: equal data give equal bytes, whether they are one object or two
        self.codes = codes
        self.classes: set[type] = set()  # on the way here

    @classmethod
    def digest(cls, thing: Any, codes: dict[str, set[CodeType]]) -> str:
        content = hashlib.sha256()
        cls(content.update, codes).dump(thing)
        return content.hexdigest()[:16]

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, (set, frozenset)):  # its order is another in the next process
            return sorted(self.digest(member, self.codes) for member in thing)
        return None

    def reducer_override(self, thing: Any) -> Any:
        if thing is repr:  # stands for whatever would put the parts together
            return NotImplemented
        if isinstance(thing, ModuleType):
            return repr, (thing.__name__,)
        bare = inspect.unwrap(thing) if hasattr(thing, "__wrapped__") else thing  # compiled, or cached
        if isinstance(bare, FunctionType):
            self._as_in_its_file(bare)
            if bare is thing and "<" in bare.__qualname__:
                return NotImplemented  # pickle refuses it
            return repr, (bare.__module__, bare.__qualname__, bare.__defaults__, bare.__kwdefaults__)
        if isinstance(thing, type) and not self._is_of_library(thing) and thing not in self.classes:
            self.classes.add(thing)
            for value in vars(thing).values():
                for name in ("__call__", "__func__", "fget", "fset", "func"):
                    method = value if name == "__call__" else getattr(value, name, None)
                    if isinstance(method, FunctionType) and method.__module__ == thing.__module__:
                        self._as_in_its_file(method)
            held = [
                pair for pair in sorted(vars(thing).items()) if pair[0][:2] != "__" and pair[0] != "_abc_impl"
            ]
            data = [
                pair for pair in held if isinstance(pair[1], FunctionType) or not hasattr(pair[1], "__get__")
            ]
            return repr, (thing.__module__, thing.__qualname__, thing.__bases__, data)
        return NotImplemented

    def _is_of_library(self, thing: Any) -> bool:
        """Whether code is a library's; a ValueError if it is neither that nor the project's."""
        library = _is_library(thing.__module__.partition(".")[0])
        if not library and thing.__module__ not in self.codes:
            raise ValueError(f"the file of the task does not import {thing.__module__}")
        return library

    def _as_in_its_file(self, function: FunctionType) -> None:
        if self._is_of_library(function) or function.__code__.co_filename.startswith("<"):  # of a dataclass
            return
        if function.__code__ not in self.codes[function.__module__]:
            raise ValueError(f"{function.__qualname__} is not what its file says now; start Python again")
