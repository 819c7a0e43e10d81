"""The one way of doing many replicas: seeds, map, store, progress.

:func:`ensemble` runs ``task(rng)`` once per replica, each with its own random
stream, wherever the caller's `map` sends it, and stacks the results in the
order of the replicas.  What it returns depends on the task and the seed alone.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import BitGenerator, Generator, SeedSequence
from numpy.typing import ArrayLike, NDArray

from ._check import generator, instance, integer, shown
from ._store import Store, StoreError, made_by

__all__ = ["ReplicaError", "StoreError", "ensemble"]

BARE = "(array)"  # the name of a result that is not a dict; no identifier, so no dict can hold it
MOST = 10**8  # replicas: more would take days to seed
WRITE_EVERY = 1.0  # seconds between two files of a store: few files, and little to lose


class ReplicaError(RuntimeError):
    """A replica that failed; the cause of the error says why.

    Parameters
    ----------
    index : int
        Which replica.
    reason : str
        Why it failed, in one line.
    """

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
        if array.dtype.kind not in "biufc" or np.ma.is_masked(value):
            raise ValueError(f"the task returned {shown(value)}; allowed: numbers, or a dict of them")
        with np.errstate(over="ignore"):  # it is infinite then
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

    def put(self, numbers: NDArray, block: dict[str, NDArray]) -> None:
        """Take the rows of `block` for the replicas of these numbers; what lies beyond the end is dropped."""
        kinds = {name: (rows.shape[1:], rows.dtype) for name, rows in block.items()}
        if not self.arrays:
            size = self.done.size
            self.arrays = {name: np.empty((size, *shape), dtype) for name, (shape, dtype) in kinds.items()}
        expected = {name: (rows.shape[1:], rows.dtype) for name, rows in self.arrays.items()}
        if kinds != expected:
            raise ValueError(f"results differ in names, shape or type: {kinds}, others {expected}")
        inside = numbers < self.done.size
        for name, rows in block.items():
            self.arrays[name][numbers[inside]] = rows[inside]
        self.done[numbers[inside]] = True


def ensemble(
    task: Callable[[Generator], ArrayLike | dict[str, ArrayLike]],
    size: int,
    *,
    rng: int | Sequence[int] | SeedSequence | Generator,
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
        Number of replicas, at least 1 and at most 10⁸.
    rng : seed or Generator
        What ``numpy.random.default_rng`` takes, except None.  Replica i draws from child i of the seed, the
        one that ``spawn`` would give, whatever `size` and `map`.  A seed is not changed: use one per
        ensemble.  A Generator spawns the seed, and its next ensemble has another.
    map : callable
        Anything like the builtin: the ``map`` of a thread or process pool,
        ``imap`` or ``imap_unordered`` of a multiprocessing pool,
        ``dask.distributed.Client.map`` (whatever has a ``result()`` is asked for it).
    store : path, optional
        A folder that keeps finished replicas.  A run that was killed and is
        started again computes only what is missing; a larger `size` continues
        where a smaller one ended.  To open a store that holds replicas costs one:
        the first of them is made again, before any other, and must have the same
        bits.  One run at a time may write to it (POSIX only); if nothing is missing
        it is only read.
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
        also if the task or its arguments cannot be told from others.
    ReplicaError
        If the task raises or returns something that is not allowed; names the replica.
    StoreError
        If the store belongs to another seed or other code, or is damaged; if its first
        replica comes out otherwise; if something is missing and it is in use or cannot
        be written: all before a new replica is run.  If the disk is full.

    Notes
    -----
    Results are written as they arrive, at most one file a second, and before
    an exception leaves.  A kill loses what arrived since the last file; a `map`
    that returns only when all is done (``multiprocessing.Pool.map``) stores nothing before.

    A store belongs to its seed and its task: a function at the top level of a file, or a
    ``functools.partial`` of it.  The task is known by its arguments, as pickle writes them, by the
    files of its module and of all modules of the project that this and the arguments import, wherever
    the import stands, by the files of `lattice` and by the version of Python.  What cannot be told from
    others is refused and named: a lambda, a function of a notebook, a lock or a set among the arguments.

    No file tells that a table was changed or a function replaced at run time, that a file was edited
    after its import, that a package has another version, or a machine another processor or number of
    threads.  That is why a stored replica, the one of lowest number, is made again, through the same
    `map`: it shows whatever changes its bits.  What changes other replicas and spares this one stays unseen.

    Examples
    --------
    >>> ensemble(lambda rng: rng.normal(size=3), 5, rng=1).shape
    (5, 3)
    """
    instance("task", task, Callable, "a callable task(rng)")
    size = integer("size", size, least=1, most=MOST)
    instance("map", map, Callable, "a callable like the builtin map")
    instance("progress", progress, (bool, str, type(None)), "None, True, False or a label")
    folder = None if store is None else _folder(store)
    replica = _Replica(task, _root(rng))
    results = _Results(size)
    with contextlib.ExitStack() as stack:
        kept = None if folder is None else Store(folder, made_by(task, replica.seed))
        if kept:
            kept.read(results.put)
            if not results.done.all():
                kept.lock(stack)
                kept.read(results.put)  # what another run has added meanwhile
                kept.begin()
        missing = np.flatnonzero(~results.done).tolist()
        arriving = stack.enter_context(contextlib.closing(_arriving(map, replica, missing)))
        if progress:
            from tqdm import tqdm  # only who wants a bar loads it

            label, done = progress if isinstance(progress, str) else None, size - len(missing)
            bar = tqdm(arriving, label, total=size, initial=done, unit="replica")
            arriving = stack.enter_context(bar)
        if kept and kept.first:
            kept.check(*_arriving(map, replica, [kept.first[0]]))
        if missing:
            _fill(results, arriving, kept)
    return results.arrays.get(BARE, results.arrays)


def _fill(results: _Results, arriving: Iterable, kept: Store | None) -> None:
    """Take what arrives, and store it from time to time and at the end."""
    unsaved, written = [], time.monotonic()
    try:
        for index, arrays in arriving:
            try:
                results.put(np.array([index]), {name: array[None] for name, array in arrays.items()})
            except (ValueError, MemoryError) as error:
                raise ReplicaError(index, str(error)) from error
            unsaved.append(index)
            if kept and time.monotonic() - written >= WRITE_EVERY:
                # first: what cannot be written is not tried again on the way out
                batch, unsaved = unsaved, []
                kept.add(batch, results.arrays)
                written = time.monotonic()
    finally:
        if kept and unsaved:
            kept.add(unsaved, results.arrays)


def _arriving(map: Callable, replica: _Replica, missing: list[int]) -> Iterator[tuple[int, dict]]:
    """What a map gives for each replica, futures waited for; to close this drops what has not started."""
    try:
        results = map(replica, missing)
        iter(results)
    except TypeError as error:
        raise ValueError(f"map = {map!r}: {error}; allowed: a callable like the builtin map") from error
    if isinstance(results, list):  # a cluster keeps, and works for, what is still referred to
        waiting = results[::-1]
        results.clear()
        results = (waiting.pop() for _ in range(len(waiting)))
    left = np.zeros(missing[-1] + 1, dtype=bool)
    left[missing] = True
    for item in results:
        found = item.result() if hasattr(item, "result") else item
        pair = isinstance(found, tuple) and len(found) == 2
        if not (pair and found[0] in range(left.size) and left[found[0]]):
            raise ValueError(f"map = {map!r} gave {shown(found)}; allowed: the result of each replica, once")
        left[found[0]] = False
        yield found
    if left.any():
        raise ValueError(f"map = {map!r} left out replica {left.argmax()}; allowed: one result for each")


def _folder(store: str | os.PathLike) -> Path:
    try:
        name = os.fspath(store)
        fits = isinstance(name, str) and name != "" and b"\0" not in os.fsencode(name)
    except Exception:  # it is no path, or of letters that no path can have
        fits = False
    if not fits or (os.path.exists(name) and not os.path.isdir(name)):
        raise ValueError(f"store = {shown(store)}; allowed: a folder, or a path where one can be made")
    return Path(name)


def _root(rng: object) -> SeedSequence:
    """Whose children the replicas draw from; a generator spawns one for each ensemble."""
    found = generator(rng).bit_generator.seed_seq
    if isinstance(rng, (Generator, BitGenerator)):
        return found.spawn(1)[0]
    if found.n_children_spawned:
        raise ValueError(f"rng = {rng!r} has spawned, its children are in use; allowed: one that has not")
    return found
