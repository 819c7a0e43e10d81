"""Finished replicas on a disk: none is lost, none is another's, whenever a run is killed."""

import codecs
import contextlib
import errno
import functools
import itertools
import json
import multiprocessing
import os
import resource
import shutil
import signal
import stat
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from lattice import _store
from lattice import replicas as module
from lattice.replicas import ReplicaError, StoreError, ensemble
from tests import tasks
from tests.tasks import fails_at_seven, logged, oddly_named, paged, returned, silent, walk
from tests.test_replicas import SIZE, same_bits

# children are copies of one fresh process that has the imports behind it
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["pytest", "lattice.replicas", "distributed"])


def log_of(path):
    return [int(line) for line in path.read_text().split()]


def content(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


def numbers(path):
    """Of the replicas in a file."""
    with np.load(path) as block:
        return block["(numbers)"].tolist()


def file_of(store, number):
    (path,) = [path for path in store.glob("*.npz") if number in numbers(path)]
    return path


@pytest.fixture(scope="module")
def reference():
    return ensemble(walk, SIZE, rng=11)


@pytest.fixture
def every_replica(monkeypatch):
    """A store with one file per replica."""
    monkeypatch.setattr(module, "WRITE_EVERY", 0.0)


# Killed and started again


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
        _store.open = dies_half_way(count)
    elif stage == "fsync":
        os.fsync = dies_at(count, os.fsync, before=True)
    elif stage == "replace":
        os.replace = dies_at(count, os.replace, before=False)
    np.savez(folder / "result.npz", **ensemble(paged, size, rng=2, store=folder / "store"))


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
        nth_file = int(rng.integers(3, 7))  # the record is the first: at least one replica is stored
        with child(stage, calls * nth_file + late) as run:
            computed += run.stdout.read().split()
        assert run.exitcode == -signal.SIGKILL
        lost += loses
    assert not (tmp_path / "result.npz").exists()
    with child() as run:
        computed += run.stdout.read().split()
    assert run.exitcode == 0
    with np.load(tmp_path / "result.npz") as result:
        assert same_bits(dict(result), ensemble(silent, SIZE, rng=2))
    assert {int(i) for i in computed} == set(range(SIZE))
    assert len(computed) == SIZE + lost + 4  # every start but the first makes one again
    assert not list((tmp_path / "store").glob("*.tmp"))


def test_killed_from_outside_and_started_again(child, tmp_path):
    rng, size, stored = np.random.default_rng(21), 150, [0]
    for _ in range(3):
        with child(size=size) as run:
            # the first line makes a stored one again, the third says that one more is stored
            for _ in range(int(rng.integers(3, 30))):
                run.stdout.readline()
            run.kill()
        assert run.exitcode == -signal.SIGKILL
        stored.append(len(list((tmp_path / "store").glob("*.npz"))))
    assert stored == sorted(set(stored))  # every run got further
    with child(size=size) as run:
        computed = run.stdout.read().split()
    assert len(computed) == size - stored[-1] + 1
    with np.load(tmp_path / "result.npz") as result:
        assert same_bits(dict(result), ensemble(silent, size, rng=2))


@pytest.mark.parametrize("step", [1, 3, 5])
def test_what_has_arrived_out_of_order_is_stored_and_nothing_else(tmp_path, reference, step):
    order = [index * 7 % SIZE for index in range(SIZE)][::step]
    assert order != sorted(order)

    def breaks_off(function, indices):
        yield from map(function, order)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensemble(walk, SIZE, rng=11, store=tmp_path, map=breaks_off)
    (path,) = tmp_path.glob("*.npz")
    assert numbers(path) == sorted(order)
    log = []
    again = ensemble(walk, SIZE, rng=11, store=tmp_path, map=lambda f, left: log.append(left) or map(f, left))
    assert log == [left for left in ([0], sorted(set(range(SIZE)) - set(order))) if left]
    assert same_bits(again, reference)


def test_all_is_on_the_disk_before_it_is_visible(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, os.replace

    def synced(file):
        place = os.fstat(file)
        steps.append("folder" if stat.S_ISDIR(place.st_mode) else place.st_size)
        fsync(file)

    def replaced(source, target):
        steps.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    ensemble(walk, 3, rng=11, store=tmp_path)
    files = [tmp_path / "ensemble.json", file_of(tmp_path, 0)]
    assert steps == [step for path in files for step in (path.stat().st_size, path, "folder")]


# The store


def test_a_finished_store_runs_one_replica(tmp_path):
    task = functools.partial(logged, log=tmp_path / "log")
    first = ensemble(task, 6, rng=3, store=tmp_path / "new" / "store")
    assert same_bits(ensemble(task, 6, rng=3, store=tmp_path / "new" / "store"), first)
    assert log_of(tmp_path / "log") == [*range(6), 0]


def test_a_larger_ensemble_continues_a_smaller_one(tmp_path):
    task = functools.partial(logged, log=tmp_path / "log")
    small = ensemble(task, 6, rng=3, store=tmp_path / "store")
    large = ensemble(task, 10, rng=3, store=tmp_path / "store")
    assert log_of(tmp_path / "log") == [*range(6), 0, *range(6, 10)]
    assert same_bits(large[:6], small)
    assert same_bits(large, ensemble(task, 10, rng=3))
    assert same_bits(ensemble(task, 4, rng=3, store=tmp_path / "store"), small[:4])


def test_every_file_is_read_once(tmp_path, every_replica, monkeypatch):
    ensemble(walk, 5, rng=11, store=tmp_path)
    stored = sorted(tmp_path.glob("*.npz"))
    read, paths = Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda path: paths.append(path) or read(path))
    asked = []
    ensemble(walk, 6, rng=11, store=tmp_path, map=lambda f, left: asked.append(left) or map(f, left))
    assert asked == [[0], [5]]  # the first of all files, and what is missing
    assert sorted(path for path in paths if path.suffix == ".npz") == stored


def test_long_runs_write_few_files(tmp_path, monkeypatch):
    ticks = iter(np.arange(0, 100, 0.25))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    ensemble(walk, SIZE, rng=11, store=tmp_path)
    assert 1 < len(list(tmp_path.glob("*.npz"))) < SIZE / 2


def test_stored_files_are_plain_arrays(tmp_path, reference):
    ensemble(walk, SIZE, rng=11, store=tmp_path)
    (path,) = tmp_path.glob("*.npz")
    with np.load(path, allow_pickle=False) as block:
        assert same_bits(dict(block), {"(numbers)": np.arange(SIZE), **reference})


def test_a_result_may_have_any_name(tmp_path):
    """Those of the arguments of np.savez, too."""
    first = ensemble(oddly_named, 3, rng=11, store=tmp_path)
    assert list(first) == ["file", "allow_pickle", "numbers"]
    assert same_bits(ensemble(oddly_named, 3, rng=11, store=tmp_path), first)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rename"])
def test_a_damaged_file_is_named_and_the_others_kept(tmp_path, reference, every_replica, damage):
    ensemble(walk, SIZE, rng=11, store=tmp_path)
    path = file_of(tmp_path, 13)
    damaged = bytearray(path.read_bytes())
    before = content(tmp_path)
    del before[path.name]
    if damage == "flip":
        damaged[len(damaged) // 2] ^= 1
    elif damage == "cut":
        del damaged[-9:]
    elif damage == "empty":
        damaged.clear()
    path.write_bytes(damaged)
    if damage == "rename":
        path = path.rename(tmp_path / f"x{path.name}")
    with pytest.raises(StoreError, match=f"{path.name} is corrupt"):
        ensemble(walk, SIZE, rng=11, store=tmp_path)
    del (after := content(tmp_path))[path.name]
    assert after == before
    path.unlink()
    assert same_bits(ensemble(walk, SIZE, rng=11, store=tmp_path), reference)


@pytest.mark.parametrize(
    ("seed", "task"),
    [(12, walk), ([11, 0], walk), (11, functools.partial(walk))],
    ids=["seed", "words", "task"],
)
def test_a_file_of_another_store_is_named(tmp_path, reference, seed, task):
    ensemble(walk, 4, rng=11, store=tmp_path / "store")
    ensemble(task, SIZE, rng=seed, store=tmp_path / "other")
    (path,) = (tmp_path / "other").glob("*.npz")
    copy = Path(shutil.copy(path, tmp_path / "store"))
    before = content(tmp_path / "store")
    with pytest.raises(StoreError, match=f"{path.name} is corrupt, or of another store"):
        ensemble(walk, 4, rng=11, store=tmp_path / "store")
    assert content(tmp_path / "store") == before
    copy.unlink()
    assert same_bits(ensemble(walk, SIZE, rng=11, store=tmp_path / "store"), reference)


def test_files_of_another_size_of_the_same_ensemble_are_welcome(tmp_path, reference):
    ensemble(walk, 7, rng=11, store=tmp_path / "small")
    ensemble(walk, SIZE, rng=11, store=tmp_path / "large")
    for path in (tmp_path / "large").glob("*.npz"):
        shutil.copy(path, tmp_path / "small")
    before = content(tmp_path / "small")
    assert same_bits(ensemble(walk, SIZE, rng=11, store=tmp_path / "small"), reference)
    assert content(tmp_path / "small") == before


@pytest.mark.parametrize("content", [b"", b"{", b"7", b"\xff"])
def test_a_damaged_record_is_named(tmp_path, content):
    ensemble(walk, 3, rng=11, store=tmp_path)
    (tmp_path / "ensemble.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"ensemble\.json is corrupt"):
        ensemble(walk, 3, rng=11, store=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_lost_record_is_missed(tmp_path):
    ensemble(walk, 3, rng=11, store=tmp_path)
    (tmp_path / "ensemble.json").unlink()
    with pytest.raises(StoreError, match="not a store"):
        ensemble(walk, 3, rng=11, store=tmp_path)


def test_a_store_whose_first_run_was_killed_at_once_is_as_good_as_new(tmp_path):
    (tmp_path / "lock").touch()
    (tmp_path / "unfinished.tmp").write_text("{half a record")
    ensemble(walk, 3, rng=11, store=tmp_path)
    (tmp_path / "unfinished.tmp").write_text("half a file")
    ensemble(walk, 4, rng=11, store=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert not (tmp_path / "unfinished.tmp").exists()


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tmp").write_text("years of work")
    with pytest.raises(StoreError, match=r"not a store: it holds thesis\.tmp"):
        ensemble(walk, 3, rng=11, store=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tmp"]


def refuses(task, store, what, seed=11):
    before = content(store)
    with pytest.raises(StoreError, match=f"another .*{what}"):
        ensemble(task, 3, rng=seed, store=store)
    assert content(store) == before


def test_a_store_of_another_seed_is_refused(tmp_path):
    ensemble(walk, 3, rng=11, store=tmp_path)
    stored, now = (np.random.SeedSequence(seed).entropy for seed in (11, 12))
    refuses(walk, tmp_path, f"seed .stored: .{stored}, .*now: .{now},", seed=12)
    refuses(walk, tmp_path, "seed", seed=np.random.SeedSequence(11).spawn(1)[0])
    refuses(walk, tmp_path, "seed", seed=np.random.SeedSequence(11, pool_size=8))
    assert ensemble(walk, 3, rng=np.random.SeedSequence(11), store=tmp_path)["end"].size == 3


def test_a_store_of_another_task_or_python_is_refused(tmp_path):
    ensemble(walk, 3, rng=11, store=tmp_path)
    refuses(fails_at_seven, tmp_path, r"task \(stored: 'tests.tasks.walk', now: 'tests.tasks.fails_at")
    record = json.loads((tmp_path / "ensemble.json").read_text())
    (tmp_path / "ensemble.json").write_text(json.dumps(record | {"python": "2.7"}))
    refuses(walk, tmp_path, "python .stored: '2.7', now: '3")
    (tmp_path / "ensemble.json").write_text(json.dumps(record | {"more": 1}))
    refuses(walk, tmp_path, "more .stored: 1, now: None")
    (tmp_path / "ensemble.json").write_text(json.dumps(record | dict.fromkeys("abcdef", 1)))
    refuses(walk, tmp_path, r"a .*, b .*, c .*, d \(stored: 1, now: None\), …; use")


@pytest.mark.parametrize("digit", [0, 1])
def test_every_digit_of_a_seed_counts(tmp_path, digit):
    """Numbers beyond 64 bits are kept whole, and so are lists with one beyond 63."""
    seeds = [[2**63 + digit, 1], [1, 2**127 + digit]]
    store = [ensemble(walk, 2, rng=seed, store=tmp_path / str(i)) for i, seed in enumerate(seeds)]
    for number, seed in enumerate(seeds):
        assert same_bits(ensemble(walk, 2, rng=seed, store=tmp_path / str(number)), store[number])
        other = [word ^ (word > 1) for word in seed]
        refuses(walk, tmp_path / str(number), "seed", seed=other)
    child = np.random.SeedSequence(np.array([3, 1]), spawn_key=(np.int64(2),))
    ensemble(walk, 2, rng=child, store=tmp_path / "child")
    refuses(walk, tmp_path / "child", "seed", seed=np.random.SeedSequence([3, 1], spawn_key=(3,)))


def test_a_changed_line_of_lattice_is_other_code(tmp_path, monkeypatch):
    (tmp_path / "lattice" / "micro").mkdir(parents=True)
    other = tmp_path / "lattice" / "micro" / "other.py"
    digests = []
    for line in ("X = 1", "X = 2", "X = 1"):
        other.write_text(line)
        digests.append(_store._lattice(tmp_path / "lattice"))
    assert digests[0] == digests[2] != digests[1]
    other.rename(tmp_path / "lattice" / "other.py")
    assert _store._lattice(tmp_path / "lattice") not in digests
    assert _store._lattice(Path(_store.__file__).parent) == _store.LATTICE
    ensemble(walk, 3, rng=11, store=tmp_path / "store")
    monkeypatch.setattr(_store, "LATTICE", digests[0])
    with pytest.raises(StoreError, match="files of lattice have changed since it was imported"):
        ensemble(walk, 3, rng=11, store=tmp_path / "store")
    monkeypatch.setattr(_store, "_lattice", lambda folder: digests[0])
    refuses(walk, tmp_path / "store", "lattice")


# One replica is made again


def stored(store, monkeypatch, size=3):
    """A store of a task that does what `returned` says, and how to let it say something else."""
    monkeypatch.setattr(tasks, "RETURNED", [1.0])
    ensemble(returned, size, rng=11, store=store)
    return functools.partial(tasks.RETURNED.__setitem__, 0)


OTHERS = [np.nextafter(1, 2), 1.0 + 0j, [1.0], {"a": 1.0}]


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("other", OTHERS, ids=repr)
def test_a_replica_with_other_bits_is_named_before_any_is_run(tmp_path, monkeypatch, size, other):
    change, asked = stored(tmp_path, monkeypatch), []
    before = content(tmp_path)

    def map(function, indices):
        asked.extend(indices)
        return [function(index) for index in indices]

    change(other)
    with pytest.raises(
        StoreError, match=r"replica 0, made again, is not the stored one: .*nothing was changed"
    ):
        ensemble(returned, size, rng=11, store=tmp_path, map=map)
    assert asked == [0]
    assert content(tmp_path) == before
    change(1)  # the same double
    assert same_bits(ensemble(returned, size, rng=11, store=tmp_path), np.ones(size))


def test_the_sign_of_zero_is_a_bit(tmp_path, monkeypatch):
    change = stored(tmp_path / "first", monkeypatch)
    change(0.0)
    ensemble(returned, 3, rng=11, store=tmp_path / "second")
    change(-0.0)
    with pytest.raises(StoreError, match="replica 0, made again"):
        ensemble(returned, 3, rng=11, store=tmp_path / "second")


def test_a_replica_beyond_the_end_is_made_again_too(tmp_path, monkeypatch):
    """Or two tasks would share a store."""
    monkeypatch.setattr(tasks, "RETURNED", [1.0])

    def breaks_off(function, indices):
        yield from map(function, [7, 5])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensemble(returned, 9, rng=11, store=tmp_path, map=breaks_off)
    tasks.RETURNED[0] = 2.0
    with pytest.raises(StoreError, match="replica 5, made again"):
        ensemble(returned, 3, rng=11, store=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1


@pytest.mark.parametrize("value", ["one", np.nan, None])
def test_a_stored_replica_that_fails_now_is_named(tmp_path, monkeypatch, value):
    change = stored(tmp_path, monkeypatch)
    before = content(tmp_path)
    change(value)
    with pytest.raises(ReplicaError, match="replica 0: "):
        ensemble(returned, 4, rng=11, store=tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("error", "words"), [(None, "left out replica 0; allowed"), (KeyboardInterrupt, "stopped")]
)
def test_nothing_is_used_if_no_replica_comes_back(tmp_path, error, words):
    ensemble(walk, 3, rng=11, store=tmp_path)

    def lazy(function, indices):
        if error:
            raise error("stopped")
        return []

    with pytest.raises(error or ValueError, match=words):
        ensemble(walk, 3, rng=11, store=tmp_path, map=lazy)
    ensemble(walk, 4, rng=11, store=tmp_path)  # no lock is left


# One run at a time


def while_it_runs(do, store, size=3):
    """Run an ensemble with a store, and do something between its first and its second replica."""

    def interrupted(function, indices):
        for number, index in enumerate(indices):
            if number == 1:
                do()
            yield function(index)

    return ensemble(walk, size, rng=11, store=store, map=interrupted)


def test_one_run_at_a_time(tmp_path, child):
    with child(size=1000) as run:
        run.stdout.readline()
        with pytest.raises(StoreError, match=r"in use by another run$"):
            ensemble(paged, 1001, rng=2, store=tmp_path / "store")
        run.kill()


def refused(store):
    """Whether a process that asks for more than there is in a store is refused."""
    try:
        ensemble(walk, 99, rng=11, store=store)
    except StoreError as error:
        return "is in use by another run" in str(error)
    return False


def refused_elsewhere(store):
    with FRESH.Pool(1) as pool:
        return pool.apply(refused, (store,))


@pytest.mark.parametrize("way", ["same", "link", "thread"])
def test_one_run_at_a_time_in_one_process(tmp_path, reference, every_replica, way):
    store, refusals = tmp_path / "store", []
    store.mkdir()
    (tmp_path / "link").symlink_to(store)

    def ask():
        with pytest.raises(StoreError, match=r"in use by another run$"):
            ensemble(walk, SIZE, rng=11, store=tmp_path / ("link" if way == "link" else "store"))
        refusals.append("here")

    def do():
        if way == "thread":
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
        else:
            ask()
        assert refused_elsewhere(store)  # the second run has not dropped the lock of the first

    assert same_bits(while_it_runs(do, store, SIZE), reference)
    assert refusals == ["here"]
    assert same_bits(ensemble(walk, SIZE + 1, rng=11, store=store)["end"][:SIZE], reference["end"])


def test_a_refused_run_leaves_nothing_locked(tmp_path):
    def do():
        for _ in range(2):
            assert refused_elsewhere(tmp_path)

    while_it_runs(do, tmp_path)
    assert not refused_elsewhere(tmp_path)
    with pytest.raises(ValueError, match="left out"):
        ensemble(walk, 100, rng=11, store=tmp_path, map=lambda function, indices: [])
    assert not (tmp_path / _store.TEMPORARY).exists()
    ensemble(walk, 100, rng=11, store=tmp_path)


def forks(store):
    """Whether a fork is refused while the run lasts, leaves it its lock, and is served afterwards."""
    go, ready = os.pipe()
    answers = []

    def do():
        child = os.fork()
        if child == 0:
            early = refused(store)
            os.read(go, 1)  # until the run is over
            os._exit(10 * early + refused(store))
        answers.append(child)
        answers.append(refused_elsewhere(store))

    while_it_runs(do, store)
    os.write(ready, b"!")
    _, status = os.waitpid(answers[0], 0)
    return os.waitstatus_to_exitcode(status), answers[1]


def tell(writer, function, *arguments):
    writer.send(function(*arguments))


def test_a_fork_is_another_process(tmp_path):
    reader, writer = FRESH.Pipe(duplex=False)
    process = FRESH.Process(target=tell, args=(writer, forks, tmp_path))
    process.start()
    writer.close()
    assert reader.recv() == (10, True)
    process.join()


# Read only


@pytest.fixture
def read_only():
    """A folder, and how to take away the right to write in it, the administrator's too."""
    user = os.geteuid()
    around = [_store.PACKAGE, *_store.PACKAGE.parents]
    if user == 0 and not all(folder.stat().st_mode & 0o001 for folder in around):
        pytest.skip("nobody but the administrator can read this checkout")
    codecs.lookup("cp437")  # zipfile will want it, and the standard library may be closed to others, too
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)

        @contextlib.contextmanager
        def protected():
            paths = [folder, *folder.rglob("*")]
            for path in paths:  # the lock alone can be written: that is not enough
                path.chmod(0o555 if path.is_dir() else 0o666 if path.name == _store.LOCK else 0o444)
            os.seteuid(user or 65534)
            try:
                yield
            finally:
                os.seteuid(user)
                for path in paths:
                    path.chmod(0o755)

        yield folder, protected


def test_a_complete_store_is_read_without_writing(read_only, reference):
    folder, protected = read_only
    ensemble(walk, SIZE, rng=11, store=folder)
    for name in (_store.LOCK, _store.TEMPORARY):
        (folder / name).unlink(missing_ok=True)
    before = content(folder)
    with protected():
        assert same_bits(ensemble(walk, SIZE, rng=11, store=folder), reference)
        assert same_bits(ensemble(walk, 3, rng=11, store=folder)["end"], reference["end"][:3])
    assert content(folder) == before


@pytest.mark.parametrize("kept", [[], ["lock"], ["lock", "ensemble.json"]])
def test_an_incomplete_store_without_the_right_to_write_is_refused_at_once(read_only, kept):
    folder, protected = read_only
    store = folder / "store"
    ensemble(walk, 3, rng=11, store=store)
    for path in store.iterdir():
        if path.name not in kept:
            path.unlink()

    def never(function, indices):
        raise AssertionError("a replica is run")

    for place in (store, folder / "new"):
        with protected(), pytest.raises(StoreError, match="Permission denied"):
            ensemble(walk, 4, rng=11, store=place, map=never)
    assert sorted(content(store)) == sorted(kept)
    ensemble(walk, 4, rng=11, store=store)


def test_a_complete_store_is_read_while_a_larger_run_writes_it(tmp_path, reference, every_replica):
    ensemble(walk, 5, rng=11, store=tmp_path)

    def do():
        assert same_bits(ensemble(walk, 5, rng=11, store=tmp_path)["end"], reference["end"][:5])
        assert same_bits(ensemble(walk, 6, rng=11, store=tmp_path)["end"], reference["end"][:6])

    assert same_bits(while_it_runs(do, tmp_path, SIZE), reference)


def test_what_another_run_has_added_before_the_lock_is_read(tmp_path, monkeypatch):
    lock, task = _store.Store.lock, functools.partial(logged, log=tmp_path / "log")

    def late(store, stack):
        monkeypatch.undo()
        ensemble(task, 3, rng=11, store=tmp_path / "store")
        lock(store, stack)

    monkeypatch.setattr(_store.Store, "lock", late)
    ensemble(task, 5, rng=11, store=tmp_path / "store")
    assert log_of(tmp_path / "log") == [0, 1, 2, 0, 3, 4]


def test_a_record_of_another_run_before_the_lock_is_read(tmp_path, monkeypatch):
    lock = _store.Store.lock

    def late(store, stack):
        monkeypatch.undo()
        ensemble(walk, 3, rng=12, store=tmp_path)
        lock(store, stack)

    monkeypatch.setattr(_store.Store, "lock", late)
    with pytest.raises(StoreError, match="another seed"):
        ensemble(walk, 3, rng=11, store=tmp_path)


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

    monkeypatch.setattr(_store, "open", opens, raising=False)
    monkeypatch.setattr(os, "fsync", syncs)
    with pytest.raises(StoreError, match="No space left on device"):
        ensemble(walk, SIZE, rng=11, store=tmp_path)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*.npz"))) == 4
    assert same_bits(ensemble(walk, SIZE, rng=11, store=tmp_path), reference)


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
            ensemble(walk, SIZE, rng=11, store=tmp_path, map=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(tmp_path.glob("*.npz"))) == 5
    limits.clear()
    assert same_bits(ensemble(walk, SIZE, rng=11, store=tmp_path), ensemble(walk, SIZE, rng=11))
