"""The one way of doing many replicas: seeds, map, store, progress.

:func:`ensemble` runs ``task(rng)`` once per replica, each with its own random
stream, wherever the caller's `map` sends it, and stacks the results in the
order of the replicas.  What it returns depends on the task and the seed alone.
"""

from __future__ import annotations

import contextlib
import dis
import hashlib
import inspect
import io
import itertools
import json
import os
import pickle
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import ArrayLike, NDArray

__all__ = ["ReplicaError", "StoreError", "ensemble"]

BARE = "(array)"  # the name of a result that is not a dict; no identifier, so no dict can hold it
RECORD, LOCK, TEMPORARY = "ensemble.json", "lock", "unfinished.tmp"  # beside the results in a store
WRITE_EVERY = 1.0  # seconds between two files of a store: few files, and little to lose
# Of all of the package, while it is being imported: later the files may be others than what runs.
FILES = sorted(Path(__file__).parent.rglob("*.py"))
LATTICE = hashlib.sha256(b"".join(path.read_bytes() for path in FILES)).hexdigest()[:16]


class StoreError(RuntimeError):
    """A store that cannot be used or written; nothing in it was changed or lost."""


class ReplicaError(RuntimeError):
    """A replica that failed; `index` says which, the cause says why."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(index, reason)  # both arguments, so that it survives the way back from a worker
        self.index = index

    def __str__(self) -> str:
        return f"replica {self.index}: {self.args[1]}"


@dataclass(frozen=True)
class _Replica:
    """What travels to a worker: replica i of a task, a function of i alone."""

    task: Callable[[Generator], Any]
    seed: SeedSequence

    def __call__(self, index: int) -> tuple[int, dict[str, NDArray]]:
        # what seed.spawn gives as child `index`, whatever the number of children
        key = (*self.seed.spawn_key, index)
        child = SeedSequence(self.seed.entropy, spawn_key=key, pool_size=self.seed.pool_size)
        try:
            return index, _arrays(self.task(np.random.default_rng(child)))
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
        kinds = {name: (rows.shape[1:], rows.dtype) for name, rows in block.items()}
        if not self.arrays:
            size = self.done.size
            self.arrays = {name: np.empty((size, *shape), dtype) for name, (shape, dtype) in kinds.items()}
        expected = {name: (rows.shape[1:], rows.dtype) for name, rows in self.arrays.items()}
        if kinds != expected:
            raise ValueError(f"results differ in names, shape or type: {kinds}, others {expected}")
        for name, rows in block.items():
            target = self.arrays[name][start : start + len(rows)]
            target[...] = rows[: len(target)]
            self.done[start : start + len(rows)] = True


@dataclass(frozen=True)
class _Store:
    """A folder of finished replicas.

    ``ensemble.json`` records what made them.  A file ``<first>-<stop>-<digest>.npz``
    holds the replicas first, ..., stop - 1; the digest is that of their numbers
    and of its bytes.  Files appear whole or not at all, and are never changed or removed.
    """

    folder: Path

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"store {self.folder}: {error}; what is stored is kept") from error

    def open(self, made_by: dict[str, Any], stack: contextlib.ExitStack) -> None:
        """Make sure that it is a store of this ensemble, and keep other runs out until `stack` ends."""
        import fcntl  # POSIX only, and only a store needs it

        with self._clear_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.folder.iterdir()} - {LOCK, TEMPORARY}
            if names and RECORD not in names:
                raise StoreError(f"{self.folder} is not a store: it holds {min(names)} but no {RECORD}")
            lock = open(self.folder / LOCK, "a")  # noqa: SIM115 - for as long as the stack
            stack.callback(lock.close)
            try:
                # a record lock dies with this process and, unlike flock, is not inherited by pool workers
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                raise StoreError(f"store {self.folder} is in use by another run") from error
            record = self.folder / RECORD
            if not record.exists():
                self._write(RECORD, json.dumps(made_by, indent=1).encode())
            try:
                stored = dict(json.loads(record.read_bytes()))
            except (TypeError, ValueError) as error:
                raise StoreError(f"{record} is corrupt; a new store of this ensemble has the same") from error
        differ = [key for key, now in made_by.items() if stored.get(key) != now]
        if differ:
            how = ", ".join(f"{key} (stored: {stored.get(key)}, now: {made_by[key]})" for key in differ)
            raise StoreError(f"store {self.folder} was made with another {how}; use another folder")

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
                raise StoreError(f"{path} is corrupt: {error}; remove it to have it made again") from error

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


def _is_library(module: str | None) -> bool:
    """Whether a module is Python's, an installed package's or `lattice`: known by its name."""
    root = (module or "__main__").partition(".")[0]
    folders = Path(getattr(sys.modules.get(root), "__file__", None) or "").parts
    installed = root in sys.stdlib_module_names or "site-packages" in folders or "dist-packages" in folders
    return root == "lattice" or (installed and root != "__main__")


class _Identity(pickle.Pickler):
    """Writes what a task is, in every process alike; nobody reads it back.

    Data goes by value, what a library or `lattice` defines by its name, other
    functions, classes and modules by their source and all that they refer to.
    """

    def __init__(self, write: Callable, seen: dict[Any, int]) -> None:
        super().__init__(SimpleNamespace(write=write), protocol=4)
        self.seen = seen.copy()  # functions, classes and modules on the way here
        self.fast = True  # no memo: equal data give equal bytes, whether they are one object or two

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, (set, frozenset)):  # its order is another in the next process
            return sorted(_digest(member, self.seen) for member in thing)
        return None

    def reducer_override(self, thing: Any) -> Any:
        # `repr` stands for whatever would put the parts together
        if isinstance(thing, FunctionType | type | ModuleType):
            module = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
            if _is_library(module):
                return repr, (module, getattr(thing, "__qualname__", None))
            if thing in self.seen:  # in a circle, perhaps
                return repr, (self.seen[thing],)
            self.seen[thing] = len(self.seen)
            parts = _of_function if isinstance(thing, FunctionType) else _of_class
            return repr, (_of_module if isinstance(thing, ModuleType) else parts)(thing)
        if isinstance(thing, cached_property):
            return repr, (thing.func,)
        # compiled and cached functions, class methods, properties
        inner = [getattr(thing, name, None) for name in ("__wrapped__", "fget", "fset", "fdel")]
        return (repr, (inner,)) if any(inner) and _is_library(type(thing).__module__) else NotImplemented


def _of_function(function: FunctionType) -> tuple:
    """The source of a function, what was compiled from it, and all that it reads."""
    codes, names = [function.__code__], set()
    for code in codes:  # grows by the functions defined inside, which inspect.getclosurevars does not see
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
        steps = dis.get_instructions(code)
        names |= {step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    # a file may have been edited since, and a line can hold two lambdas: so the source is not enough
    constants = [const for code in codes for const in code.co_consts if not isinstance(const, CodeType)]
    compiled = [(code.co_code, code.co_names) for code in codes], constants
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    read = [(name, function.__globals__[name]) for name in sorted(names & function.__globals__.keys())]
    source = inspect.getsource(function.__code__)
    return source, compiled, function.__defaults__, function.__kwdefaults__, cells, read


def _of_class(kind: type) -> tuple:
    """The methods and the data of a class."""
    fields = getattr(kind, "__dataclass_fields__", {}).values()
    found = [(field.name, field.default, field.default_factory) for field in fields]
    for name, value in sorted(vars(kind).items()):
        code = getattr(inspect.unwrap(value), "__code__", None)
        written = code and code.co_filename != "<string>"  # else a dataclass made it of its fields
        if written or not name.startswith(("__", "_abc_impl")):
            found.append((name, value))
    return kind.__qualname__, kind.__bases__, found


def _of_module(module: ModuleType) -> tuple:
    """The source of a module, and what it holds: imported things, too."""
    data = FunctionType | type | ModuleType | int | float | complex | str | tuple | np.ndarray
    held = [(name, value) for name, value in vars(module).items() if isinstance(value, data)]
    return inspect.getsource(module), [pair for pair in held if not pair[0].startswith("__")]


def _digest(thing: Any, seen: dict[Any, int]) -> str:
    content = hashlib.sha256()
    _Identity(content.update, seen).dump(thing)
    return content.hexdigest()[:16]


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
        give, whatever `size` and `map`.  The seed itself is not changed; use
        one per ensemble (children of a common one, for example).
    map : callable
        Anything like the builtin: the ``map`` of a thread or process pool,
        ``imap`` or ``imap_unordered`` of a multiprocessing pool,
        ``dask.distributed.Client.map`` (whatever has a ``result()`` is asked for it).
    store : path, optional
        A folder that keeps finished replicas.  A run that was killed and is
        started again computes only what is missing; a larger `size` continues
        where a smaller one ended.  One run at a time may use it (POSIX only).
    progress : bool or str, optional
        Show a bar on stderr, with a label if it is a string; ``TQDM_DISABLE=1``
        in the environment silences it, as the build of the book does.

    Returns
    -------
    (size, ...) array, or dict of such arrays
        Row i is the result of replica i: float64, or complex128 if complex.

    Raises
    ------
    ValueError
        If an argument is not allowed, before any replica is run; with a store
        also if the source of the task is not found, or its arguments cannot be pickled.
    ReplicaError
        If the task raises or returns something that is not allowed; names the replica.
    StoreError
        If the store belongs to another seed or other code, is in use, is
        damaged or cannot be written (a full disk).

    Notes
    -----
    Results are written as they arrive, at most one file a second, and before
    an exception leaves.  A kill loses what arrived since the last file; a `map`
    that returns only when all is done (``multiprocessing.Pool.map``) stores nothing before.

    A store belongs to the code of its task: the source (comments, too) of its
    functions and of all that they use of the same project, with the values of
    arguments, closures and globals.  Any change in the files of `lattice` is other
    code, even where the task does not use them; new versions of other packages are not.

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
    folder = Path(store) if store and isinstance(store, (str, os.PathLike)) else None
    if store is not None and (folder is None or (folder.exists() and not folder.is_dir())):
        raise ValueError(f"store = {store!r}; allowed: a folder, or a path where one can be made")
    replica = _Replica(task, _unspawned(seed))
    results = _Results(int(size))
    with contextlib.ExitStack() as stack:
        kept = _Store(folder) if folder else None
        if kept:
            kept.open(_made_by(replica), stack)
            kept.read_into(results)
        missing = np.flatnonzero(~results.done).tolist()
        if missing:
            arriving = stack.enter_context(contextlib.closing(_arriving(map(replica, missing))))
            if progress:
                from tqdm import tqdm  # only who wants a bar loads it

                label, done = progress if isinstance(progress, str) else None, int(size) - len(missing)
                bar = tqdm(arriving, label, total=int(size), initial=done, unit="replica")
                arriving = stack.enter_context(bar)
            _fill(results, arriving, kept)
    if not results.done.all():
        left_out = int(results.done.argmin())
        raise ValueError(f"map = {map!r} left out replica {left_out}; allowed: one result for each")
    return results.arrays.get(BARE, results.arrays)


def _fill(results: _Results, arriving: Iterable, kept: _Store | None) -> None:
    """Take what arrives, and store it from time to time and at the end."""
    unsaved: list[int] = []

    def save() -> None:
        indices = unsaved.copy()
        unsaved.clear()  # first: what cannot be written is not tried again on the way out
        if kept:
            kept.add(indices, results)

    with contextlib.ExitStack() as stack:
        stack.callback(save)
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


def _arriving(results: Iterable) -> Iterator[tuple[int, dict[str, NDArray]]]:
    """What a map gives, futures waited for; to close this drops what has not started."""
    if isinstance(results, list):  # a cluster keeps, and works for, what is still referred to
        waiting = results[::-1]
        results.clear()
        results = (waiting.pop() for _ in range(len(waiting)))
    for item in results:
        yield item.result() if hasattr(item, "result") else item


def _unspawned(seed: int | SeedSequence) -> SeedSequence:
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return SeedSequence(int(seed))
    if not isinstance(seed, SeedSequence):
        raise ValueError(f"seed = {seed!r}; allowed: an integer, not negative, or a SeedSequence")
    if seed.n_children_spawned:
        raise ValueError(f"seed = {seed!r} has spawned, its children are in use; allowed: one that has not")
    return seed


def _made_by(replica: _Replica) -> dict[str, Any]:
    """What the record of a store says: whatever may not change between two runs."""
    task, seed = getattr(replica.task, "func", replica.task), replica.seed  # of a functools.partial
    try:
        code = _digest(replica.task, {})
    except Exception as error:  # pickling runs code of others
        raise ValueError(f"task = {replica.task!r} cannot be told from other code ({error}); allowed with "
                         "a store: functions whose source is found, of plain data") from error  # fmt: skip
    return {
        "format": 1,
        "task": getattr(task, "__qualname__", type(task).__qualname__),
        "seed": [np.asarray(seed.entropy).tolist(), list(seed.spawn_key), seed.pool_size],
        "code": code,
        "lattice": LATTICE,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",  # compiles differently
    }
