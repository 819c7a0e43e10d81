"""Equilibrium of anharmonic chains: closed forms, brute-force integrals, the harmonic route, samples.

Statistical checks allow 6 standard errors, a false alarm of 2e-9 each; what they would miss is stated.
"""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import cumulative_trapezoid
from scipy.special import gamma, ive
from scipy.stats import chi2, kstest

from lattice import (
    Bond,
    Chain,
    Pin,
    bond_average,
    energy,
    heat_capacity,
    log_partition,
    mean_energy,
    site_average,
    thermal,
)
from lattice._quadrature import Gibbs
from lattice._stretches import Stretches
from lattice._transfer import Transfer

VARIED = np.array([0.7, 1.3, 2.1, 0.4, 1.8, 1.0])
TEMPERATURES = (1e-50, 1e-12, 0.3, 1.0, 1e12, 1e50)
FPUT = Bond(chi=1, alpha=0.7, beta=0.4)
WELLS = Bond(chi=-1, beta=0.5)
HELD = Pin(chi=0.5, beta=0.8)

# closed forms


@pytest.mark.parametrize("T", TEMPERATURES)
@pytest.mark.parametrize("beta", [1.0, 1e-30, 1e30])
def test_quartic_bonds(beta, T):
    """∫exp(-βr⁴/4T)dr = (4T/β)^{1/4} 2Γ(5/4): a quarter of T for each bond."""
    chain = Chain(3, Bond(beta=beta), boundary=("free", "fixed"))
    one = (math.log(4 * T) - math.log(beta)) / 4 + math.log(2 * gamma(1.25))
    assert_allclose(log_partition(chain, T), 1.5 * math.log(2 * math.pi * T) + 3 * one, rtol=1e-12)
    assert_allclose(mean_energy(chain, T) / T, 2.25, rtol=1e-12)
    assert_allclose(heat_capacity(chain, T), 2.25, rtol=1e-12)


@pytest.mark.parametrize("T", [1e-4, 0.1, 1.0, 100.0, 1e90])
@pytest.mark.parametrize(("J", "m"), [(1.3, 1.0), (-0.4, 1.0), (0.7, 2.5)])
def test_rotors_with_a_free_end(J, m, T):
    """∫exp(-J(1 - cos mr)/T)dr = (2π/m) e^{-J/T} I₀(J/T)."""
    x, n = abs(J) / T, 4
    chain = Chain(n, Bond.rotor(J=J, m=m), boundary=("fixed", "free"))
    low = min(2 * J, 0)  # of the potential
    one = math.log(2 * math.pi / m) + math.log(ive(0, x)) - low / T
    share = ive(1, x) / ive(0, x)
    assert_allclose(log_partition(chain, T), n / 2 * math.log(2 * math.pi * T) + n * one, rtol=1e-12)
    assert_allclose(mean_energy(chain, T), n * (T / 2 + low + abs(J) * (1 - share)), rtol=1e-12)
    spread = x**2 * (0.5 + ive(2, x) / ive(0, x) / 2 - share**2)
    assert_allclose(heat_capacity(chain, T), n * (0.5 + spread), rtol=1e-12 * (1 + x**2))


@pytest.mark.parametrize("T", [0.05, 0.6, 40.0])
@pytest.mark.parametrize("n", [3, 4, 64])
def test_rings_of_rotors(n, T):
    """Z = Σ_k I_k(J/T)ⁿ: one eigenvalue of the transfer operator for each winding."""
    J, m = 1.3, 1.5
    k, turn = np.arange(-400, 401), 2 * math.pi / m
    whole = math.log(np.sum((ive(k, J / T) / ive(0, J / T)) ** n)) + n * math.log(ive(0, J / T))
    # a circle for each of n - 1 stretches; the translation is measured by Σq/√n
    whole += (n - 1) * math.log(turn) - math.log(n) / 2 + n / 2 * math.log(2 * math.pi * T)
    assert_allclose(log_partition(Chain(n, Bond.rotor(J=J, m=m)), T), whole, rtol=1e-12)
    # pinned by next to nothing the transfer operator says the same, with the circle of the translation
    pinned = log_partition(Chain(n, Bond.rotor(J=J, m=m), Pin(J=1e-17, m=m)), T)
    assert_allclose(pinned, whole + math.log(n) / 2 + math.log(turn), rtol=1e-12)


@pytest.mark.parametrize("T", [0.02, 0.6])
def test_rings_of_rotors_that_want_to_differ(T):
    """Every second rotor turned by half a turn, an even ring with J < 0 is one with J > 0."""
    like, unlike = (Chain(6, Bond.rotor(J=J, m=1.5)) for J in (0.7, -0.7))
    assert_allclose(log_partition(unlike, T), log_partition(like, T) + 6 * 1.4 / T, rtol=1e-11)
    assert_allclose(heat_capacity(unlike, T), heat_capacity(like, T), rtol=1e-9)
    q = thermal(unlike, T, 2000, rng=3).q
    cosines = np.cos(1.5 * unlike.stretches(q)).sum(axis=1)
    mean = 6 * bond_average(like, T, lambda r: np.cos(1.5 * r))
    assert abs(cosines.mean() + mean) < 6 * cosines.std() / math.sqrt(2000)
    with pytest.raises(ValueError, match=r"chain is closed and frustrated: .*; allowed: a higher"):
        log_partition(Chain(5, unlike.bond), 0.02)
    k, x = np.arange(-300, 301), 0.7 / 0.6  # of an odd ring every second eigenvalue changes its sign
    whole = np.sum((-1.0) ** k * (ive(k, x) / ive(0, x)) ** 5)
    shares = math.log(whole) + 5 * (math.log(ive(0, x)) + 2 * x) + 4 * math.log(2 * math.pi / 1.5)
    found = log_partition(Chain(5, unlike.bond), 0.6) - 2.5 * math.log(2 * math.pi * 0.6)
    assert_allclose(found, shares - math.log(5) / 2, rtol=1e-11)


def test_oscillators_without_bonds():
    chain = Chain(5, Bond(chi=0), Pin(beta=VARIED[:5]), "free")
    one = np.log(4 / VARIED[:5]) / 4 + math.log(2 * gamma(1.25))
    assert_allclose(log_partition(chain, 1.0), 2.5 * math.log(2 * math.pi) + one.sum(), rtol=1e-12)
    assert_allclose(mean_energy(chain, 0.3), 0.3 * 5 * 0.75, rtol=1e-12)


# the harmonic route is the oracle of the others

HARMONIC = {
    "free": (Chain(5, Bond(chi=VARIED[:4]), boundary="free"), Stretches),
    "ring": (Chain(7, Bond(chi=1.7)), Stretches),
    "uneven ring": (Chain(6, Bond(chi=VARIED)), Stretches),
    "long ring": (Chain(300), Stretches),
    "walls": (Chain(5, Bond(chi=VARIED), boundary="fixed"), Stretches),
    "one wall": (Chain(5, Bond(chi=VARIED[:5]), boundary=("free", "fixed")), Stretches),
    "pinned ring": (Chain(5, Bond(chi=2), Pin(chi=0.3)), Transfer),
    "uneven pinned ring": (Chain(6, Bond(chi=VARIED), Pin(chi=VARIED[::-1])), Transfer),
    "long pinned ring": (Chain(300, pin=Pin(chi=0.4)), Transfer),
    "pinned once": (Chain(4, Bond(chi=1.5), Pin(chi=[0, 0, 0.2, 0]), "free"), Transfer),
    "pinned between walls": (Chain(5, Bond(chi=VARIED), Pin(chi=0.1), "fixed"), Transfer),
    "pinned, one wall": (Chain(20, Bond(chi=1.3), Pin(chi=0.1), ("fixed", "free")), Transfer),
    "long uneven": (Chain(200, pin=Pin(chi=np.linspace(0.5, 2, 200)), boundary="free"), Transfer),
    "in parts": (Chain(4, Bond(chi=[1, 0, 2]), Pin(chi=[1, 3, 2, 1]), "free"), Transfer),
}
each_harmonic = pytest.mark.parametrize("name", HARMONIC)


@each_harmonic
@pytest.mark.parametrize("T", [1e-90, 0.7, 1e90])
def test_anharmonic_routes_on_harmonic_chains(name, T):
    chain, route = HARMONIC[name]
    found, momenta = route(chain, T), chain.n / 2
    log_z, mean, capacity = found.thermodynamics
    log_z += momenta * math.log(2 * math.pi * T)
    assert_allclose(log_z, log_partition(chain, T), rtol=1e-12, atol=1e-10)
    assert_allclose(mean + momenta, mean_energy(chain, T) / T, rtol=1e-10)
    assert_allclose(capacity + momenta, heat_capacity(chain, T), rtol=1e-10)
    if "parts" not in name:
        square = found.bond_average(np.square) / T
        assert_allclose(square, bond_average(chain, T, np.square) / T, rtol=1e-10)
    if route is Transfer:
        square = found.site_average(np.square) / T
        assert_allclose(square, site_average(chain, T, np.square) / T, rtol=1e-10)


@each_harmonic
def test_samples_of_anharmonic_routes_on_harmonic_chains(name):
    """The potential energy is chi-square; a scale wrong by 12 deviations is missed as rarely."""
    chain, route = HARMONIC[name]
    T, replicas = 0.6, 20 if chain.n > 100 else 2000
    q = route(chain, T).draw(replicas, np.random.default_rng(11))
    degrees = replicas * (
        chain.n - (route is Stretches and name in ("free", "ring", "uneven ring", "long ring"))
    )
    twice = 2 * energy(chain, q, 0 * q).sum() / T
    low, high = chi2.ppf([1e-9, 1 - 1e-9], degrees)
    assert low < twice < high
    if chain.n < 10:  # each element of the covariance
        exact = T * np.linalg.pinv(chain.stiffness_matrix(), rtol=1e-10, hermitian=True)
        error = np.sqrt((exact**2 + np.outer(np.diag(exact), np.diag(exact))) / replicas)
        assert np.all(np.abs(q.T @ q / replicas - exact) < 6.5 * error)


# brute force


def integrals(chain, T, grid=None):
    """log Z, mean energy and heat capacity of the displacements, as sums over a grid of them."""
    still = chain.pin.is_zero and chain.ends not in (("fixed", "fixed"), ("fixed", "free"), ("free", "fixed"))
    frame = np.eye(chain.n)
    if still:  # an orthonormal frame without the translation
        frame = np.linalg.qr(np.column_stack([np.ones(chain.n), frame[:, 1:]]))[0][:, 1:]
    axes = frame.shape[1]
    if grid is None:
        grid = np.linspace(-8, 8, 401) if axes == 2 else np.linspace(-5.5, 5.5, 73)
    q = np.array(list(itertools.product(grid, repeat=axes))) @ frame.T
    value = energy(chain, q, 0 * q) / T
    weights = np.exp(value.min() - value)
    log_z = math.log(weights.sum()) - value.min() + axes * math.log(grid[1] - grid[0])
    mean = weights @ value / weights.sum()
    return log_z, mean, weights @ (value - mean) ** 2 / weights.sum()


BRUTE = {
    "FPUT ring": Chain(3, FPUT),
    "uneven FPUT ring": Chain(3, Bond(chi=VARIED[:3], alpha=[1, 0.5, -0.2], beta=0.7)),
    "walls": Chain(2, FPUT, boundary="fixed"),
    "uneven walls": Chain(2, Bond(chi=VARIED[:3], alpha=0.4, beta=[1, 0.5, 2]), boundary="fixed"),
    "free": Chain(3, FPUT, boundary="free"),
    "one wall": Chain(2, Bond(chi=VARIED[:2], alpha=-0.4, beta=1), boundary=("free", "fixed")),
    "double wells": Chain(3, WELLS),
    "bonds with a cosine": Chain(3, Bond(chi=1, J=2, m=3)),
    "pinned": Chain(3, FPUT, HELD, "free"),
    "pinned ring": Chain(3, Bond(chi=VARIED[:3], beta=0.3), Pin(chi=-1, beta=[1, 2, 0.5])),
    "one pin": Chain(2, FPUT, Pin(chi=[1, 0], beta=[0.3, 0]), "free"),
    "wells between walls": Chain(2, WELLS, Pin(chi=1, alpha=0.5, beta=0.2), "fixed"),
    "a wave under walls": Chain(2, Bond(chi=1), Pin(J=1.5, m=2), "fixed"),
    "cosines between pins": Chain(3, Bond.rotor(J=1.2), Pin(chi=[1, 2, 1], beta=0.2), ("free", "fixed")),
}


@pytest.mark.parametrize("name", BRUTE)
@pytest.mark.parametrize("T", [0.3, 1.4])
def test_integrals_by_brute_force(name, T):
    chain = BRUTE[name]
    expected = integrals(chain, T)
    momenta = chain.n / 2
    assert_allclose(log_partition(chain, T) - momenta * math.log(2 * math.pi * T), expected[0], atol=1e-10)
    assert_allclose(mean_energy(chain, T) / T - momenta, expected[1], rtol=1e-9)
    assert_allclose(heat_capacity(chain, T) - momenta, expected[2], rtol=1e-8)


@pytest.mark.parametrize("boundary", ["periodic", "free", "fixed"])
def test_pinned_rotors_by_brute_force(boundary):
    """On the circle the sum over a grid is exact to round-off."""
    T, m = 0.6, 1.5
    turn = 2 * math.pi / m
    chain = Chain(3, Bond.rotor(J=1.2, m=m), Pin(J=[0.5, -0.3, 0.2], m=m), boundary)
    expected = integrals(chain, T, np.arange(40) * turn / 40)
    assert_allclose(log_partition(chain, T) - 1.5 * math.log(2 * math.pi * T), expected[0], atol=1e-12)
    assert_allclose(mean_energy(chain, T) / T - 1.5, expected[1], rtol=1e-12)
    assert_allclose(heat_capacity(chain, T) - 1.5, expected[2], rtol=1e-11)


LARGER = {
    "FPUT": Chain(40, FPUT),
    "uneven FPUT": Chain(6, Bond(chi=1, alpha=np.linspace(-1, 0.8, 6), beta=0.6)),
    "rotors": Chain(24, Bond.rotor()),
    "free FPUT": Chain(24, FPUT, boundary="free"),
    "quartic pins": Chain(20, Bond(chi=1), Pin(chi=1, beta=1)),
    "uneven pins": Chain(12, FPUT, Pin(chi=np.linspace(0.2, 1, 12), beta=0.1), "free"),
    "pinned rotors": Chain(12, Bond.rotor(), Pin(J=0.4)),
    "pinned FPUT": Chain(12, FPUT, HELD, ("fixed", "free")),
}
each_larger = pytest.mark.parametrize("chain", LARGER.values(), ids=LARGER.keys())


@each_larger
def test_energy_and_heat_capacity_are_derivatives(chain):
    T, h = 0.8, 1e-3

    def slope(function):  # of fourth order
        near, far = ((function(chain, T + x) - function(chain, T - x)) / (2 * x) for x in (h, 2 * h))
        return (4 * near - far) / 3

    assert_allclose(mean_energy(chain, T), T**2 * slope(log_partition), rtol=1e-9)
    assert_allclose(heat_capacity(chain, T), slope(mean_energy), rtol=1e-9)


@pytest.mark.parametrize("chain", [c for c in [*BRUTE.values(), *LARGER.values()] if c.is_uniform], ids=repr)
def test_the_virial(chain):
    """⟨Σ rV'(r)⟩ + ⟨Σ qU'(q)⟩ is T for each displacement that costs energy; the energy is its parts'."""
    T, still, pinned = 0.8, chain.pin.is_zero and "fixed" not in chain.ends, not chain.pin.is_zero
    bonds = chain.n_bonds * bond_average(chain, T, chain.bond.potential)
    sites = chain.n * site_average(chain, T, chain.pin.potential) if pinned else 0
    assert_allclose(bonds + sites + chain.n * T / 2, mean_energy(chain, T), rtol=1e-10)
    if chain.bond.chi or chain.pin.chi:  # these are no angles
        bonds = chain.n_bonds * bond_average(chain, T, lambda r: r * chain.bond.slope(r))
        sites = chain.n * site_average(chain, T, lambda q: q * chain.pin.slope(q)) if pinned else 0
        assert_allclose(bonds + sites, (chain.n - still) * T, rtol=1e-10)


@pytest.mark.parametrize("name", ["uneven walls", "one pin"])
def test_averages_by_brute_force(name):
    """Of chains whose bonds and pins differ."""
    T, chain, grid = 0.8, BRUTE[name], np.linspace(-8, 8, 401)
    q = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    weights = np.exp(-energy(chain, q, 0 * q) / T)
    for f in (np.cos, np.square, lambda r: r):
        expected = weights @ f(chain.stretches(q)).mean(axis=1) / weights.sum()
        assert_allclose(bond_average(chain, T, f), expected, rtol=1e-10, atol=1e-12)
        if not chain.pin.is_zero:
            expected = weights @ f(q).mean(axis=1) / weights.sum()
            assert_allclose(site_average(chain, T, f), expected, rtol=1e-10, atol=1e-12)


def test_quantities_that_are_refused():
    with pytest.raises(ValueError, match=r"quantity has the value of shape \(\) of .*; allowed: the same"):
        bond_average(LARGER["FPUT"], 1.0, np.mean)
    with pytest.raises(ValueError, match="quantity = 3; allowed: a function of an array"):
        site_average(Chain(4), 1.0, 3)
    with pytest.raises(ValueError, match="chain has anharmonic bonds and no pin; allowed: a harmonic or"):
        site_average(LARGER["FPUT"], 1.0, np.square)


def test_long_rings_have_a_tension():
    """A long ring has the energy of a free chain under the tension that makes its stretches cancel."""
    T = 0.7
    (tilted,) = Stretches(Chain(2000, FPUT), T).gibbs
    assert tilted.force != 0
    assert abs(tilted.mean) < 0.1 * tilted.deviation / math.sqrt(2000)
    bonds = tilted.weights @ FPUT.potential(tilted.r)
    assert_allclose(mean_energy(Chain(2000, FPUT), T) / 2000, T / 2 + bonds, rtol=1e-3)


# samples


@each_larger
def test_sampled_energies(chain):
    """Mean and variance of the potential energy: 6 standard errors are 25 % of its variance at most."""
    T, replicas = 0.8, 2000
    state = thermal(chain, T, replicas, rng=np.random.default_rng(3))
    potential = energy(chain, state.q, 0 * state.p) / T
    mean, variance = mean_energy(chain, T) / T - chain.n / 2, heat_capacity(chain, T) - chain.n / 2
    assert abs(potential.mean() - mean) < 6 * math.sqrt(variance / replicas)
    fourth = np.mean((potential - potential.mean()) ** 4)
    assert abs(potential.var() - variance) < 6 * math.sqrt((fourth - variance**2) / replicas)
    low, high = chi2.ppf([1e-9, 1 - 1e-9], state.p.size)
    assert low < np.sum(state.p**2) / T < high
    if chain.pin.is_zero and chain.ends[0] != "fixed":
        assert_allclose(state.q.sum(axis=1), 0, atol=1e-10)


def log_odds(energies):
    """Slope and its error of the log odds that an energy is of the first sample: a logistic fit."""
    x = np.concatenate(energies)
    first = np.repeat([1.0, 0.0], [len(sample) for sample in energies])
    centre = x.mean()
    design = np.stack([np.ones_like(x), x - centre])
    line = np.zeros(2)
    for _ in range(30):
        odds = 1 / (1 + np.exp(-line @ design))
        information = design * odds * (1 - odds) @ design.T
        line += np.linalg.solve(information, design @ (first - odds))
    return line[1], math.sqrt(np.linalg.inv(information)[1, 1])


@each_larger
def test_two_temperatures(chain):
    """The ratio of energy histograms is e^{-(1/T₁ - 1/T₂)E}; a slope wrong by 40 % would be seen."""
    hot = 0.8 * (1 + 2 / math.sqrt(chain.n))
    states = [thermal(chain, T, 800, rng=7 + i) for i, T in enumerate((0.8, hot))]
    slope, error = log_odds([energy(chain, state.q, state.p) for state in states])
    expected = 1 / hot - 1 / 0.8
    assert abs(slope - expected) < 6 * error
    assert 6 * error < 0.4 * abs(expected)


@pytest.mark.parametrize("law", [FPUT, WELLS, Bond.rotor(J=2), Bond.rotor(J=-2), Bond(chi=1, J=5, m=4)])
@pytest.mark.parametrize("T", [1e-3, 0.7, 50.0])
def test_each_stretch_has_its_density(law, T):
    """Kolmogorov's distance to the distribution by quadrature; a width wrong by a quarter is seen."""
    chain = Chain(2, law, boundary=("fixed", "free"))
    r = chain.stretches(thermal(chain, T, 20_000, rng=5).q)[:, 0]
    one = Gibbs(law, T)
    edges = np.linspace(one.low, one.high, 400_001)  # a narrow well is a thousandth of the range
    below = cumulative_trapezoid(np.exp(-one.phi(edges)), edges, initial=0)

    def distribution(x):
        return np.interp(x, edges, below / below[-1], left=0, right=1)

    assert kstest(r, distribution).pvalue > 1e-9
    assert kstest(1.25 * (r - r.mean()) + r.mean(), distribution).pvalue < 1e-9


@pytest.mark.parametrize("law", [FPUT, WELLS, Bond(chi=1, J=5, m=4), Bond(J=1)])
def test_the_envelope_is_above_the_density(law):
    for T in (1e-3, 0.7, 50.0):
        one = Gibbs(law, T, 0.3 if law.chi else 0.0)
        r, h, low, _ = one._cells
        for place in np.linspace(-0.5, 0.5, 11):
            assert np.all(one.phi(r + place * h) >= low - 1e-9 * (1 + np.abs(low)))


MOVED = [
    LARGER["quartic pins"],
    LARGER["pinned rotors"],
    LARGER["pinned FPUT"],
    Chain(12, Bond(chi=1), Pin(chi=-1, beta=1)),
    Chain(12, Bond(chi=-1, beta=1), Pin(chi=1, beta=1)),
]


@pytest.mark.parametrize("chain", MOVED, ids=repr)
@pytest.mark.parametrize("T", [0.05, 0.8, 20.0])
def test_a_moved_grid_has_the_same_weight(chain, T):
    """Why drawing a node of a grid with a random offset is exact: between neighbours at any two places."""
    on = Transfer(chain, T)
    V, U, x, h = on.V[on.slot[1]], on.U[on.pin[0]], on.x, on.h
    weights = np.exp(-U.phi(x))[None]
    shift = h * np.array([[0.0], [0.1], [0.35], [0.5], [0.8]])
    message = on._message(V, weights, shift)
    there = np.exp(-V.phi(x + shift[:, :, None] - x[:, None])).transpose(0, 2, 1) @ weights[0]
    assert_allclose(message, there, rtol=1e-10, atol=1e-12 * there.max())
    for right in x[:: len(x) // 8]:
        whole = (message * np.exp(-U.phi(x + shift) - V.phi(right - x - shift))).sum(axis=1)
        largest = (there[0] * np.exp(-U.phi(x))).max()
        assert_allclose(whole, whole[0], atol=1e-9 * largest)


def test_how_likely_the_rest_of_a_ring_makes_up():
    """Harmonic: a Gaussian of the variance mT/χ.  Rotors: Σ_k I_kᵐ cos ks."""
    T, some, s = 0.7, np.arange(40, 100), np.linspace(-20, 20, 41)
    likely = Stretches(Chain(100, Bond(chi=1.3)), T)._likely(some)
    assert_allclose(likely(s), np.exp(-(s**2) / (2 * 60 * T / 1.3)), atol=1e-12)
    turns = Stretches(Chain(100, Bond.rotor(J=9, m=2)), T)._likely(some)
    k = np.arange(-100, 101)
    shares = (ive(k, 9 / T) / ive(0, 9 / T)) ** 60
    assert_allclose(turns(s), shares @ np.cos(2 * np.multiply.outer(k, s)) / shares.sum(), atol=1e-12)
    varied = Stretches(Chain(100, Bond(chi=np.repeat([1.0, 4.0], 50))), T)._likely(some)
    assert_allclose(varied(s), np.exp(-(s**2) / (2 * (10 + 50 / 4) * T)), atol=1e-12)


def test_a_long_chain_of_rotors():
    """Stretches of a ring add up to whole turns; those of 1024 rotors are drawn in a moment."""
    chain = Chain(1024, Bond.rotor())
    q = thermal(chain, 0.5, 8, rng=2).q
    closing = chain.stretches(q)[:, -1]
    others = chain.stretches(q)[:, :-1]
    assert np.all(np.abs(others) <= math.pi)
    assert_allclose(closing + others.sum(axis=1), 0, atol=1e-9)
    share = ive(1, 2.0) / ive(0, 2.0)
    spread = math.sqrt(0.5 + ive(2, 2.0) / ive(0, 2.0) / 2 - share**2)
    assert abs(np.cos(others).mean() - share) < 6 * spread / math.sqrt(others.size)


def test_the_same_seed_gives_the_same_bits():
    for chain in (LARGER["FPUT"], LARGER["quartic pins"], LARGER["free FPUT"]):
        first, second, other = (thermal(chain, 0.5, 3, rng=seed) for seed in (4, 4, 5))
        assert np.array_equal(first.q, second.q)
        assert np.array_equal(first.p, second.p)
        assert not np.any(first.q == other.q)


# what is refused


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (Chain(4, Bond.fput(alpha=0.1)), "chain has bond 0 .*alpha=0.1.*not bounded below: there is no equi"),
        (Chain(4, Bond(chi=[1, 1, -1, 1], J=1)), r"chain has bond 2 .*chi=-1\.0.*not bounded below"),
        (Chain(4, Bond(beta=-1)), "chain has bond 0 .*not bounded below"),
        (Chain(4, Bond(chi=1), Pin(alpha=[0, 0, 1, 0], chi=1)), "chain has pin 2 with .*not bounded below"),
        (Chain(4, Bond(chi=-1), Pin(beta=1)), "chain has bond 0 with .*not bounded below"),
        (Chain(4, Bond(beta=[1, 0, 1]), boundary="free"), "chain falls into parts at bond 1"),
        (Chain(4, Bond(J=[1, 1, 1, 2], m=[1, 2, 1, 1])), "chain is a ring or has two walls, with bonds of J"),
        (Chain(4, Bond(chi=[1, 1, 1, 0], J=1)), "chain is a ring or has two walls, with bonds of J"),
        (
            Chain(3, Bond(chi=-100, beta=100)),
            "chain is closed and frustrated: its stretches hardly add up",
        ),
        (Chain(4, Bond(chi=1), Pin(J=1)), "chain has sites that may go anywhere"),
        (
            Chain(4, Bond(beta=[1, 0, 1]), Pin(chi=[1, 0, 0, 0]), "free"),
            "chain has sites that may go anywhere",
        ),
        (
            Chain(4, Bond(chi=1, J=1, m=1e8)),
            "chain has .*, whose wells are too narrow at T = 1; allowed: a higher",
        ),
        (Chain(4, Bond(chi=1, alpha=0.1, beta=1e-20)), "is beyond the floats; allowed: smaller"),
        (Chain(4, Bond.rotor(J=[1, 0, 1, 1])), "chain falls into parts at bond 1 without force"),
        (Chain(4, Bond(chi=[1, 0, 2]), Pin(beta=[1, 0, 0, 1]), "free"), "chain has sites that may go any"),
        (Chain(4, Bond(chi=1e12), Pin(beta=1e-6)), "chain needs a grid of more than 1024 displacements"),
    ],
)
def test_what_has_no_equilibrium_is_refused(chain, message):
    for function in (log_partition, mean_energy, heat_capacity):
        with pytest.raises(ValueError, match=message):
            function(chain, 1.0)
    with pytest.raises(ValueError, match=message):
        thermal(chain, 1.0, 2, rng=1)


def test_parts_that_pull_apart_are_refused_when_cold():
    """Halves in different wells: all paths from one to the other are too faint."""
    tilt = np.repeat([0.3, -0.3], 10)
    chain = Chain(20, Bond(chi=1), Pin(chi=-1, alpha=tilt, beta=1), "free")
    for T in (0.001, 0.002, 0.005):
        with pytest.raises(ValueError, match="allowed: a higher temperature, or a smoother law"):
            log_partition(chain, T)
    # by sums of exponentials in their logarithms, on a grid of 1601 nodes
    assert_allclose(log_partition(chain, 0.02) - 10 * math.log(0.04 * math.pi), 278.6301460937838, rtol=1e-10)


def test_anharmonic_chains_are_classical_and_warm():
    chain = LARGER["FPUT"]
    for function in (mean_energy, heat_capacity):
        with pytest.raises(ValueError, match="quantum = True; allowed: False for an anharmonic chain"):
            function(chain, 1.0, quantum=True)
    for function in (log_partition, mean_energy, heat_capacity):
        with pytest.raises(ValueError, match="temperature = 0; allowed: a finite number above 0"):
            function(chain, 0)
    with pytest.raises(ValueError, match="temperature = 0; allowed: a finite number above 0"):
        thermal(chain, 0, 1, rng=1)
    for extreme in (1e-101, 1e101):
        with pytest.raises(
            ValueError, match=r"temperature = .*; allowed: a finite number at least 1e-100 and"
        ):
            log_partition(chain, extreme)
    for beta in (1e-300, 1e300):
        with pytest.raises(ValueError, match="log_partition is beyond the floats; allowed: smaller numbers"):
            log_partition(Chain(4, Bond(beta=beta)), beta**-0.3)


def test_averages_of_rotors_take_the_short_way_round():
    """A function that is not periodic is taken between -π and π; its kinks cost both grids digits."""
    T = 0.8
    q = (np.arange(400) + 0.5) * 2 * np.pi / 400 - np.pi
    turn = q[:, None] - q
    short = turn - 2 * np.pi * np.rint(turn / (2 * np.pi))
    weight = np.exp(-(1 - np.cos(turn) + 0.5 * (2 - np.cos(q)[:, None] - np.cos(q))) / T)
    chain = Chain(2, Bond(J=1.0), Pin(J=0.5), boundary="free")
    expected = (weight * np.abs(short)).sum() / weight.sum(), (weight.sum(0) * np.abs(q)).sum() / weight.sum()
    assert bond_average(chain, T, np.abs) == pytest.approx(expected[0], rel=1e-2)
    assert site_average(chain, T, np.abs) == pytest.approx(expected[1], rel=1e-2)
