"""The offset of all seeds: it reaches every number drawn from a seed, and no other."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from book.register import ROOT
from tests.reseed import Shifted, shifted

DRAWS = """
import json, subprocess, sys
from tests.reseed import shift_seeds
shift_seeds(int(sys.argv[1]))
seed = int(sys.argv[2])
import pickle
import numpy as np
import lattice as lk
from lattice import kinetic, micro

chain, crystal = lk.Chain(3, pin=lk.Pin(chi=1)), lk.Crystal((3, 3), pin=lk.Pin(chi=1))
noise = lk.ThreeSiteRotation(1.0)
still = np.zeros((2, 3))
q, p = np.zeros((2, 1, 2, 3, 3))
p[..., 0, 0] = 1.0
turning = lk.State(q, p)

def draws(rng):
    return {
        "thermal": lk.thermal(chain, 1.0, replicas=1, rng=rng()).p,
        "baths": micro.evolve(chain, lk.State(*still), [1.0], baths=[lk.Langevin(0, 1.0)], rng=rng()).p,
        "noise": micro.evolve(chain, lk.State(still[0], [1.0, 2.0, 3.0]), [1.0], noise=noise, rng=rng()).p,
        "flights": kinetic.flights.simulate(chain, noise, [1.0], 3, rng=rng()),
        "crystal": lk.thermal(crystal, 1.0, 1, rng=rng()).q,
        "crystal's noise": micro.crystals.evolve(
            crystal, turning, [1.0], noise=lk.PairRotation(1.0), dt=0.1, rng=rng()
        ).p,
        "numpy": np.random.default_rng(rng()).random(2),
    }

found = draws(lambda: seed)
found["ensemble"] = lk.ensemble(lambda rng: rng.random(), 2, rng=seed)
found["parameters"] = np.random.default_rng([seed, 3]).random(2)
found["numpy integer"] = np.random.default_rng(np.int64(seed)).random()
sequence = np.random.SeedSequence(seed)
found["sequence"] = np.random.default_rng(sequence).random()
found["child"] = np.random.default_rng(sequence.spawn(2)[1]).random()
again = np.random.SeedSequence(sequence.entropy, spawn_key=(1,))
assert np.random.default_rng(again).random() == found["child"]  # as ensemble makes children
assert isinstance(pickle.loads(pickle.dumps(sequence)), np.random.SeedSequence)
code = f"import numpy as np; print(np.random.default_rng({seed}).random())"
process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
found["another process"] = float(process.stdout)
one = np.random.Generator(np.random.PCG64(5))  # never shifted
same = {name: value for name, value in draws(lambda: one).items()}
print(json.dumps([{name: np.asarray(x).tolist() for name, x in part.items()} for part in (found, same)]))
"""


def drawn(shift, seed):
    done = subprocess.run(
        [sys.executable, "-c", DRAWS, str(shift), str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},  # without the offset of this run
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_shifted_seed_is_another_seed():
    """Seed 1 with offset 5 is seed 6, wherever the seed is given; generators stay what they are."""
    moved, same = drawn(5, 1)
    other, without = drawn(0, 6)
    first, _ = drawn(0, 1)
    assert moved == other
    assert same == without
    for name in first:
        assert first[name] != moved[name], name


def test_what_is_a_seed():
    assert shifted(1, 5) == 6
    assert shifted(shifted(1, 5), 5) == 6  # once
    assert shifted([1, 2], 5) == shifted((1, 2), 5) == shifted(np.array([1, 2]), 5) == [6, 2]
    assert shifted(shifted([1, 2], 5), 5) == [6, 2]
    assert type(pickle.loads(pickle.dumps(Shifted(6)))) is int
    generator = np.random.default_rng(1)
    for other in (None, True, -1, 1.5, "1", [], generator, generator.bit_generator.seed_seq):
        assert shifted(other, 5) is other


def test_this_run_is_shifted_if_that_was_asked_for(request):
    by = request.config.getoption("--shift")
    plain = np.random.Generator(np.random.PCG64(1 + by)).random()
    assert np.random.default_rng(1).random() == plain
    assert np.random.Generator(np.random.PCG64(np.random.SeedSequence(1))).random() == plain
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(first_number, 1).result() == plain


def first_number(seed):
    return np.random.default_rng(seed).random()


@pytest.mark.parametrize("arguments", [("--shift", "-1"), ("--shift", "2", "--record"), ("--shift", "x")])
def test_offsets_that_are_refused(arguments):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments, "tests/test_reseed.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--shift" in done.stderr
