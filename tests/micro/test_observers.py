"""What a run keeps: against the states themselves, in constant memory, with its inputs."""

import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lattice import Bond, Chain, Langevin, Pin, State, ThreeSiteRotation, VelocityFlip
from lattice.micro import (
    Averages,
    Profiles,
    Series,
    Totals,
    energy_current,
    evolve,
    moments,
    momentum_current,
)
from tests import naive

BOUNDARIES = ["periodic", "fixed", "free", ("fixed", "free"), ("free", "fixed")]
LAWS = {"harmonic": 1, "polynomial": 3, "cosine": 5}
NAMES = ("chi", "alpha", "beta", "J", "m")


def example(boundary, law, varied, pinned, n=7, replicas=150):
    """A chain whose coefficients are all at work, and more replicas than fit on one strip."""
    rng = np.random.default_rng(1)
    bonds = Chain(n, boundary=boundary).n_bonds

    def coefficients(size):
        return {name: rng.uniform(0.3, 0.8, size if varied else None) for name in NAMES[: LAWS[law]]}

    pin = Pin(**coefficients(n)) if pinned else Pin()
    start = State(*0.3 * rng.standard_normal((2, replicas, n)))
    return Chain(n, Bond(**coefficients(bonds)), pin, boundary), start


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
@pytest.mark.parametrize("law", list(LAWS))
@pytest.mark.parametrize("varied", [False, True])
def test_observers_see_what_the_states_are(boundary, law, varied):
    """Totals and block means of all that they name, to round-off; and the run is the same to the bit."""
    chain, start = example(boundary, law, varied, pinned=law != "harmonic")
    times = np.arange(0, 5.5, 0.25)  # 22, of which two fill no block
    options = {"noise": VelocityFlip(0.2), "rng": 3}
    if boundary != "periodic":
        options["baths"] = [Langevin(0, 0.4), Langevin(-1, 0.2, force=0.1)]
    run = evolve(chain, start, times, **options)
    series = evolve(chain, start, times, observe=Totals(), **options)
    averages = evolve(chain, start, times, observe=Profiles(5), **options)
    r = chain.stretches(run.q)
    moving = energy_current(chain, run.q, run.p)
    expected = {
        "energy_current": moving.sum(axis=-1),
        "momentum_current": momentum_current(chain, run.q).sum(axis=-1),
        "momentum": run.p.sum(axis=-1),
        "squares": np.square(run.p).sum(axis=-1),
    }
    for name, values in expected.items():
        assert_allclose(getattr(series, name), values, rtol=1e-13, atol=1e-14)
    along = {
        "p": run.p,
        "squares": run.p**2,
        "pin_energy": chain.pin.potential(run.q),
        "stretch": r,
        "tension": chain.bond.slope(r),
        "bond_energy": chain.bond.potential(r),
        "energy_current": moving,
    }
    assert set(averages.blocks) == set(along)
    assert averages.outputs == 4
    for name, values in along.items():
        means = values[2:].reshape(5, 4, start.replicas, -1).mean(axis=(1, 2))
        assert_allclose(averages.blocks[name], means, rtol=1e-13, atol=1e-14)
        estimate = averages.mean(name)
        assert_allclose(estimate.value, means.mean(axis=0), rtol=1e-12, atol=1e-14)
        assert_allclose(estimate.stderr, means.std(axis=0, ddof=1) / np.sqrt(5), rtol=1e-9, atol=1e-14)
    p = run.p[2:]
    temperature = (p**2).mean(axis=(0, 1)) - p.mean(axis=(0, 1)) ** 2
    assert_allclose(averages.temperature().value, temperature, rtol=0.05)
    for other in (series, averages):
        assert_array_equal(other.final.q, run.q[-1])
        assert_array_equal(other.final.p, run.p[-1])


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_momentum_current_and_twin(boundary):
    chain, start = example(boundary, "cosine", varied=True, pinned=False, replicas=3)
    expected = [[-naive.tension(chain, q, *bond) for bond in naive.bonds(chain)] for q in start.q]
    assert_allclose(momentum_current(chain, start.q), expected, rtol=1e-13, atol=1e-15)


def test_what_flows_in_stays():
    """The momentum of a site changes by what its bonds carry: currents are positive to the right."""
    chain, start = example("free", "cosine", varied=True, pinned=False, replicas=2)
    run = evolve(chain, start, [0.0, 1e-5], dt=1e-6)
    inflow = -np.diff(momentum_current(chain, run.q[0]), axis=-1, prepend=0.0, append=0.0)
    assert_allclose((run.p[1] - run.p[0]) / 1e-5, inflow, atol=1e-4)


def test_profile_between_two_baths():
    """A harmonic chain against its exact moments, 32 blocks of ten times its longest memory.

    False alarm 9 × 7e-8 (7 standard errors by Student's law); detects 20 % of the current.
    """
    n = 4  # longer chains remember too long: the decay of the covariance is 0.106 here, 0.011 with 8 sites
    chain = Chain(n, Bond(chi=1.0), Pin(chi=0.5), "free")
    baths = [Langevin(0, 2.0), Langevin(-1, 1.0)]
    start = State(np.zeros((100, n)), np.zeros((100, n)))
    run = evolve(chain, start, np.arange(200.0, 3400.0), baths=baths, observe=Profiles(100), rng=4)
    current, heat = run.mean("energy_current"), run.temperature()
    exact = moments.stationary(chain, baths)
    assert np.abs(current.deviation(exact.energy_currents)).max() < 7
    assert np.abs(heat.deviation(np.diag(exact.pp))).max() < 7
    assert np.all(7 * current.stderr < 0.2 * exact.energy_currents)


def test_memory_does_not_grow_with_the_times():
    """Ten times as many outputs, which states would fill with 100 MB more."""
    chain = Chain(256, Bond.rotor())
    start = State(np.zeros((8, 256)), np.random.default_rng(1).standard_normal((8, 256)))

    def peak(count, observe):
        tracemalloc.start()
        evolve(chain, start, 0.1 * np.arange(count), dt=0.1, observe=observe)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(20, Profiles(2))  # compiled
    few, many = (peak(count, Profiles(2)) for count in (320, 3200))
    assert many - few < 100 * 2880  # a few numbers a time, and none a site
    assert peak(320, None) - few > 320 * 8 * 256 * 8


def test_a_run_goes_on_from_its_end():
    chain, start = example("periodic", "cosine", varied=False, pinned=True)
    whole = evolve(chain, start, np.arange(9.0), dt=0.125, observe=Totals())
    first = evolve(chain, start, np.arange(5.0), dt=0.125, observe=Totals())
    second = evolve(chain, first.final, np.arange(1.0, 5.0), dt=0.125, observe=Totals())
    assert_allclose(second.energy_current, whole.energy_current[5:], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("observe", [Totals(), Profiles(3)])
def test_bits_do_not_depend_on_the_map_and_results_carry_their_inputs(observe):
    chain, start = example("free", "polynomial", varied=False, pinned=True, n=300, replicas=7)
    baths = [Langevin(0, 1.0)]
    rng = np.random.default_rng(5)
    rng.spawn(2)  # the third run of a program
    options = {"baths": baths, "noise": ThreeSiteRotation(0.1), "observe": observe, "dt": 0.05}
    run = evolve(chain, start, [1.0, 2.0, 3.0, 4.0], rng=rng, **options)
    assert isinstance(run, Series if observe == Totals() else Averages)
    assert (run.chain, run.noise, run.baths) == (chain, ThreeSiteRotation(0.1), tuple(baths))
    assert (run.scheme, run.dt, run.lost) == ("verlet", 0.05, {})
    assert run.seed.entropy == np.random.default_rng(5).bit_generator.seed_seq.entropy

    def numbers(run):
        return run.energy_current if observe == Totals() else run.blocks["energy_current"]

    with ThreadPoolExecutor(2) as pool:
        again = evolve(chain, start, run.times, rng=run.seed, map=pool.map, **options)
    assert_array_equal(numbers(again), numbers(run))
    assert_array_equal(numbers(pickle.loads(pickle.dumps(run))), numbers(run))
    assert not numbers(run).flags.writeable
    assert "\n" not in repr(run)
    assert len(repr(run)) < 400
    other = evolve(chain, start, run.times, rng=rng, **options)
    assert not np.array_equal(numbers(other), numbers(run))


@pytest.mark.parametrize("blocks", [1, 0, -3, 2.0, True, None, "2"])
def test_blocks_are_two_or_more(blocks):
    with pytest.raises(ValueError, match=r"blocks = .*; allowed: an integer at least 2"):
        Profiles(blocks)


def test_a_name_that_is_not_there():
    chain, start = example("free", "harmonic", varied=False, pinned=False, replicas=2)
    run = evolve(chain, start, np.arange(4.0), observe=Profiles(2))
    with pytest.raises(ValueError, match=r"name = 'heat'; allowed: 'p', 'squares', "):
        run.mean("heat")


def test_profiles_of_many_short_chains_count_all_replicas_of_a_strip():
    """Each has sums of its own while it runs: 256 chains of two sites on a strip, 80 GB in all."""
    chain, start = Chain(2, boundary="free"), State(np.ones((300, 2)), np.ones((300, 2)))
    times = np.arange(1.0, 2e6)
    with pytest.raises(ValueError, match=r"times = .* needs 1\.1e\+10 steps; allowed: at most 1e\+10"):
        evolve(chain, start, times, dt=1.0, observe=Profiles(blocks=times.size))
