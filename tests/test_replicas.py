"""Many replicas: the same bits wherever they run; what fails is named."""

import errno
import itertools
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from lattice import replicas as module
from lattice.replicas import ReplicaError, StoreError, ensemble
from tests.tasks import fails_at_seven, index_of, walk

# workers are copies of one fresh process that has the imports behind it
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["pytest", "lattice.replicas", "distributed"])
SIZE = 24


@pytest.fixture(scope="module")
def reference():
    return ensemble(walk, SIZE, rng=11)


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
    assert same_bits(ensemble(lambda rng: rng.normal(size=3), 4, rng=5), np.array(expected))


def test_a_spawned_seed_sequence_is_a_seed_and_stays_as_it_was():
    seed = np.random.SeedSequence([3, 1], pool_size=8).spawn(2)[1]
    expected = [np.random.default_rng(child).random() for child in np.random.SeedSequence(
        seed.entropy, spawn_key=(1,), pool_size=8).spawn(3)]  # fmt: skip
    for _ in range(2):
        assert same_bits(ensemble(lambda rng: rng.random(), 3, rng=seed), np.array(expected))
    assert seed.n_children_spawned == 0


@pytest.mark.parametrize("seed", [[3, 1], (3, 1), np.array([3, 1], dtype=np.uint8)])
def test_a_sequence_of_integers_is_a_seed(seed):
    expected = ensemble(walk, 3, rng=np.random.SeedSequence([3, 1]))
    assert same_bits(ensemble(walk, 3, rng=seed), expected)


def test_results_are_stacked_by_name(reference):
    assert {name: array.shape for name, array in reference.items()} == {"path": (SIZE, 5), "end": (SIZE,)}
    assert np.allclose(reference["path"][:, -1], reference["end"], rtol=1e-12, atol=1e-12)


def test_a_generator_gives_another_ensemble_each_time():
    rng, seed = np.random.default_rng(11), np.random.SeedSequence(11)
    for child in seed.spawn(2):
        assert same_bits(ensemble(walk, 3, rng=rng), ensemble(walk, 3, rng=child))


def test_seeds_differ(reference):
    assert not np.isin(ensemble(walk, SIZE, rng=12)["end"], reference["end"]).any()
    assert np.unique(reference["end"]).size == SIZE


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(3, np.float64), (True, np.float64), (np.float32(0.5), np.float64), (1j, np.complex128)],
)
def test_numbers_become_double_precision(value, dtype):
    result = ensemble(lambda rng: value, 2, rng=1)
    assert result.dtype == dtype
    assert (result == value).all()


# Wherever it runs


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_in_threads(reference, threads):
    with ThreadPoolExecutor(threads) as pool:
        assert same_bits(ensemble(walk, SIZE, rng=11, map=pool.map), reference)


def test_same_bits_in_a_process_pool(reference):
    with ProcessPoolExecutor(2, mp_context=FRESH) as pool:
        assert same_bits(ensemble(walk, SIZE, rng=11, map=pool.map), reference)
        with pytest.raises(ReplicaError, match="replica 7: ArithmeticError: no such state") as caught:
            ensemble(fails_at_seven, SIZE, rng=11, map=pool.map)
    assert caught.value.index == 7


def test_same_bits_in_a_multiprocessing_pool(reference):
    with FRESH.Pool(2) as pool:
        for form in (pool.map, pool.imap, pool.imap_unordered):
            assert same_bits(ensemble(walk, SIZE, rng=11, map=form), reference)
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
        assert same_bits(ensemble(walk, SIZE, rng=11, map=client.map, store=tmp_path), reference)
        with pytest.raises(ReplicaError, match="replica 7: ArithmeticError: no such state"):
            ensemble(fails_at_seven, SIZE, rng=11, map=client.map)
        other = ensemble(walk, SIZE, rng=12, map=client.map)
    assert same_bits(other, ensemble(walk, SIZE, rng=12))
    assert len(list(tmp_path.glob("*.npz"))) == SIZE


def test_any_order_of_arrival_gives_the_same_bits(reference, tmp_path):
    def shuffled(function, indices):
        return (function(i) for i in np.random.default_rng(0).permutation(indices).tolist())

    assert same_bits(ensemble(walk, SIZE, rng=11, map=shuffled, store=tmp_path), reference)
    assert same_bits(ensemble(walk, SIZE, rng=11, store=tmp_path), reference)


# Replicas that fail


def test_a_failing_replica_is_named_and_the_others_kept(tmp_path):
    with pytest.raises(ReplicaError, match="replica 7: ArithmeticError: no such state") as caught:
        ensemble(fails_at_seven, SIZE, rng=11, store=tmp_path)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    (path,) = tmp_path.glob("*.npz")
    with np.load(path) as stored:
        assert stored["(numbers)"].tolist() == list(range(7))


def test_a_failing_replica_stops_the_others(tmp_path):
    def task(rng):
        log.append(index_of(rng))
        return fails_at_seven(rng)

    log = []
    with pytest.raises(ReplicaError, match="replica 7"), ThreadPoolExecutor(1) as pool:
        ensemble(task, 5_000, rng=11, map=pool.map)
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

    monkeypatch.setattr(module, "made_by", lambda task, seed: {})  # no code could tell what a gate is
    if where == "store":
        monkeypatch.setattr(os, "fsync", dies_with(OSError(errno.ENOSPC, "No space left"), at=5))
    with ThreadPoolExecutor(1) as pool:
        try:
            with pytest.raises((ReplicaError, StoreError), match=r"replica 1: results differ|No space left"):
                ensemble(task, 50, rng=11, map=pool.map, store=tmp_path)
        finally:
            gate.set()
    assert log == list(range(len(log)))
    assert 2 <= len(log) <= 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, complex(0, np.nan)])
def test_nothing_is_silently_nan(bad):
    with pytest.raises(ReplicaError, match=r"replica 2: .* not finite"):
        ensemble(lambda rng: bad if index_of(rng) == 2 else 1.0, 4, rng=1)


@pytest.mark.parametrize(
    "odd",
    [
        np.zeros(3),
        1j,
        {"x": 1.0},
        "one",
        "1",
        None,
        {},
        {"a b": 1.0},
        {1: 1.0},
        [[1], [1, 2]],
        10**400,
        np.longdouble("1e4000"),
        np.ma.array(1.0, mask=True),
        np.datetime64("2000"),
    ],
    ids=repr,
)
def test_replicas_are_of_one_kind(odd):
    with pytest.raises(ReplicaError, match="replica 2: "):
        ensemble(lambda rng: odd if index_of(rng) == 2 else 1.0, 4, rng=1)


def test_results_that_do_not_fit_into_memory_are_named():
    whole = np.broadcast_to(1.0, (2, 10**9))  # of no size itself
    with pytest.raises(ReplicaError, match=r"replica 0: .*allocate"):
        ensemble(lambda rng: 1.0, 1000, rng=1, map=lambda function, indices: [(0, {"x": whole})])


# Progress and bad input


def test_progress(tmp_path, capsys):
    ensemble(walk, 3, rng=11, store=tmp_path)
    assert capsys.readouterr() == ("", "")
    ensemble(walk, 5, rng=11, store=tmp_path, progress="walkers")
    out, err = capsys.readouterr()
    assert out == ""
    assert "walkers:  60%" in err
    assert "5/5" in err


def test_progress_is_silent_where_tqdm_is_and_loaded_only_then():
    code = (
        "import sys; from lattice.replicas import ensemble; ensemble(lambda rng: 1.0, 3, rng=1); "
        "assert not {'dask', 'distributed', 'tqdm'} & set(sys.modules); "
        "ensemble(lambda rng: 1.0, 3, rng=1, progress=True)"
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
        ("size", "3"),
        ("size", 10**8 + 1),
        ("size", 10**18),
        ("rng", None),
        ("rng", -1),
        ("rng", 1.5),
        ("rng", True),
        ("rng", "1"),
        ("rng", b"1"),
        ("rng", []),
        ("rng", [1, -1]),
        ("rng", [1, True]),
        ("rng", [1, 2.0]),
        ("rng", [[1], [2]]),
        ("rng", np.array([1.0])),
        ("rng", np.array(3)),
        ("rng", [[1], [2, 3]]),
        ("rng", {1: 2}),
        ("map", [1, 2]),
        ("map", None),
        ("progress", 3),
        ("progress", b"label"),
        ("store", ""),
        ("store", 3),
        ("store", b"folder"),
        ("store", "\ud800"),
        ("store", "fold\0er"),
        ("store", __file__),
    ],
)
def test_bad_input(name, value):
    def never(function, indices):
        raise AssertionError("a replica is run")

    arguments = {"task": walk, "size": 2, "rng": 1, "map": never, name: value}
    with pytest.raises(ValueError, match=f"^{name} = .*; allowed: "):
        ensemble(arguments.pop("task"), arguments.pop("size"), **arguments)


def test_a_seed_whose_children_are_in_use_is_refused():
    seed = np.random.SeedSequence(1)
    seed.spawn(1)
    with pytest.raises(ValueError, match="has spawned, its children are in use"):
        ensemble(walk, 2, rng=seed)


def test_a_map_that_forgets_is_caught():
    with pytest.raises(ValueError, match="left out replica 3"):
        ensemble(walk, 5, rng=1, map=lambda function, indices: map(function, indices[:3]))


ONE = (0, {"x": np.ones(1)})


@pytest.mark.parametrize(
    "given", [None, 7, [None], [3.0], [(0, 1, 2)], [("0", {})], [([], {})], [(5, ONE[1])], [ONE, ONE]]
)
def test_a_map_that_gives_something_else_is_caught(given):
    with pytest.raises(ValueError, match=r"^map = .*; allowed: "):
        ensemble(walk, 5, rng=1, map=lambda function, indices: given)
