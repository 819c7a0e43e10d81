"""The one way of doing many replicas: seeds, map, store, progress.

:func:`ensemble` runs ``task(rng)`` once per replica, each with its own random
stream, wherever the caller's `map` sends it, and stacks the results in the
order of the replicas.  What it returns depends on the task and the seed alone.
"""

from __future__ import annotations

import contextlib
import dis
import hashlib
import io
import itertools
import json
import os
import re
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import ArrayLike, NDArray

__all__ = ["ReplicaError", "StoreError", "ensemble"]

BARE = "(array)"  # the name of a result that is not a dict; no identifier, so no dict can hold it
TEMPORARY = re.compile(r"\d+-\d+\.tmp")  # a file on its way into a store: process, thread
WRITE_EVERY = 1.0  # seconds between two files of a store: few files, and little to lose


class StoreError(RuntimeError):
    """A store that cannot be used or written; nothing in it was changed or lost."""


class ReplicaError(RuntimeError):
    """A replica that failed; `index` says which, the cause says why."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(index, reason)  # both arguments, so that it survives the way back from a worker
        self.index = index
        self.reason = reason

    def __str__(self) -> str:
        return f"replica {self.index}: {self.reason}"


@dataclass(frozen=True)
class _Replica:
    """What travels to a worker: replica i of a task, a function of i alone."""

    task: Callable[[Generator], Any]
    entropy: Any
    spawn_key: tuple[int, ...]
    pool_size: int

    def __call__(self, index: int) -> tuple[int, dict[str, NDArray]]:
        # what SeedSequence.spawn gives as child `index`, whatever the number of children
        key = (*self.spawn_key, index)
        rng = np.random.default_rng(SeedSequence(self.entropy, spawn_key=key, pool_size=self.pool_size))
        try:
            return index, _arrays(self.task(rng))
        except Exception as error:
            raise ReplicaError(index, f"{type(error).__name__}: {error}") from error


def _arrays(result: Any) -> dict[str, NDArray]:
    """The arrays of a result by name, as float64 or complex128, all of them finite."""
    if not isinstance(result, dict):
        result = {BARE: result}
    elif not result or not all(isinstance(name, str) and name.isidentifier() for name in result):
        raise ValueError(f"the task returned a dict with the names {list(result)}; allowed: identifiers")
    arrays = {}
    for name, value in result.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise ValueError(f"the task returned {value!r}; allowed: numbers, or a dict of them")
        array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
        arrays[name] = array
    return arrays


class _Results:
    """The stacked results, each of shape (size, ...), filled in as they arrive."""

    def __init__(self, size: int) -> None:
        self.done = np.zeros(size, dtype=bool)
        self.arrays: dict[str, NDArray] = {}

    def put(self, start: int, block: dict[str, NDArray]) -> None:
        """Lay the rows of `block` at replica `start` and after; what lies beyond the end is dropped."""
        kinds = {name: (a.shape[1:], a.dtype) for name, a in block.items()}
        if not self.arrays:
            size = self.done.size
            self.arrays = {name: np.empty((size, *shape), dtype) for name, (shape, dtype) in kinds.items()}
        expected = {name: (a.shape[1:], a.dtype) for name, a in self.arrays.items()}
        if kinds != expected:
            raise ValueError(f"results differ in names, shape or type: {kinds}, others {expected}")
        for name, rows in block.items():
            target = self.arrays[name][start : start + len(rows)]
            target[...] = rows[: len(target)]
            self.done[start : start + len(rows)] = True


class _Store:
    """A folder of finished replicas.

    ``ensemble.json`` records what made them.  A file ``<first>-<stop>-<digest>.npz``
    holds the replicas first, ..., stop - 1; the digest is that of their numbers
    and of its bytes.  Files appear whole or not at all, and are never changed or removed.
    """

    def __init__(self, folder: Path, made_by: dict[str, Any]) -> None:
        self.folder = folder
        self.record = folder / "ensemble.json"
        with self._clear_errors(), contextlib.ExitStack() as stack:
            folder.mkdir(parents=True, exist_ok=True)
            self._refuse_other_folders()
            self.lock = stack.enter_context(open(folder / "lock", "a"))
            self._take_lock()
            self._check(made_by)
            stack.pop_all()  # from here on close() ends the lock

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"store {self.folder}: {error}; what is stored is kept") from error

    def _refuse_other_folders(self) -> None:
        names = {path.name for path in self.folder.iterdir()}
        others = sorted(name for name in names - {"lock"} if not TEMPORARY.fullmatch(name))
        if others and self.record.name not in names:
            raise StoreError(f"{self.folder} is not a store: it holds {others[0]} but no {self.record.name}")

    def _take_lock(self) -> None:
        import fcntl  # POSIX only, and only a store needs it

        try:
            # a record lock dies with this process and, unlike flock, is not inherited by pool workers
            fcntl.lockf(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise StoreError(f"store {self.folder} is in use by another run") from error
        for path in list(self.folder.iterdir()):  # leftovers of a killed run, not of a thread of this one
            if TEMPORARY.fullmatch(path.name) and not path.name.startswith(f"{os.getpid()}-"):
                path.unlink()

    def _check(self, made_by: dict[str, Any]) -> None:
        if not self.record.exists():
            self._write(self.record.name, json.dumps(made_by, indent=1).encode())
        try:
            stored = dict(json.loads(self.record.read_bytes()))
        except (TypeError, ValueError) as error:
            raise StoreError(
                f"{self.record} is corrupt; what is stored is kept, a new store has the same file"
            ) from error
        differ = [key for key in made_by if stored.get(key) != made_by[key]]
        if differ:
            how = ", ".join(f"{key} (stored: {stored.get(key)}, now: {made_by[key]})" for key in differ)
            raise StoreError(
                f"store {self.folder} was made with another {how}; what is stored is kept, use another folder"
            )

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, and on the disk before it is visible."""
        temporary = self.folder / f"{os.getpid()}-{threading.get_ident()}.tmp"
        with self._clear_errors():
            try:
                with open(temporary, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self.folder / name)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # the name, too
            finally:
                os.close(descriptor)

    def read_into(self, results: _Results) -> None:
        """Fill in all that is stored; a damaged file is named."""
        for path in sorted(self.folder.glob("*.npz")):
            try:
                content = path.read_bytes()
                first, stop = map(int, path.name.split("-")[:2])
                if path.name != self._name(first, stop, content):
                    raise ValueError("its content does not match its name")
                with np.load(io.BytesIO(content), allow_pickle=False) as block:
                    results.put(first, {name: block[name] for name in block.files})
            except (OSError, ValueError) as error:
                raise StoreError(
                    f"{path} is corrupt: {error}; the other files are kept, "
                    "remove this one to compute its replicas again"
                ) from error

    def add(self, indices: Iterable[int], results: _Results) -> None:
        """Write these replicas, one file per run of consecutive ones."""
        for _, group in itertools.groupby(enumerate(sorted(indices)), lambda pair: pair[1] - pair[0]):
            run = [index for _, index in group]
            first, stop = run[0], run[-1] + 1
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:  # an .npz without dates: same results, same bytes
                for name, array in results.arrays.items():
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array[first:stop], allow_pickle=False)
            content = buffer.getvalue()
            self._write(self._name(first, stop, content), content)

    @staticmethod
    def _name(first: int, stop: int, content: bytes) -> str:
        digest = hashlib.sha256(f"{first}-{stop}".encode() + content).hexdigest()[:16]
        return f"{first}-{stop}-{digest}.npz"

    def close(self) -> None:
        self.lock.close()


def _is_library(module: str | None) -> bool:
    """Whether a module is Python's or an installed package's; `lattice` counts as the task's own."""
    root = (module or "builtins").partition(".")[0]
    if root in ("lattice", "__main__"):
        return False
    folders = Path(getattr(sys.modules.get(root), "__file__", None) or "").parts
    return root in sys.stdlib_module_names or "site-packages" in folders or "dist-packages" in folders


def _globals_of(function: FunctionType) -> list[tuple[str, Any]]:
    """The globals a function reads, and what it reads out of modules of its own project."""
    codes = [function.__code__]
    for code in codes:  # grows by the functions defined inside
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
    steps = itertools.chain.from_iterable(dis.get_instructions(code) for code in codes)
    names = {step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    found, spaces = [], [function.__globals__]
    for space in spaces:  # grows by the modules met on the way
        for name in sorted(names & space.keys()):
            value = space[name]
            if not isinstance(value, ModuleType) or _is_library(value.__name__):
                found.append((name, value))
            elif all(vars(value) is not known for known in spaces):
                spaces.append(vars(value))
        names = {name for code in codes for name in code.co_names}  # attributes, too
    return found


def _members(kind: type) -> dict[str, Any]:
    """The methods and the plain data of a class."""
    members = {}
    for name, value in vars(kind).items():
        inner = (getattr(value, attribute, None) for attribute in ("__wrapped__", "fget", "func"))
        method = next(filter(None, inner), value)  # of a class method, a property, …
        plain = isinstance(value, (bool, int, float, complex, str, tuple, np.ndarray))
        if isinstance(method, FunctionType) or (plain and not name.startswith("__")):
            members[name] = method
    return members


def _content(thing: Any) -> bytes | list[Any]:
    """What makes a thing what it is: bytes, or a list of further things."""
    inner = getattr(thing, "py_func", None) or getattr(thing, "__wrapped__", None)
    match thing:
        case None | bool() | int() | float() | complex() | str() | bytes():
            return repr(thing).encode()
        case tuple() | list():
            return list(thing)
        case dict():
            return [part for item in thing.items() for part in item]
        case set() | frozenset():
            return sorted(_digest(member, {}) for member in thing)
        case np.ndarray() | np.generic() if not thing.dtype.hasobject:
            return [thing.dtype.str, thing.shape, thing.tobytes()]
        case ModuleType():
            return thing.__name__.encode()
        case CodeType():
            return [thing.co_code, thing.co_names, thing.co_consts]
        case FunctionType() if not _is_library(thing.__module__):
            cells = [cell.cell_contents for cell in thing.__closure__ or ()]
            return [thing.__code__, thing.__defaults__, thing.__kwdefaults__, cells, _globals_of(thing)]
        case MethodType():
            return [thing.__func__, thing.__self__]
        case type() if not _is_library(thing.__module__):
            return [thing.__qualname__, thing.__bases__, _members(thing)]
        case _ if inner is not None:  # a compiled or cached function
            return [inner]
        case _ if hasattr(thing, "__name__"):  # of Python or of a library: known by its name
            owner = getattr(thing, "__self__", None)
            return [str(getattr(thing, "__module__", "")), thing.__name__, owner]
    return [list(part) if isinstance(part, Iterator) else part for part in thing.__reduce_ex__(4)]


def _digest(thing: Any, seen: dict[int, tuple[Any, bytes]]) -> bytes:
    """Digest of a thing by its content: the same in every process that runs the same code."""
    if id(thing) not in seen:
        seen[id(thing)] = (thing, b"a circle")  # keeps it alive, so that its id stays its own
        content = _content(thing)
        if isinstance(content, list):
            content = b"".join(_digest(part, seen) for part in content)
        seen[id(thing)] = (thing, hashlib.sha256(type(thing).__name__.encode() + content).digest())
    return seen[id(thing)][1]


def ensemble(
    task: Callable[[Generator], ArrayLike | dict[str, ArrayLike]],
    size: int,
    *,
    seed: int | SeedSequence,
    map: Callable[..., Iterable] = map,
    store: str | os.PathLike | None = None,
    progress: bool | str | None = None,
) -> NDArray | dict[str, NDArray]:
    """Run a task once per replica, each with its own random stream, and stack the results.

    Parameters
    ----------
    task : callable
        ``task(rng)`` computes one replica with its Generator and returns a
        number, an array or a dict of them: finite, and of the same names and
        shapes for every replica.  Process pools and clusters have to pickle it.
    size : int
        Number of replicas, at least 1.
    seed : int or SeedSequence
        Replica i draws from child i of the seed, the one that ``spawn`` would
        give: streams depend neither on `size` nor on `map`.  The seed itself is
        not changed, so the same seed gives the same replicas every time; use
        one seed per ensemble (children of a common one, for example).
    map : callable
        Anything like the builtin: the ``map`` of a thread or process pool,
        ``imap`` or ``imap_unordered`` of a multiprocessing pool,
        ``dask.distributed.Client.map`` (whatever has a ``result()`` is asked for it).
    store : path, optional
        A folder that keeps finished replicas.  A run that was killed and is
        started again computes only what is missing; a larger `size` continues
        where a smaller one ended.  One run at a time may use it (POSIX only).
    progress : bool or str, optional
        Show a bar on stderr, with a label if it is a string.  The environment
        variable ``TQDM_DISABLE=1`` silences it, as the build of the book does.

    Returns
    -------
    (size, ...) array, or dict of such arrays
        Row i is the result of replica i: float64, or complex128 if complex.

    Raises
    ------
    ValueError
        If an argument is not allowed, before any replica is run.
    ReplicaError
        If the task raises or returns something that is not allowed; names the replica.
    StoreError
        If the store belongs to another seed or other code, is in use, is
        damaged or cannot be written (a full disk).

    Notes
    -----
    The calling process writes the store, at most one file a second, as results
    arrive; a kill loses what arrived since the last one and what was in flight.
    A `map` that returns only when all is done (``multiprocessing.Pool.map``)
    therefore stores nothing before its end.  Before an exception leaves, what
    has arrived is stored.

    Code is recognised by its bytecode, with its defaults, closures and globals
    and everything of the same project and of `lattice` that it calls; comments
    and line numbers do not count, nor do the versions of installed packages.

    Examples
    --------
    >>> ensemble(lambda rng: rng.normal(size=3), 5, seed=1).shape
    (5, 3)
    """
    if not callable(task):
        raise ValueError(f"task = {task!r}; allowed: a callable task(rng)")
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size = {size!r}; allowed: an integer of at least 1")
    if not callable(map):
        raise ValueError(f"map = {map!r}; allowed: a callable like the builtin map")
    if not (progress is None or isinstance(progress, (bool, str))):
        raise ValueError(f"progress = {progress!r}; allowed: None, True, False or a label")
    replica = _Replica(task, *_stream(seed))
    results = _Results(int(size))
    with contextlib.ExitStack() as stack:
        kept = None
        if store is not None:
            kept = stack.enter_context(contextlib.closing(_Store(_folder(store), _made_by(replica))))
            kept.read_into(results)
        _fill(results, replica, map, kept, progress)
    return results.arrays.get(BARE, results.arrays)


def _fill(
    results: _Results, replica: _Replica, map: Callable, kept: _Store | None, progress: bool | str | None
) -> None:
    """Compute what is missing and store it as it arrives."""
    missing = np.flatnonzero(~results.done).tolist()
    if not missing:
        return
    unsaved: list[int] = []

    def save() -> None:
        indices = unsaved.copy()
        unsaved.clear()  # first: what cannot be written is not tried again on the way out
        if kept is not None:
            kept.add(indices, results)

    with contextlib.ExitStack() as stack:
        stack.callback(save)
        bar = None
        if progress:
            from tqdm import tqdm  # only who wants a bar loads it

            label, done = progress if isinstance(progress, str) else None, results.done.size - len(missing)
            bar = stack.enter_context(tqdm(desc=label, total=results.done.size, initial=done, unit="replica"))
        arriving = stack.enter_context(contextlib.closing(_arriving(map(replica, missing))))
        written = time.monotonic()
        for index, arrays in arriving:
            try:
                results.put(index, {name: array[None] for name, array in arrays.items()})
            except ValueError as error:
                raise ReplicaError(index, str(error)) from error
            unsaved.append(index)
            if time.monotonic() - written >= WRITE_EVERY:
                save()
                written = time.monotonic()
            if bar is not None:
                bar.update()
    if not results.done.all():
        left_out = int(results.done.argmin())
        raise ValueError(f"map = {map!r} left out replica {left_out}; allowed: one result for each")


def _arriving(results: Iterable) -> Iterator[tuple[int, dict[str, NDArray]]]:
    """What a map gives, futures waited for; to close this drops what has not started."""
    if isinstance(results, list):  # a cluster keeps, and works for, what is still referred to
        waiting = results[::-1]
        results.clear()
        results = (waiting.pop() for _ in range(len(waiting)))
    for item in results:
        yield item.result() if hasattr(item, "result") else item


def _stream(seed: int | SeedSequence) -> tuple[Any, tuple[int, ...], int]:
    """Entropy, spawn key and pool size of a seed, as plain numbers."""
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        seed = SeedSequence(int(seed))
    if not isinstance(seed, SeedSequence):
        raise ValueError(f"seed = {seed!r}; allowed: an integer, not negative, or a SeedSequence")
    if seed.n_children_spawned:
        raise ValueError(f"seed = {seed!r} has spawned, its children are in use; allowed: one that has not")
    entropy = seed.entropy if isinstance(seed.entropy, (int, str)) else [int(word) for word in seed.entropy]
    return entropy, tuple(int(k) for k in seed.spawn_key), seed.pool_size


def _folder(store: str | os.PathLike) -> Path:
    folder = Path(store) if store and isinstance(store, (str, os.PathLike)) else None
    if folder is None or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"store = {store!r}; allowed: a folder, or a path where one can be made")
    return folder


def _made_by(replica: _Replica) -> dict[str, Any]:
    """What the record of a store says: whatever may not change between two runs."""
    task = getattr(replica.task, "func", replica.task)  # of a functools.partial
    try:
        code = _digest(replica.task, {}).hex()[:16]
    except (TypeError, ValueError) as error:
        raise ValueError(f"task = {replica.task!r} cannot be told from other code ({error}); "
                         "allowed with a store: functions of plain data") from error  # fmt: skip
    return {
        "format": 1,
        "task": getattr(task, "__qualname__", type(task).__qualname__),
        "seed": [replica.entropy, list(replica.spawn_key), replica.pool_size],
        "code": code,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",  # bytecode differs between versions
    }
