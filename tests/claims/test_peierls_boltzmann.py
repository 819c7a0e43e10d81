"""The phonon Boltzmann equation of the pinned quartic chain against the chain, and its invariants.

The chain is moved by Newton's equations (`book/data/phonon_relaxation.py`, a stored run of which a slice is
made again here); the kinetic equation is `kinetic.four_phonon`.  The two share the dispersion only.
"""

import json
from functools import cache, partial

import numpy as np
from scipy.optimize import brentq, fsolve

import lattice as lk
from book.data import phonon_relaxation as stored
from lattice.kinetic import four_phonon

TAU = np.array(stored.TAU)
EARLY = slice(2, 6)  # 0.5 ≤ λ²t ≤ 4
STRENGTHS = sorted(stored.REPLICAS)


@cache
def result():
    return json.loads(stored.TARGET.read_text())


def folded(rows):
    """Means of the bands at k and at 1 - k."""
    return (rows + rows[..., ::-1])[..., : stored.BANDS // 2] / 2


@cache
def equation(pin=stored.PIN, nodes=64):
    return four_phonon.collision(lk.Chain(8, pin=lk.Pin(pin, beta=1.0)), nodes, 2 * nodes)


def in_bands(nodes, energies):
    """Band means of W given on the nodes."""
    k = lk.wave_numbers(stored.N)
    fine = [np.interp(k, np.append(nodes, 1), np.append(row, row[0])) for row in energies]
    return stored.bands(np.array(fine))


@cache
def kinetic():
    collision = equation()
    omega = collision.invariants[1]
    return in_bands(
        collision.nodes, collision.relax(stored.start(collision.nodes) / omega, TAU, rtol=1e-4) * omega
    )


def error(strength, clock=1.0):
    """The rms deviation of the chain from the equation, with the noise of the chain taken out."""
    run = result()["runs"][str(strength)]
    theory = kinetic()
    if clock != 1:
        theory = np.array([np.interp(clock * TAU, TAU, row) for row in theory.T]).T
    noise = (folded(np.square(run["stderr"])) / 2)[EARLY].mean()
    square = np.square(folded(np.array(run["mean"])) - folded(theory))[EARLY].mean()
    return np.sqrt(max(square - noise, 0.0)), np.sqrt(noise)


def test_the_stored_run_belongs_to_its_script():
    assert result()["script"] == stored.script_hash()
    assert result()["seed"] == stored.SEED
    assert result()["tau"] == list(stored.TAU)


def test_a_slice_of_the_stored_run_made_again():
    run = result()["runs"]["0.2"]
    again = lk.ensemble(partial(stored.relaxation, strength=0.2, tau=stored.TAU[:5]), 128, rng=5)
    stderr = np.hypot(again[:, 1:].std(axis=0, ddof=1) / np.sqrt(128), np.array(run["stderr"])[1:5])
    deviations = (again.mean(axis=0)[1:] - np.array(run["mean"])[1:5]) / stderr
    assert np.abs(deviations).max() < 7  # 64 comparisons, more than 100 degrees: below 1e-8
    moved = np.array(run["mean"])[4] - np.array(run["mean"])[0]
    assert np.abs(moved / stderr[-1]).max() > 14  # a chain that does not relax would show


def test_peierls_4_collapse_and_order_of_the_error(claim, record):
    """The deviation falls with λ, by a factor of 4 or more from 0.2 to 0.025: of first order, nearly."""
    errors = [error(strength)[0] for strength in STRENGTHS]
    noise = error(0.025)[1]
    assert np.all(np.diff(errors) > 0)
    assert errors[0] < 0.25 * errors[-1]
    slope = np.polyfit(np.log(STRENGTHS[1:]), np.log(errors[1:]), 1)[0]
    claim.agrees(slope, 1.0, rtol=0.4)
    assert errors[0] < 3 * noise  # the weakest agrees, within its noise
    record(
        "peierls-4/deviation",
        errors,
        stderr=[error(strength)[1] for strength in STRENGTHS],
        seed=stored.SEED,
        method="rms over 8 bands, λ²t = 0.5 to 4, of chains with λ = 0.025, 0.05, 0.1, 0.2; noise taken out",
    )


def test_peierls_4_a_wrong_prefactor_would_show(claim, record):
    """A clock that runs half as fast, as with a wrong 2 in the vertex squared, is off by far."""
    clocks = np.linspace(0.5, 1.5, 201)
    best = clocks[np.argmin([error(0.025, clock)[0] for clock in clocks])]
    claim.agrees(best, 1.0, rtol=0.15)
    record("peierls-4/clock", best, stderr=0.05, seed=stored.SEED, method="pace that fits λ = 0.025 best")
    right = error(0.025)[0]
    assert error(0.025, clock=0.5)[0] > 4 * right + 0.03
    assert error(0.025, clock=0.8)[0] > right + 0.01


def test_peierls_4_the_chain_keeps_the_number_too(claim):
    omega = lk.dispersion(lk.Chain(stored.N, pin=lk.Pin(stored.PIN)))
    weights = stored.bands(1 / omega)  # nearly: W is smooth within a band
    for strength, bound in ((0.05, 0.02), (0.025, 0.02)):
        number = np.array(result()["runs"][str(strength)]["mean"]) @ weights
        claim.agrees(number / number[0], np.ones(len(number)), rtol=bound)
    flat = stored.bands(np.ones(stored.N))
    assert abs(flat @ weights / (stored.bands(stored.start(lk.wave_numbers(stored.N))) @ weights) - 1) > 0.03


def test_peierls_4_number_and_energy_are_the_only_invariants(claim):
    collision = equation()
    n, _ = collision.equilibrium(stored.start(collision.nodes) / collision.invariants[1])
    rates = np.sort(np.abs(collision.spectrum(n)))
    assert rates[1] < 1e-9 < 1e-3 < rates[2]
    claim.agrees(float((rates < 1e-6).sum()), 2.0)
    drift = collision.measure @ (
        np.sin(2 * np.pi * collision.nodes)
        * collision.rate_of_change((1 + 0.8 * np.sin(2 * np.pi * collision.nodes)) / collision.invariants[1])
    )
    assert abs(drift) > 1e-2  # umklapp: what runs one way does not keep on


def test_peierls_4_one_from_three_and_two_from_four(claim):
    """3 → 1 needs 3 ω(k) ≤ ω at its best, and never gets there; 4 → 2 does for A < 4/3 only."""
    k = (np.arange(48) + 0.5) / 48
    for pin in (0.05, 1.0, 3.0):
        omega = lk.dispersion(lk.Chain(8, pin=lk.Pin(pin)), k)
        sums = omega[:, None, None] + omega[None, :, None] + omega
        one = lk.dispersion(lk.Chain(8, pin=lk.Pin(pin)), k[:, None, None] + k[None, :, None] + k)
        assert (sums - one).min() > 0.5 * np.sqrt(pin)

    # four waves of the bottom hold 4 √A, two of the top 2 √(A + 4): more if A < 4/3
    def excess(pin):
        bottom, top = lk.dispersion(lk.Chain(8, pin=lk.Pin(pin)), [0.0, 0.5])
        return 4 * bottom - 2 * top

    claim.agrees(brentq(excess, 0.1, 10, xtol=1e-13), 4 / 3)


def top_heavy(k):
    """Most energy where the frequency is high."""
    return 1 - 0.6 * np.cos(2 * np.pi * k) + 0.35 * np.cos(6 * np.pi * k)


def test_peierls_4_a_negative_temperature(claim, record):
    """Of one of two starts, which the equation then approaches."""
    for pin, start, negative in ((2.0, top_heavy, True), (1.0, stored.start, False)):
        collision = equation(pin, 128)
        n = start(collision.nodes) / collision.invariants[1]
        found, (number, energy) = collision.equilibrium(n)
        assert (energy < 0) == negative
        np.testing.assert_allclose(found, 1 / (number + energy * collision.invariants[1]), rtol=1e-12)
        if negative:
            k = (np.arange(4000) + 0.5) / 4000
            omega = np.sqrt(pin + 4 * np.sin(np.pi * k) ** 2)

            def miss(x, k=k, omega=omega, start=start):
                law = x[0] / (omega - x[1])
                return np.mean(law - start(k) / omega), np.mean(omega * law - start(k))

            law = [1 / energy, -number / energy]
            claim.agrees(law, fsolve(miss, [-0.5, 3.0]), rtol=5e-3)
            record(
                "peierls-4/negative", law, systematic=[1e-3, 2.5e-3], method="T and μ of the end, 128 nodes"
            )
            late = collision.relax(n, [2000.0], rtol=1e-3)[0]
            np.testing.assert_allclose(late, found, rtol=0.02)
            assert np.abs(n / found - 1).max() > 0.1
