"""Peierls: which three phonons can collide, in scalar crystals and in a chain that moves in a plane.

The frequencies are written out here, or found from a dynamical matrix, independent of `kinetic.resonance`.
"""

import numpy as np
from scipy.optimize import brentq

from lattice import Bond, Crystal, Pin, dispersion, mode_energy
from lattice.chain import State
from lattice.kinetic import resonance
from lattice.micro import planar

ALONG, ACROSS, K = 4.0, 1.0, 0.8


def scalar(rng):
    """A crystal in 1 to 3 dimensions, springs to the neighbours and to sites at random, a pin or none."""
    d = int(rng.integers(1, 4))
    bonds = {tuple(int(i == j) for j in range(d)): Bond(chi=rng.exponential() + 0.01) for i in range(d)}
    for step in rng.integers(-2, 3, (4, d)):
        z = tuple(map(int, step))
        if any(z) and z not in bonds and tuple(-one for one in z) not in bonds:
            bonds[z] = Bond(chi=rng.exponential())
    return Crystal((7,) * d, bonds, Pin(chi=rng.choice([0.0, 1.0]) * rng.exponential()))


def test_peierls_3_no_three_phonon_resonance_of_a_scalar_crystal(claim):
    """ω(k + k') < ω(k) + ω(k') for pairs at random, and the like for three; the defect of the chain."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        crystal = scalar(rng)
        waves = rng.random((2, 3000, crystal.d))
        first, second, both = dispersion(crystal, np.stack([*waves, waves.sum(axis=0)]))
        assert (first + second - both > 0).all()
        third = rng.random((3000, crystal.d))
        three = dispersion(crystal, waves.sum(axis=0) + third)
        assert (first + second + dispersion(crystal, third) - three > 0).all()
    # the defect of the chain in closed form: it vanishes where a wave is a translation, and nowhere else
    chain = Crystal((8,), Bond(chi=2.25))
    a, b = rng.random((2, 5000, 1)) * 0.5
    defect = dispersion(chain, a) + dispersion(chain, b) - dispersion(chain, a + b)
    x, y = (np.pi * one[:, 0] for one in (a, b))
    claim.agrees(defect, 12 * np.sin(x / 2) * np.sin(y / 2) * np.sin((x + y) / 2), rtol=1e-6, floor=1e-3)


def test_peierls_3_a_spring_that_pushes_makes_resonances(claim):
    """The theorem needs stiffnesses that are not negative: with χ₂ < -χ₁/16 long waves decay."""

    def omega(k, far):
        return np.sqrt(4 * np.sin(np.pi * k) ** 2 + 4 * far * np.sin(2 * np.pi * k) ** 2)

    k = np.linspace(0.001, 0.2, 200)
    assert (2 * omega(k / 2, -0.06) > omega(k, -0.06)).all()
    assert 2 * omega(0.05, -0.1) < omega(0.1, -0.1)
    threshold = brentq(lambda far: 2 * omega(5e-3, far) - omega(1e-2, far), -0.1, -0.05, xtol=1e-12)
    claim.agrees(threshold, -1 / 16, rtol=1e-3)


def test_peierls_3_decay(claim, record):
    """L(0.8) → T(k₁) + T(k₂): the root of the frequencies, the closed form and the package."""

    def omega(chi, k):
        return 2 * np.sqrt(chi) * abs(np.sin(np.pi * k))

    def off(k1):
        return omega(ALONG, K) - omega(ACROSS, k1) - omega(ACROSS, K - k1)

    k1 = brentq(off, 0.5, 0.79, xtol=1e-15, rtol=1e-14)
    delta = 2 / np.pi * np.arccos(np.sqrt(ALONG / ACROSS) * np.cos(np.pi * K / 2))
    crystal = Crystal((5,), {1: (Bond(chi=ALONG), Bond(chi=ACROSS))}, components=2)
    found = resonance.decays(crystal, K)
    assert len(found.k) == 1
    claim.agrees([k1, K - k1], [(K + delta) / 2, (K - delta) / 2], rtol=1e-10)
    claim.agrees([found.k1[0], found.k2[0]], [k1, K - k1], rtol=1e-10)
    record(
        "peierls-3/decay",
        [k1, K - k1],
        method="L(0.8) → T + T without pins, χ_L = 4 χ_T: root of the sum of the frequencies by bisection",
    )


def test_peierls_3_the_decay_happens(claim):
    """Exact springs in a plane: of all transverse waves the pair of the closed form grows, at its rate."""
    n, amplitude = 125, 0.05
    crystal = Crystal((n,), {1: (Bond(chi=ALONG), Bond(chi=ACROSS))}, components=2)
    k1, k2 = 0.6879294020721541, 0.1120705979278459
    sines = np.sin(np.pi * k1) * np.sin(np.pi * k2)
    rate = (ALONG - ACROSS) * amplitude * sines / (2 * np.sqrt(ACROSS * sines))
    angle, size = 2 * np.pi * K * np.arange(n), amplitude / (2 * np.sin(np.pi * K))
    q, p = np.zeros((2, 1, 2, n))
    q[0, 0], p[0, 0] = size * np.cos(angle), size * 2 * np.sqrt(ALONG) * np.sin(np.pi * K) * np.sin(angle)
    q[0, 1, 0] = 1e-6  # all transverse waves
    times = np.linspace(0, 12 / rate, 60)
    run = planar.evolve(crystal, State(q, p), times, dt=0.05)
    energy = mode_energy(crystal, run.q, run.p)[:, 0, 1]
    pair = [round(k1 * n), round(k2 * n)]
    assert set(np.argsort(energy[-1])[-2:]) == set(pair)
    slopes = [np.polyfit(times[35:], np.log(energy[35:, k]), 1)[0] / 2 for k in pair]
    claim.agrees(slopes, [rate, rate], rtol=0.02)
