"""Finished replicas on a disk, and whose they are.

A store belongs to a seed and a task: a function at the top level of a file, with its arguments.  Its
record holds what files and arguments tell: the files of the task's module, of the modules that its
arguments come from and of all modules that these import, wherever the import stands.  `lattice` counts
by all of its files; Python and installed packages do not count.  What no file tells (data changed or a
function replaced at run time, another version of a package, another processor) shows when a stored
replica is made again: its bits must be the stored ones.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import io
import json
import os
import pickle
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name, spec_from_file_location
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from ._check import shown

__all__ = ["Store", "StoreError", "made_by"]

PACKAGE = Path(__file__).parent


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _lattice(folder: Path) -> str:
    """The digest of all files of a package, with their names."""
    files = [(str(path.relative_to(folder)), path.read_bytes()) for path in sorted(folder.rglob("*.py"))]
    return _digest(repr(files).encode())


LATTICE = _lattice(PACKAGE)  # while it is imported: later the files may be others than what runs

# The folder of a store

RECORD, LOCK, TEMPORARY = "ensemble.json", "lock", "unfinished.tmp"  # beside the results
NUMBERS = "(numbers)"  # of the replicas in a file; no identifier, so no result has this name


class StoreError(RuntimeError):
    """A store that cannot be used or written; nothing in it was changed or lost."""


class Store:
    """A folder of finished replicas.

    ``ensemble.json`` is the record of what made them; who writes writes it again, the same.  Each file
    ``<digest>.npz`` holds some replicas and their numbers; the digest is that of the record and of its
    bytes.  Files appear whole or not at all, and are never changed or removed.  So reading needs no lock.

    Parameters
    ----------
    folder : Path
        Need not exist before something is written.
    record : dict
        What may not change between two runs; plain enough for JSON, or with a ``tolist``.

    Attributes
    ----------
    first : tuple or None
        The stored replica of lowest number: this number, and its bits.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder = folder
        self.content = json.dumps(record, indent=1, sort_keys=True, default=lambda x: x.tolist()).encode()
        self.known: set[str] = set()  # names of the files that have been read
        self.first: tuple[int, dict[str, tuple]] | None = None

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"store {self.folder}: {error}; what is stored is kept") from error

    def read(self, put: Callable[[NDArray, dict[str, NDArray]], None]) -> None:
        """Hand over the numbers and the arrays of all files that are new; nothing is written."""
        with self._clear_errors():
            names = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
            if RECORD in names:
                self._compare((self.folder / RECORD).read_bytes())
            elif names - {LOCK, TEMPORARY}:
                other = min(names - {LOCK, TEMPORARY})
                raise StoreError(f"{self.folder} is not a store: it holds {other} but no {RECORD}")
            for name in sorted(names - self.known):
                if name.endswith(".npz"):
                    self._read(self.folder / name, put)
                    self.known.add(name)

    def _read(self, path: Path, put: Callable[[NDArray, dict[str, NDArray]], None]) -> None:
        content = path.read_bytes()
        try:
            if path.name != self._name(content):
                raise ValueError("its name is not that of its content in this store")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                block = dict(file)
            numbers = block.pop(NUMBERS)
            put(numbers, block)
        except ValueError as error:
            raise StoreError(
                f"{path} is corrupt, or of another store: {error}; remove it to have it made again"
            ) from error
        if self.first is None or numbers[0] < self.first[0]:
            self.first = int(numbers[0]), _bits({name: rows[0] for name, rows in block.items()})

    def _compare(self, content: bytes) -> None:
        """Make sure that the record is that of this ensemble."""
        now = json.loads(self.content)
        try:
            stored = dict(json.loads(content))
        except (TypeError, ValueError) as error:
            path = self.folder / RECORD
            raise StoreError(f"{path} is corrupt; a new store of this ensemble has the same") from error
        differ = [
            f"{key} (stored: {shown(stored.get(key))}, now: {shown(now.get(key))})"
            for key in sorted(stored.keys() | now.keys())
            if stored.get(key) != now.get(key)
        ]
        if differ:
            how = ", ".join(differ[:4]) + ", …" * (len(differ) > 4)
            raise StoreError(f"store {self.folder} was made with another {how}; use another folder")

    def check(self, again: tuple[int, dict[str, NDArray]]) -> None:
        """Make sure that the first replica, made again, has the bits that are stored."""
        number, arrays = again
        if (number, _bits(arrays)) != self.first:
            raise StoreError(
                f"store {self.folder}: replica {number}, made again, is not the stored one: its task draws "
                "from more than its rng, or reads other data than it did, or an installed package or the "
                "processor is another; nothing was changed; use another folder"
            )

    def lock(self, stack: contextlib.ExitStack) -> None:
        """Keep out other runs until `stack` ends."""
        import fcntl  # POSIX only, and only who writes needs it

        with self._clear_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / LOCK, "a")  # noqa: SIM115 - for as long as the stack
            stack.callback(file.close)
            os.register_at_fork(after_in_child=file.close)  # a child would keep the lock
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # dies with this process
            except BlockingIOError as error:
                raise StoreError(f"store {self.folder} is in use by another run") from error

    def begin(self) -> None:
        """Write the record, again if it is there: if nothing can be written, say so now."""
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

    def add(self, numbers: list[int], arrays: dict[str, NDArray]) -> None:
        """Write these replicas, rows of the arrays, as one file."""
        rows = np.array(sorted(numbers))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:  # np.savez takes no result named "file"
            for name, array in {
                NUMBERS: rows,
                **{name: array[rows] for name, array in arrays.items()},
            }.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        content = buffer.getvalue()
        self._write(self._name(content), content)

    def _name(self, content: bytes) -> str:
        return f"{_digest(self.content + content)}.npz"


def _bits(arrays: dict[str, NDArray]) -> dict[str, tuple]:
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


# Whose replicas they are

STANDARD = Path(sysconfig.get_path("stdlib"))


def made_by(task: Callable, seed: SeedSequence) -> dict[str, Any]:
    """The record of a store: what may not change between two runs.

    Raises
    ------
    ValueError
        If the task or its arguments cannot be told from others.
    StoreError
        If the files of `lattice` are no longer those that were imported.
    """
    if _lattice(PACKAGE) != LATTICE:
        raise StoreError("the files of lattice have changed since it was imported; start Python again")
    function, arguments = task, ()
    if isinstance(task, functools.partial):
        function, arguments = task.func, (task.args, sorted(task.keywords.items()))
    pickler = _Pickler(written := io.BytesIO())
    try:
        name = pickler.persistent_id(function)
        if name is None:
            raise ValueError("it is no function at the top level of a file")
        pickler.dump(arguments)
    except Exception as error:  # pickling runs code of others
        raise ValueError(
            f"task = {shown(task)} cannot be told from others: {error}; allowed with a store: a function "
            "at the top level of a file, or a functools.partial of it; arguments that can be pickled, no sets"
        ) from error
    return {
        "format": 3,
        "task": name,
        "seed": [seed.entropy, seed.spawn_key, seed.pool_size],
        "arguments": _digest(written.getvalue()),
        "lattice": LATTICE,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",  # compiles differently
        **_files(sorted(pickler.modules)),
    }


class _Pickler(pickle.Pickler):
    """Writes arguments, the same in every process; nobody reads them back."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, protocol=4)
        self.fast = True  # no memo: equal data give equal bytes, whether they are one object or two
        self.modules: set[str] = set()  # of what has been seen

    def persistent_id(self, thing: Any) -> str | None:
        """Name a function or class at the top level of a module; the parts of anything else are written."""
        if isinstance(thing, (set, frozenset)):
            raise ValueError(f"{shown(thing)} has another order in the next process")
        home = getattr(thing, "__module__", None)
        if not isinstance(home, str) or home not in sys.modules:
            return None
        if _spec(home) is None:
            raise ValueError(f"{shown(thing)} is of no file")
        self.modules.add(home)
        name = getattr(thing, "__qualname__", None)
        return f"{home}.{name}" if vars(sys.modules[home]).get(name) is thing else None


def _spec(name: str) -> ModuleSpec | None:
    """Where a module lies; None if it cannot be found, so not be imported either."""
    with contextlib.suppress(Exception, SystemExit):  # packages around it are run
        return find_spec(name)
    script = getattr(sys.modules.get(name), "__file__", None)
    return spec_from_file_location(name, script) if script else None


def _is_library(spec: ModuleSpec) -> bool:
    """Whether a top-level module is Python's, an installed package or `lattice`: known by where it lies."""
    place = Path(spec.origin or next(iter(spec.submodule_search_locations or [""])))
    return bool(
        spec.origin in ("built-in", "frozen")
        or {"site-packages", "dist-packages"} & set(place.parts)
        or place.is_relative_to(STANDARD)
        or place.is_relative_to(PACKAGE)
    )


def _files(modules: list[str]) -> dict[str, str]:
    """Digests of the files of modules and of all that these import, those of libraries left out."""
    files = {}
    for name in modules:  # grows by what they import
        root = _spec(name.partition(".")[0])
        if f"file of {name}" in files or root is None or _is_library(root):
            continue
        spec = _spec(name)
        if spec and spec.has_location:  # no folder
            content = Path(spec.origin).read_bytes()
            files[f"file of {name}"] = _digest(content)
            if spec.origin.endswith(".py"):  # not compiled
                modules += _imports(content, spec.parent)
    return files


def _imports(content: bytes, package: str) -> list[str]:
    """All modules that import statements may mean, wherever they stand, with the packages around them."""
    names = [package]
    with contextlib.suppress(SyntaxError):  # a file that cannot be imported
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                with contextlib.suppress(ImportError):  # beyond the package
                    base = resolve_name("." * node.level + (node.module or ""), package)
                    names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    parts = [name.split(".") for name in names if name]
    return [".".join(part[:stop]) for part in parts for stop in range(1, len(part) + 1)]
