"""Many replicas: the same bits wherever they run, whenever they are killed."""

import contextlib
import errno
import functools
import importlib
import itertools
import json
import linecache
import multiprocessing
import os
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lattice.ensemble import ReplicaError, StoreError, ensemble
from lattice.model import Bond, Chain, energy

module = importlib.import_module("lattice.ensemble")  # lattice.ensemble itself is the function
# workers are copies of one fresh process that has the imports behind it
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["pytest", "lattice.ensemble", "distributed"])
SIZE = 24


def walk(rng):
    """A replica with a vector and a number."""
    steps = rng.normal(size=5)
    return {"path": np.cumsum(steps), "end": steps.sum()}


def index_of(rng):
    return rng.bit_generator.seed_seq.spawn_key[-1]


def fails_at_seven(rng):
    if index_of(rng) == 7:
        raise ArithmeticError("no such state")
    return rng.normal(size=2)


def logged(rng, log):
    """A replica that leaves its number in a file."""
    with open(log, "a") as file:
        file.write(f"{index_of(rng)}\n")
    return rng.normal(size=3)


def log_of(path):
    return [int(line) for line in path.read_text().split()]


@pytest.fixture(scope="module")
def reference():
    return ensemble(walk, SIZE, seed=11)


@pytest.fixture
def every_replica(monkeypatch):
    """A store with one file per replica."""
    monkeypatch.setattr(module, "WRITE_EVERY", 0.0)


def same_bits(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_bits(a[name], b[name]) for name in a)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# What comes back


def test_replica_i_draws_from_child_i_of_the_seed():
    expected = [np.random.default_rng(child).normal(size=3) for child in np.random.SeedSequence(5).spawn(4)]
    assert same_bits(ensemble(lambda rng: rng.normal(size=3), 4, seed=5), np.array(expected))


def test_a_spawned_seed_sequence_is_a_seed_and_stays_as_it_was():
    seed = np.random.SeedSequence([3, 1], pool_size=8).spawn(2)[1]
    expected = [np.random.default_rng(child).random() for child in np.random.SeedSequence(
        [3, 1], spawn_key=(1,), pool_size=8).spawn(3)]  # fmt: skip
    for _ in range(2):
        assert same_bits(ensemble(lambda rng: rng.random(), 3, seed=seed), np.array(expected))
    assert seed.n_children_spawned == 0


def test_results_are_stacked_by_name(reference):
    assert {name: array.shape for name, array in reference.items()} == {"path": (SIZE, 5), "end": (SIZE,)}
    assert np.allclose(reference["path"][:, -1], reference["end"], rtol=1e-12, atol=1e-12)


def test_seeds_differ(reference):
    assert not np.isin(ensemble(walk, SIZE, seed=12)["end"], reference["end"]).any()
    assert np.unique(reference["end"]).size == SIZE


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(3, np.float64), (True, np.float64), (np.float32(0.5), np.float64), (1j, np.complex128)],
)
def test_numbers_become_double_precision(value, dtype):
    result = ensemble(lambda rng: value, 2, seed=1)
    assert result.dtype == dtype
    assert (result == value).all()


# Wherever it runs


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_in_threads(reference, threads):
    with ThreadPoolExecutor(threads) as pool:
        assert same_bits(ensemble(walk, SIZE, seed=11, map=pool.map), reference)


def test_same_bits_in_a_process_pool(reference):
    with ProcessPoolExecutor(2, mp_context=FRESH) as pool:
        assert same_bits(ensemble(walk, SIZE, seed=11, map=pool.map), reference)
        with pytest.raises(ReplicaError, match="replica 7: ArithmeticError: no such state") as caught:
            ensemble(fails_at_seven, SIZE, seed=11, map=pool.map)
    assert caught.value.index == 7


def test_same_bits_in_a_multiprocessing_pool(reference):
    with FRESH.Pool(2) as pool:
        for form in (pool.map, pool.imap, pool.imap_unordered):
            assert same_bits(ensemble(walk, SIZE, seed=11, map=form), reference)
        pool.close()
        pool.join()


def test_same_bits_in_a_dask_cluster(reference, tmp_path, every_replica):
    import dask
    import distributed

    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert same_bits(ensemble(walk, SIZE, seed=11, map=client.map, store=tmp_path), reference)
        with pytest.raises(ReplicaError, match="replica 7: ArithmeticError: no such state"):
            ensemble(fails_at_seven, SIZE, seed=11, map=client.map)
        other = ensemble(walk, SIZE, seed=12, map=client.map)
    assert same_bits(other, ensemble(walk, SIZE, seed=12))
    assert len(list(tmp_path.glob("*.npz"))) == SIZE


def test_any_order_of_arrival_gives_the_same_bits(reference, tmp_path):
    def shuffled(function, indices):
        return (function(i) for i in np.random.default_rng(0).permutation(indices).tolist())

    assert same_bits(ensemble(walk, SIZE, seed=11, map=shuffled, store=tmp_path), reference)
    assert same_bits(ensemble(walk, SIZE, seed=11, store=tmp_path), reference)


# Killed and started again


def paged(rng):
    # a page per replica: the pipe is soon full, and who writes waits for the reader
    os.write(1, b"%4095d\n" % index_of(rng))
    return {"x": rng.normal(size=3), "n": rng.integers(9)}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def dies_at(call, function, before):
    calls = itertools.count(1)

    def wrapped(*arguments):
        last = next(calls) == call
        if last and before:
            die()
        value = function(*arguments)
        if last:
            die()
        return value

    return wrapped


def dies_half_way(file_number):
    files = itertools.count(1)

    def opens(path, mode):
        file = open(path, mode)  # noqa: SIM115 - who dies does not close
        if path.suffix == ".tmp" and next(files) == file_number:
            file.write(b"PK half of it")
            file.flush()
            die()
        return file

    return opens


def run_in_a_child(writer, folder, stage, count, size):
    os.dup2(writer.fileno(), 1)
    module.WRITE_EVERY = 0.0
    if stage == "write":
        module.open = dies_half_way(count)
    elif stage == "fsync":
        os.fsync = dies_at(count, os.fsync, before=True)
    elif stage == "replace":
        os.replace = dies_at(count, os.replace, before=False)
    np.savez(folder / "result.npz", **ensemble(paged, size, seed=2, store=folder / "store"))


@pytest.fixture
def child(tmp_path):
    @contextlib.contextmanager
    def start(stage="none", count=0, size=SIZE):
        reader, writer = FRESH.Pipe(duplex=False)
        process = FRESH.Process(target=run_in_a_child, args=(writer, tmp_path, stage, count, size))
        process.start()
        writer.close()
        with reader, open(reader.fileno(), closefd=False) as process.stdout:
            yield process
            process.join()

    return start


def silent(rng):
    return {"x": rng.normal(size=3), "n": rng.integers(9)}


def test_killed_while_it_writes_and_started_again(child, tmp_path):
    rng = np.random.default_rng(20)
    computed, lost = [], 0
    # a file means one open and write, two fsyncs (its own, the folder's) with a replace between them
    for stage, calls, late, loses in [
        ("write", 1, 0, 1),
        ("fsync", 2, -1, 1),
        ("fsync", 2, 0, 0),
        ("replace", 1, 0, 0),
    ]:
        nth_file = int(rng.integers(2, 6))
        with child(stage, calls * nth_file + late) as run:
            computed += run.stdout.read().split()
        assert run.exitcode == -signal.SIGKILL
        lost += loses
    assert not (tmp_path / "result.npz").exists()
    with child() as run:
        computed += run.stdout.read().split()
    assert run.exitcode == 0
    with np.load(tmp_path / "result.npz") as result:
        assert same_bits(dict(result), ensemble(silent, SIZE, seed=2))
    assert {int(i) for i in computed} == set(range(SIZE))
    assert len(computed) == SIZE + lost
    assert not list((tmp_path / "store").glob("*.tmp"))


def test_killed_from_outside_and_started_again(child, tmp_path):
    rng, size, stored = np.random.default_rng(21), 150, [0]
    for _ in range(3):
        with child(size=size) as run:
            for _ in range(int(rng.integers(2, 30))):
                run.stdout.readline()
            run.kill()
        assert run.exitcode == -signal.SIGKILL
        stored.append(len(list((tmp_path / "store").glob("*.npz"))))
    assert stored == sorted(set(stored))  # every run got further
    with child(size=size) as run:
        computed = run.stdout.read().split()
    assert len(computed) == size - stored[-1]
    with np.load(tmp_path / "result.npz") as result:
        assert same_bits(dict(result), ensemble(silent, size, seed=2))


# The store


def test_a_finished_store_runs_nothing(tmp_path):
    task = functools.partial(logged, log=tmp_path / "log")
    first = ensemble(task, 6, seed=3, store=tmp_path / "store")
    assert same_bits(ensemble(task, 6, seed=3, store=tmp_path / "store"), first)
    assert log_of(tmp_path / "log") == list(range(6))


def test_a_larger_ensemble_continues_a_smaller_one(tmp_path):
    task = functools.partial(logged, log=tmp_path / "log")
    small = ensemble(task, 6, seed=3, store=tmp_path / "store")
    large = ensemble(task, 10, seed=3, store=tmp_path / "store")
    assert log_of(tmp_path / "log") == list(range(10))
    assert same_bits(large[:6], small)
    assert same_bits(large, ensemble(task, 10, seed=3))
    assert same_bits(ensemble(task, 4, seed=3, store=tmp_path / "store"), small[:4])


def test_long_runs_write_few_files(tmp_path, monkeypatch):
    ticks = iter(np.arange(0, 100, 0.25))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    ensemble(walk, SIZE, seed=11, store=tmp_path)
    assert 1 < len(list(tmp_path.glob("*.npz"))) < SIZE / 2


def test_stored_files_are_plain_arrays(tmp_path, reference):
    ensemble(walk, SIZE, seed=11, store=tmp_path)
    (path,) = tmp_path.glob("*.npz")
    with np.load(path, allow_pickle=False) as block:
        assert same_bits(dict(block), reference)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rename"])
def test_a_damaged_file_is_named_and_the_others_kept(tmp_path, reference, every_replica, damage):
    ensemble(walk, SIZE, seed=11, store=tmp_path)
    path = next(tmp_path.glob("13-*.npz"))
    content = bytearray(path.read_bytes())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p != path}
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-9:]
    elif damage == "empty":
        content.clear()
    path.write_bytes(content)
    if damage == "rename":
        path = path.rename(path.with_name(path.name.replace("13-14", "14-15")))
    with pytest.raises(StoreError, match=f"{path.name} is corrupt"):
        ensemble(walk, SIZE, seed=11, store=tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p != path} == before
    path.unlink()
    assert same_bits(ensemble(walk, SIZE, seed=11, store=tmp_path), reference)


@pytest.mark.parametrize("content", [b"", b"{", b"7", b"\xff"])
def test_a_damaged_record_is_named(tmp_path, content):
    ensemble(walk, 3, seed=11, store=tmp_path)
    (tmp_path / "ensemble.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"ensemble\.json is corrupt"):
        ensemble(walk, 3, seed=11, store=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_lost_record_is_missed(tmp_path):
    ensemble(walk, 3, seed=11, store=tmp_path)
    (tmp_path / "ensemble.json").unlink()
    with pytest.raises(StoreError, match="not a store"):
        ensemble(walk, 3, seed=11, store=tmp_path)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tmp").write_text("years of work")
    with pytest.raises(StoreError, match=r"not a store: it holds thesis\.tmp"):
        ensemble(walk, 3, seed=11, store=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tmp"]


def refuses(task, store, what, seed=11):
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(StoreError, match=f"another {what}"):
        ensemble(task, 3, seed=seed, store=store)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_a_store_of_another_seed_is_refused(tmp_path):
    ensemble(walk, 3, seed=11, store=tmp_path)
    refuses(walk, tmp_path, "seed .stored: .11, .*now: .12,", seed=12)
    refuses(walk, tmp_path, "seed", seed=np.random.SeedSequence(11).spawn(1)[0])
    assert ensemble(walk, 3, seed=np.random.SeedSequence(11), store=tmp_path)["end"].size == 3


def test_a_store_of_another_task_or_python_is_refused(tmp_path):
    ensemble(walk, 3, seed=11, store=tmp_path)
    refuses(fails_at_seven, tmp_path, "task .stored: walk, now: fails_at_seven., code")
    record = json.loads((tmp_path / "ensemble.json").read_text())
    (tmp_path / "ensemble.json").write_text(json.dumps(record | {"python": "2.7"}))
    refuses(walk, tmp_path, "python .stored: 2.7")


CODE = """
import dataclasses, functools, typing
import numpy as np
import lattice.model as model
STRENGTH = 2.0
class Law:
    power = 2
    def __call__(self, x): return x ** self.power * self.sign
    @property
    def sign(self): return -1
    @staticmethod
    def even(x): return x % 2 == 0
    @functools.cached_property
    def half(self): return 0.5
law = Law()
@functools.lru_cache
def table(n): return [odd(i) for i in range(n)]
def odd(i): return i in {"one", 1, "three", 3} or not Law.even(i) or (i > 9 and table(i))
class Pair(typing.NamedTuple):
    first: float = 1.5
@dataclasses.dataclass(frozen=True)
class Options:
    scale: float = 1.0
    more: list = dataclasses.field(default_factory=lambda: [7])
def helper(x):
    return STRENGTH * law(x)  # how hard it pulls
def task(rng, chain=model.Chain(4)):
    draw = lambda n: helper(rng.normal(size=n))
    return model.energy(chain, draw(4), np.zeros(4)) + sum(table(3)) + Options().scale + Pair().first
"""


def task_from(code, name="<cell>"):
    """The task of a notebook cell: its source is known to linecache, and nowhere on a disk."""
    linecache.cache[name] = len(code), None, code.splitlines(keepends=True), name
    space = {"__name__": "a_project"}
    exec(compile(code, name, "exec"), space)
    return space["task"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STRENGTH = 2.0", "STRENGTH = 2.5"),
        ("STRENGTH *", "STRENGTH +"),
        ("power = 2", "power = 3"),
        ("return -1", "return 1"),
        ("x % 2", "x % 3"),
        ("return 0.5", "return 0.25"),
        ("i > 9", "i > 8"),
        ("range(n)", "range(n + 1)"),
        ("scale: float = 1.0", "scale: float = 2.0"),
        ("[7]", "[8]"),
        ("first: float = 1.5", "first: float = 2.5"),
        ("x ** self.power", "self.power ** x"),
        ("Chain(4)", "Chain(4, pin=model.Pin(chi=1))"),
        ("np.zeros", "np.ones"),
        ("rng.normal", "rng.random"),
    ],
)
def test_a_store_of_changed_code_is_refused(tmp_path, old, new):
    assert old in CODE
    ensemble(task_from(CODE), 3, seed=11, store=tmp_path)
    refuses(task_from(CODE.replace(old, new)), tmp_path, "code")


def test_a_changed_line_of_lattice_is_changed_code(tmp_path, monkeypatch):
    (tmp_path / "package" / "micro").mkdir(parents=True)
    copy = shutil.copy(module.__file__, tmp_path / "package")
    other = tmp_path / "package" / "micro" / "other.py"
    digests = []
    for line in ("X = 1", "X = 2", "X = 1"):
        other.write_text(line)
        digests.append(runpy.run_path(copy)["LATTICE"])
    assert digests[0] == digests[2] != digests[1]
    ensemble(walk, 3, seed=11, store=tmp_path / "store")
    monkeypatch.setattr(module, "LATTICE", digests[0])
    refuses(walk, tmp_path / "store", "lattice")


def test_where_code_stands_does_not_count(tmp_path):
    first = ensemble(task_from(CODE), 3, seed=11, store=tmp_path)
    moved = task_from("\n\n# new\n" + CODE, "<another cell>")
    assert same_bits(ensemble(moved, 3, seed=11, store=tmp_path), first)


def test_code_edited_since_it_was_read_is_not_what_runs(tmp_path):
    stale = task_from(CODE)
    linecache.cache["<cell>"] = (1, None, CODE.replace("STRENGTH *", "STRENGTH +").splitlines(True), "<cell>")
    ensemble(stale, 3, seed=11, store=tmp_path)
    refuses(task_from(CODE.replace("STRENGTH *", "STRENGTH +")), tmp_path, "code")


def test_two_lambdas_of_one_line_differ(tmp_path):
    one, two = (lambda rng: rng.random() + 1), (lambda rng: rng.random() + 2)
    ensemble(one, 3, seed=11, store=tmp_path)
    refuses(two, tmp_path, "code")


PROJECT = """
import sys
import helpers
from lattice.ensemble import ensemble
WORDS = {"a", "b", "c", ("d", frozenset({"e", "f"}))}
def task(rng):
    return helpers.law(rng) * helpers.WEIGHT + helpers.deeper.draw(rng) + len(WORDS)
if __name__ == "__main__":
    ensemble(task, 3, seed=11, store=sys.argv[1])
"""
HELPERS = """
import deeper
WEIGHT = 1.0
class Law:
    def __init__(self, strength): self.strength = strength
    def __call__(self, rng): return self.strength * rng.normal()
law = Law(2.0)
"""


def test_a_script_and_its_helpers_are_the_same_in_every_process(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "deeper.py").write_text("def draw(rng): return rng.normal()")
    store, root = tmp_path / "store", str(Path(module.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "PYTHONHASHSEED": "77"}
    subprocess.run([sys.executable, tmp_path / "project.py", store], env=environment, check=True)
    task = runpy.run_path(tmp_path / "project.py")["task"]
    before = sorted(store.iterdir())
    ensemble(task, 3, seed=11, store=store)
    assert sorted(store.iterdir()) == before
    helpers = sys.modules["helpers"]
    for holder, name, value in [
        (helpers, "WEIGHT", 1.5),
        (helpers.deeper, "draw", lambda rng: rng.random()),
        (helpers.Law, "__call__", lambda self, rng: 1.0),
    ]:
        with monkeypatch.context() as changed:
            changed.setattr(holder, name, value)
            refuses(task, store, "code")
    (tmp_path / "helpers.py").write_text(HELPERS.replace("Law(2.0)", "Law(2.5)  # stronger"))
    for name in ("helpers", "deeper"):
        monkeypatch.delitem(sys.modules, name)
    refuses(runpy.run_path(tmp_path / "project.py")["task"], store, "code")
    del sys.modules["helpers"], sys.modules["deeper"]


def test_closures_partials_and_methods_tell_their_arguments(tmp_path):
    def make(scale):
        return lambda rng: scale * rng.normal()

    def scaled(rng, chain):
        return energy(chain, rng.normal(size=chain.n), np.zeros(chain.n))

    class Drift:
        def __init__(self, speed):
            self.speed = speed

        def run(self, rng):
            return self.speed * rng.random()

    pairs = [
        (make(1.0), make(1.0), make(2.0)),
        (
            functools.partial(scaled, chain=Chain(5)),
            functools.partial(scaled, chain=Chain(5)),
            functools.partial(scaled, chain=Chain(5, bond=Bond(chi=[1, 1, 1, 1, 2]))),
        ),
        (Drift(1).run, Drift(1).run, Drift(2).run),
    ]
    for number, (task, twin, other) in enumerate(pairs):
        store = tmp_path / str(number)
        assert same_bits(ensemble(task, 3, seed=11, store=store), ensemble(twin, 3, seed=11, store=store))
        refuses(other, store, "code")


def test_compiled_functions_tell_their_code(tmp_path):
    import numba  # here, so that the workers need not

    def make(scale):
        compiled = numba.njit(lambda x: scale * x)
        return lambda rng: compiled.py_func(rng.random())  # nothing to compile for

    first = ensemble(make(1.0), 3, seed=11, store=tmp_path)
    assert same_bits(ensemble(make(1.0), 3, seed=11, store=tmp_path), first)
    refuses(make(2.0), tmp_path, "code")


def test_equal_data_are_equal_whether_shared_or_not(tmp_path):
    def task(rng, pair):
        return rng.normal()

    a, b = "one string", " ".join(["one", "string"])
    first = ensemble(functools.partial(task, pair=(a, a)), 3, seed=11, store=tmp_path)
    assert same_bits(ensemble(functools.partial(task, pair=(a, b)), 3, seed=11, store=tmp_path), first)
    refuses(functools.partial(task, pair=(a, "1")), tmp_path, "code")


def test_code_without_source_and_circles_of_data_need_no_store(tmp_path):
    space, circle = {}, []
    exec("def task(rng): return 1.0", space)
    circle.append(circle)
    for task in (space["task"], functools.partial(lambda rng, data: 1.0, data=circle)):
        assert ensemble(task, 2, seed=1).tolist() == [1, 1]
        with pytest.raises(
            ValueError, match=r"cannot be told from other code .(could not get source|.*cyclic)"
        ):
            ensemble(task, 2, seed=1, store=tmp_path)


def test_a_task_that_cannot_be_recognised_needs_no_store(tmp_path):
    with open(os.devnull) as file:
        task = functools.partial(lambda rng, file: 1.0, file=file)
        assert ensemble(task, 2, seed=1).tolist() == [1, 1]
        with pytest.raises(ValueError, match="cannot be told from other code"):
            ensemble(task, 2, seed=1, store=tmp_path)


def test_one_run_at_a_time(tmp_path, child):
    with child(size=1000) as run:
        run.stdout.readline()
        with pytest.raises(StoreError, match="in use by another run"):
            ensemble(paged, 3, seed=2, store=tmp_path / "store")
        run.kill()


# A full disk


@pytest.mark.parametrize("step", ["open", "write", "fsync"])
def test_a_full_disk_keeps_what_is_stored(tmp_path, reference, every_replica, monkeypatch, step):
    fsync, files = os.fsync, []

    def fails_on(name):
        if len(files) == 7 and step == name:  # the lock, the record, four replicas, and now
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opens(path, mode):
        files.append(path)
        fails_on("open")
        return open("/dev/full" if len(files) == 7 and step == "write" else path, mode)

    def syncs(descriptor):
        fails_on("fsync")
        fsync(descriptor)

    monkeypatch.setattr(module, "open", opens, raising=False)
    monkeypatch.setattr(os, "fsync", syncs)
    with pytest.raises(StoreError, match="No space left on device"):
        ensemble(walk, SIZE, seed=11, store=tmp_path)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*.npz"))) == 4
    assert same_bits(ensemble(walk, SIZE, seed=11, store=tmp_path), reference)


def test_a_file_cut_short_by_the_system_is_not_stored(tmp_path, every_replica):
    """A limit on the size of files makes the system refuse the rest of a write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limits = {5: 300}

    def limit(function, indices):
        for index in indices:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limits.get(index, soft), hard))
            yield function(index)

    try:
        with pytest.raises(StoreError, match=os.strerror(errno.EFBIG)):
            ensemble(walk, SIZE, seed=11, store=tmp_path, map=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(tmp_path.glob("*.npz"))) == 5
    limits.clear()
    assert same_bits(ensemble(walk, SIZE, seed=11, store=tmp_path), ensemble(walk, SIZE, seed=11))


# Replicas that fail


def test_a_failing_replica_is_named_and_the_others_kept(tmp_path):
    with pytest.raises(ReplicaError, match="replica 7: ArithmeticError: no such state") as caught:
        ensemble(fails_at_seven, SIZE, seed=11, store=tmp_path)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    (path,) = tmp_path.glob("*.npz")
    assert path.name.startswith("0-7-")


def test_a_failing_replica_stops_the_others(tmp_path):
    def task(rng):
        log.append(index_of(rng))
        return fails_at_seven(rng)

    log = []
    with pytest.raises(ReplicaError, match="replica 7"), ThreadPoolExecutor(1) as pool:
        ensemble(task, 5_000, seed=11, map=pool.map)
    assert len(log) < 5_000


def dies_with(error, at):
    calls, fsync = itertools.count(1), os.fsync

    def wrapped(*arguments):
        if next(calls) == at:
            raise error
        fsync(*arguments)

    return wrapped


@pytest.mark.parametrize("where", ["shape", "store"])
def test_an_error_of_the_parent_drops_what_a_pool_has_not_started(
    tmp_path, monkeypatch, every_replica, where
):
    gate, log = threading.Event(), []

    def task(rng):
        log.append(index_of(rng))
        if len(log) == 3:
            gate.wait()  # until the parent has failed
        return np.zeros(len(log) if where == "shape" else 1)

    monkeypatch.setattr(module, "_made_by", lambda replica: {})  # no code could tell what a gate is
    if where == "store":
        monkeypatch.setattr(os, "fsync", dies_with(OSError(errno.ENOSPC, "No space left"), at=5))
    with ThreadPoolExecutor(1) as pool:
        try:
            with pytest.raises((ReplicaError, StoreError), match=r"replica 1: results differ|No space left"):
                ensemble(task, 50, seed=11, map=pool.map, store=tmp_path)
        finally:
            gate.set()
    assert log == list(range(len(log)))
    assert 2 <= len(log) <= 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, complex(0, np.nan)])
def test_nothing_is_silently_nan(bad):
    with pytest.raises(ReplicaError, match=r"replica 2: .* not finite"):
        ensemble(lambda rng: bad if index_of(rng) == 2 else 1.0, 4, seed=1)


@pytest.mark.parametrize(
    "odd", [np.zeros(3), 1j, {"x": 1.0}, "one", None, {}, {"a b": 1.0}, {1: 1.0}, [[1], [1, 2]]]
)
def test_replicas_are_of_one_kind(odd):
    with pytest.raises(ReplicaError, match="replica 2: "):
        ensemble(lambda rng: odd if index_of(rng) == 2 else 1.0, 4, seed=1)


# Progress and bad input


def test_progress(tmp_path, capsys):
    ensemble(walk, 3, seed=11, store=tmp_path)
    assert capsys.readouterr() == ("", "")
    ensemble(walk, 5, seed=11, store=tmp_path, progress="walkers")
    out, err = capsys.readouterr()
    assert out == ""
    assert "walkers:  60%" in err
    assert "5/5" in err


def test_progress_is_silent_where_tqdm_is_and_loaded_only_then():
    code = (
        "import sys; from lattice.ensemble import ensemble; ensemble(lambda rng: 1.0, 3, seed=1); "
        "assert not {'dask', 'distributed', 'tqdm'} & set(sys.modules); "
        "ensemble(lambda rng: 1.0, 3, seed=1, progress=True)"
    )
    quiet = os.environ | {"TQDM_DISABLE": "1"}
    shown = subprocess.run([sys.executable, "-c", code], env=quiet, capture_output=True, check=True)
    assert (shown.stdout, shown.stderr) == (b"", b"")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", 3),
        ("size", 0),
        ("size", -2),
        ("size", 2.0),
        ("size", True),
        ("seed", None),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", True),
        ("seed", np.random.default_rng(1)),
        ("map", [1, 2]),
        ("progress", 3),
        ("store", ""),
        ("store", 3),
        ("store", __file__),
    ],
)
def test_bad_input(name, value):
    arguments = {"task": walk, "size": 2, "seed": 1, name: value}
    with pytest.raises(ValueError, match=f"{name} = .*; allowed: "):
        ensemble(arguments.pop("task"), arguments.pop("size"), **arguments)


def test_a_seed_whose_children_are_in_use_is_refused():
    seed = np.random.SeedSequence(1)
    seed.spawn(1)
    with pytest.raises(ValueError, match="has spawned, its children are in use"):
        ensemble(walk, 2, seed=seed)


def test_a_map_that_forgets_is_caught():
    with pytest.raises(ValueError, match="left out replica 3"):
        ensemble(walk, 5, seed=1, map=lambda function, indices: map(function, indices[:3]))
