"""Equilibrium of the harmonic chain.

Sampling is a linear map of independent normals: the map is checked to round-off,
and statistics only where the draws themselves are in question.
"""

import itertools
import math

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chi2

from lattice import Bond, Chain, Pin, dispersion, energy, thermo
from lattice.thermo import (
    bose_einstein,
    heat_capacity,
    log_partition,
    mean_energy,
    oscillator_heat_capacity,
    thermal,
)

VARIED = np.array([0.7, 1.3, 2.1, 0.4, 1.8, 1.0])
CHAINS = {
    "ring": Chain(5),
    "even ring": Chain(6, Bond(chi=0.6)),
    "pinned ring": Chain(5, Bond(chi=2), Pin(chi=0.3)),
    "uneven ring": Chain(5, Bond(chi=VARIED[:5]), Pin(chi=VARIED[1:])),
    "uneven free ring": Chain(6, Bond(chi=VARIED)),
    "free": Chain(5, boundary="free"),
    "fixed": Chain(5, boundary="fixed"),
    "half free": Chain(5, Bond(chi=VARIED[:5]), boundary=("fixed", "free")),
    "pinned once": Chain(4, Bond(chi=1.5), Pin(chi=[0, 0, 0.2, 0]), boundary="free"),
    "in two pieces": Chain(5, Bond(chi=[1, 0, 2, 1]), boundary="free"),
}
BOUND = {"uneven ring", "pinned ring", "fixed", "half free", "pinned once"}
each_chain = pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())


def with_vectors(chain):
    """The same chain with a coefficient per bond, which hides that it is uniform."""
    return Chain(chain.n, Bond(chi=np.broadcast_to(chain.bond.chi, chain.n_bonds)), chain.pin, chain.boundary)


# sampling


@each_chain
def test_the_map_of_normals_has_the_canonical_covariance(chain):
    """A Aᵀ = Φ⁺, and zero along every mode that costs no energy."""
    stiffness = chain.stiffness_matrix()
    root = thermo._inverse_root(chain, np.eye(chain.n))
    inverse = np.linalg.pinv(stiffness, rtol=1e-10, hermitian=True)
    assert_allclose(root @ root.T, inverse, atol=1e-12 * np.abs(inverse).max())
    assert_allclose(stiffness @ root @ root.T @ stiffness, stiffness, atol=1e-12)


@pytest.mark.parametrize("name", ["ring", "even ring", "pinned ring"])
def test_plane_waves_and_eigenvectors_give_the_same_samples(name):
    chain = CHAINS[name]
    assert chain.is_uniform
    assert not with_vectors(chain).is_uniform
    fast, dense = (thermal(c, temperature=0.7, replicas=4, rng=3) for c in (chain, with_vectors(chain)))
    assert_allclose(fast.q, dense.q, atol=1e-13)
    assert_allclose(fast.p, dense.p, atol=0)


def test_a_soft_pin_is_not_a_translation():
    """However soft, it holds the chain: the uniform shift has the displacement √(T/ω₀²)."""
    chain = Chain(5, pin=Pin(chi=1e-8))
    for c in (chain, with_vectors(chain)):
        assert_allclose(thermo._inverse_root(c, np.ones(5)), 1e4, rtol=1e-6)


@pytest.mark.parametrize("boundary", ["free", "periodic"])
@pytest.mark.parametrize("pin", [1e-14, 1e-200])
def test_the_softest_pin_holds_the_centre_of_mass(pin, boundary):
    """16 sites: the mean of q has the variance T/16ω₀², no energy is missing and no factor of Z."""
    chain, T = Chain(16, pin=Pin(chi=pin), boundary=boundary), 0.7
    k = np.arange(16) / (16 if boundary == "periodic" else 32)
    omega = np.sqrt(pin + 4 * np.sin(np.pi * k) ** 2)
    for c in (chain, with_vectors(chain)):
        root = thermo._inverse_root(c, np.eye(16))
        assert_allclose((root @ root.T).mean(), 1 / (16 * pin), rtol=1e-12)
        assert mean_energy(c, T) == 16 * T
        assert heat_capacity(c, T) == 16
        assert_allclose(
            mean_energy(c, T, quantum=True), np.sum(omega / 2 / np.tanh(omega / 2 / T)), rtol=1e-12
        )
        assert_allclose(log_partition(c, T), 16 * math.log(2 * math.pi * T) - np.log(omega).sum(), rtol=1e-12)
    assert_allclose(
        thermal(chain, T, 2, rng=1).q.mean(axis=1), thermal(with_vectors(chain), T, 2, rng=1).q.mean(axis=1)
    )


@each_chain
def test_samples_are_the_map_of_independent_normals(chain):
    """Displacements and momenta are both linear in their own half of the draws, scaled by √T."""
    hot, cold = (thermal(chain, T, replicas=3, rng=7) for T in (4.0, 1.0))
    assert hot.q.shape == hot.p.shape == (3, chain.n)
    assert_allclose(hot.q, 2 * cold.q)
    assert_allclose(hot.p, 2 * cold.p)
    z, p = np.random.default_rng(7).standard_normal((2, 3, chain.n))
    assert_allclose(cold.p, p)
    assert_allclose(cold.q, z @ thermo._inverse_root(chain, np.eye(chain.n)), atol=1e-13)


@each_chain
def test_sampled_covariance(chain):
    """The whitened energy of a Gaussian is chi-square: false alarm 1e-6 for each of q, p and r.

    20,000 replicas; a scale wrong by 10 standard deviations, at most 7 %, is missed as rarely.
    """
    T, replicas = 0.6, 20_000
    state = thermal(chain, T, replicas, rng=np.random.default_rng(11))
    modes = np.linalg.matrix_rank(chain.stiffness_matrix(), tol=1e-10)

    def plausible(action, degrees):
        low, high = chi2.ppf([5e-7, 1 - 5e-7], degrees * replicas)
        return low < 2 * action.sum() / T < high

    potential, kinetic = energy(chain, state.q, 0 * state.p), energy(chain, 0 * state.q, state.p)
    assert plausible(potential, modes)
    assert plausible(kinetic, chain.n)
    for action, degrees in ((potential, modes), (kinetic, chain.n)):
        off = 10 * np.sqrt(2 / (degrees * replicas))
        assert off < 0.07
        assert not plausible((1 + off) * action, degrees)
        assert not plausible((1 - off) * action, degrees)
    # q and p are independent: their product with any two vectors has variance T² |..|²/replicas
    cross = state.q.T @ state.p / replicas
    scale = np.sqrt(np.mean(state.q**2, axis=0)[:, None] * T / replicas)
    assert np.all(np.abs(cross) <= 7 * scale)


@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_a_chain_without_pins_stays_at_the_origin_and_moves_as_a_whole(boundary):
    """Σq = 0 exactly; the total momentum has variance nT (chi-square, false alarm 1e-6)."""
    state = thermal(Chain(8, boundary=boundary), temperature=2.0, replicas=5000, rng=5)
    assert_allclose(state.q.sum(axis=1), 0, atol=1e-12)
    low, high = chi2.ppf([5e-7, 1 - 5e-7], 5000)
    assert low < np.sum(state.p.sum(axis=1) ** 2) / 16 < high


def test_stretches_of_a_free_chain_are_independent():
    """The stretches of a chain with free ends are independent, ⟨r²⟩ = T/χ on each bond."""
    chain = Chain(5, Bond(chi=VARIED[:4]), boundary="free")
    r = chain.stretches(thermo._inverse_root(chain, np.eye(5)))
    assert_allclose(r.T @ r, np.diag(1 / VARIED[:4]), atol=1e-13)


def test_randomness_is_an_argument():
    chain = Chain(4, pin=Pin(chi=1))
    rng = np.random.default_rng(2)
    first, second = thermal(chain, 1.0, 2, rng=rng), thermal(chain, 1.0, 2, rng=rng)
    assert not np.allclose(first.q, second.q)
    assert np.array_equal(first.q, thermal(chain, 1.0, 2, rng=2).q)


def test_at_zero_temperature_nothing_moves():
    state = thermal(Chain(4), 0, 3, rng=1)
    assert not state.q.any()
    assert not state.p.any()


def test_a_long_ring_needs_no_matrix():
    """2¹⁷ sites: a matrix would take 128 GB.  Equipartition to six standard errors, 2.5 %."""
    chain = Chain(2**17, pin=Pin(chi=0.5))
    state = thermal(chain, 1.5, 1, rng=4)
    share = energy(chain, state.q, 0 * state.p)[0] / chain.n
    assert abs(share - 0.75) < 6 * 0.75 * math.sqrt(2 / chain.n)


# thermodynamics


@pytest.mark.parametrize(
    "chain",
    [
        Chain(2, Bond(chi=[0.5, 1.5, 1.0]), Pin(chi=0.3), "fixed"),
        Chain(2, Bond(chi=0.8), Pin(chi=[0.5, 0.0]), "free"),
        Chain(3, Bond(chi=[0.5, 1.5, 1.0]), Pin(chi=0.7)),
        Chain(3, Bond(chi=1.2), boundary=("free", "fixed")),
        Chain(2, Bond(chi=0.8), boundary="free"),
        Chain(3, Bond(chi=1.3)),
    ],
)
def test_partition_function_is_the_integral(chain):
    """The trapezoidal rule is exact to round-off for a Gaussian; translations are left out."""
    T, n = 0.5, chain.n
    moving = int(np.linalg.eigvalsh(chain.stiffness_matrix())[0] < 1e-10)
    # an orthonormal frame whose first vector is the translation
    frame = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, : n - 1]]))[0][:, moving:]
    grid, step = np.linspace(-9, 9, 61, retstep=True)
    points = np.array(list(itertools.product(grid, repeat=frame.shape[1])))
    q = points @ frame.T
    displacements = np.exp(-energy(chain, q, np.zeros_like(q)) / T).sum() * step ** frame.shape[1]
    momenta = (np.exp(-(grid**2) / 2 / T).sum() * step) ** n
    assert_allclose(log_partition(chain, T), math.log(displacements * momenta), rtol=1e-9)


@each_chain
def test_energy_and_heat_capacity_are_derivatives(chain):
    """U = T² d log Z/dT and c = dU/dT, by central differences; both quantum and classical."""
    T, h = 0.8, 1e-4
    slope = (log_partition(chain, T + h) - log_partition(chain, T - h)) / (2 * h)
    assert_allclose(mean_energy(chain, T), T**2 * slope, rtol=1e-6)
    for quantum in (False, True):
        above, below = (mean_energy(chain, T + step, quantum=quantum) for step in (h, -h))
        assert_allclose(heat_capacity(chain, T, quantum=quantum), (above - below) / (2 * h), rtol=1e-6)


@pytest.mark.parametrize("name", CHAINS)
def test_equipartition(name):
    """½ for each momentum and for each displacement that costs energy."""
    chain = CHAINS[name]
    free = 0 if name in BOUND else 2 if name == "in two pieces" else 1
    assert heat_capacity(chain, 0.3) == chain.n - free / 2
    assert_allclose(mean_energy(chain, 0.3), 0.3 * (chain.n - free / 2))


@each_chain
def test_plane_waves_and_eigenvectors_agree_on_thermodynamics(chain):
    other = with_vectors(chain)
    assert_allclose(log_partition(chain, 0.4), log_partition(other, 0.4), rtol=1e-12)
    for function in (mean_energy, heat_capacity):
        assert_allclose(function(chain, 0.4, quantum=True), function(other, 0.4, quantum=True), rtol=1e-12)


@each_chain
def test_hot_chains_are_classical(chain):
    """Wigner's expansion: U = U_cl + Σω²/12T - Σω⁴/720T³, and its derivative for c."""
    T = 50.0
    square = chain.stiffness_matrix()
    first, second = np.trace(square) / 12, np.trace(square @ square) / 720
    expected = mean_energy(chain, T) + first / T - second / T**3
    assert_allclose(mean_energy(chain, T, quantum=True), expected, rtol=1e-10)
    expected = heat_capacity(chain, T) - first / T**2 + 3 * second / T**4
    assert_allclose(heat_capacity(chain, T, quantum=True), expected, rtol=1e-9)
    assert heat_capacity(chain, T, quantum=True) < heat_capacity(chain, T)


@pytest.mark.parametrize("chi", [1.0, 2.5])
def test_heat_capacity_of_a_cold_ring(chi):
    r"""Debye's law in one dimension, with sound velocity √χ and its first correction.

    c/n = ∫dk (x/sinh x)² with ω = 2√χ sin πk gives
    πT/(3√χ) [1 + π²T²/(10χ) + 5.2 T⁴/χ² …]; the sum over modes takes 1/2 for k = 0.
    """
    chain, T = Chain(2**14, Bond(chi=chi)), 0.05
    c = (heat_capacity(chain, T, quantum=True) + 0.5) / chain.n
    leading = math.pi * T / (3 * math.sqrt(chi))
    assert_allclose(c, leading * (1 + math.pi**2 * T**2 / (10 * chi)), rtol=5e-5)
    assert not math.isclose(c, leading, rel_tol=5e-4)  # the correction is seen


def test_einstein_limit():
    """Pins alone: n times the heat capacity of one oscillator, exponentially small when cold."""
    omega, n = 1.7, 5
    chain = Chain(n, Bond(chi=0), Pin(chi=omega**2), "free")
    for T in (0.1, 0.5, 3.0):
        boson = math.exp(-omega / T) / (1 - math.exp(-omega / T))
        assert_allclose(mean_energy(chain, T, quantum=True), n * omega * (boson + 0.5))
        assert_allclose(heat_capacity(chain, T, quantum=True), n * (omega / T) ** 2 * boson * (boson + 1))


@pytest.mark.parametrize("T", [0, 1e-320, 1e-5])
def test_the_coldest_chains_keep_their_zero_point_energy(T):
    pinned, loose = CHAINS["fixed"], CHAINS["free"]
    zero_point = np.sqrt(np.linalg.eigvalsh(pinned.stiffness_matrix())).sum() / 2
    assert_allclose(mean_energy(pinned, T, quantum=True), zero_point)
    assert heat_capacity(pinned, T, quantum=True) == 0
    assert heat_capacity(loose, T, quantum=True) == 0.5
    assert mean_energy(pinned, 0) == 0


# what is refused


def sample(chain, T):
    return thermal(chain, T, 2, rng=1)


@pytest.mark.parametrize("function", [sample, log_partition, mean_energy, heat_capacity])
def test_bad_input_is_refused(function):
    for T in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"temperature = {T}; allowed: a finite number"):
            function(Chain(4), T)
    with pytest.raises(ValueError, match=r"temperature = array.*; allowed: a finite number"):
        function(Chain(4), np.ones(3))
    for unstable in (Chain(4, Bond(chi=-1)), Chain(4, Bond(chi=[1, 1, -1]), boundary="free")):
        with pytest.raises(ValueError, match="allowed: ω² ≥ 0 for every"):
            function(unstable, 1.0)


def test_the_partition_function_needs_a_positive_temperature():
    with pytest.raises(ValueError, match="temperature = 0; allowed: a finite number above 0"):
        log_partition(Chain(4), 0)


@pytest.mark.parametrize("replicas", [0, -1, 2.0, True])
def test_an_empty_ensemble_is_refused(replicas):
    with pytest.raises(ValueError, match=f"replicas = {replicas}; allowed: an integer at least 1"):
        thermal(Chain(4), 1.0, replicas, rng=1)


def test_a_sample_beyond_memory_or_the_floats_is_refused():
    with pytest.raises(ValueError, match=r"replicas = .* needs .* steps; allowed"):
        thermal(Chain(4), 1.0, 10**18, rng=1)
    with pytest.raises(ValueError, match=r"temperature = 1e\+308.*; allowed: smaller numbers"):
        thermal(Chain(4, pin=Pin(chi=5e-324)), 1e308, 1, rng=1)


@pytest.mark.parametrize("T", [True, "1", 1j, None, 10**400])
def test_only_a_number_is_a_temperature(T):
    for function in (sample, log_partition, mean_energy, heat_capacity):
        with pytest.raises(ValueError, match=r"temperature = .*; allowed: a finite number"):
            function(Chain(4), T)


def test_no_randomness_by_default():
    with pytest.raises(ValueError, match=r"rng = None; allowed: a numpy\.random.Generator, or a seed"):
        thermal(Chain(4), 1.0, 1, rng=None)


TEMPERATURES = [1e-3, 0.2, 1.0, 50.0, 1e6]
FREQUENCIES = [1e-12, 1e-3, 0.3, 1.0, 7.0, 300.0]


@pytest.mark.parametrize("T", TEMPERATURES)
def test_quanta_of_an_oscillator(T):
    """Against 40 digits; to the round-off of ω/T, 1e-13 at most."""
    with mpmath.workdps(40):
        x = [mpmath.mpf(omega) / mpmath.mpf(T) for omega in FREQUENCIES]
        number = [float(1 / mpmath.expm1(part)) for part in x]
        capacity = [float(part**2 * mpmath.exp(part) / mpmath.expm1(part) ** 2) for part in x]
    np.testing.assert_allclose(bose_einstein(FREQUENCIES, T), number, rtol=1e-13)
    np.testing.assert_allclose(oscillator_heat_capacity(FREQUENCIES, T), capacity, rtol=1e-13)


def test_quanta_make_the_energy_and_heat_capacity_of_a_ring():
    ring = Chain(8, Bond(chi=1.3), Pin(chi=0.4))
    omega = dispersion(ring)
    for T in (0.05, 0.7, 20.0):
        energy = (omega * (bose_einstein(omega, T) + 0.5)).sum()
        np.testing.assert_allclose(energy, mean_energy(ring, T, quantum=True), rtol=1e-14)
        total = oscillator_heat_capacity(omega, T).sum()
        np.testing.assert_allclose(total, heat_capacity(ring, T, quantum=True), rtol=1e-14)


def test_oscillators_at_the_ends():
    """Absolute zero, no frequency, and shapes."""
    assert bose_einstein(1.0, 0.0) == 0
    assert oscillator_heat_capacity([0.0, 1.0, 0.0, 1e-300, 1e300], [0.0, 0.0, 1.0, 1e300, 1.0]).tolist() == [
        1,
        0,
        1,
        1,
        0,
    ]
    assert bose_einstein(np.ones((3, 1)), [1.0, 2.0]).shape == (3, 2)
    assert oscillator_heat_capacity(np.ones((3, 1)), [1.0, 2.0]).shape == (3, 2)
    for omega, temperature, message in (
        ([1.0, 0.0], 1.0, "omega = .*; allowed: numbers above 0"),
        (1.0, [1.0, -1.0], "temperature = .*; allowed: numbers at least 0"),
        (
            [1.0, 2.0],
            [1.0, 2.0, 3.0],
            r"omega has shape \(2,\) and temperature \(3,\); allowed: what broadcasts",
        ),
        (1e-300, 1e300, "bose_einstein is beyond the floats"),
        ("1", 1.0, "omega = '1'; allowed: an array of real numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            bose_einstein(omega, temperature)
    with pytest.raises(ValueError, match=r"omega = .*; allowed: numbers at least 0"):
        oscillator_heat_capacity(-1.0, 1.0)
