"""The phonon Boltzmann equation: its kernels from the generators, its integrals by other quadratures."""

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special

from lattice import (
    Bond,
    Chain,
    Crystal,
    PairRotation,
    Pin,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
)
from lattice.kinetic import noisy
from lattice.waves import group_velocity, wave_numbers

NOISES = (VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7))
EXCHANGE, ROTATION = NOISES[1:]
PAIRS, UNIT = PairRotation(0.7), PairRotation(1.0)


def chain_of(pin: float, chi: float) -> Chain:
    return Chain(8, Bond(chi=chi), Pin(chi=pin))


def crystal_of(d: int, pin: float = 0.0, chi: float = 1.0) -> Crystal:
    return Crystal((4,) * d, Bond(chi=chi), Pin(chi=pin))


def generator(noise, n):
    """The noise on a ring of n sites: what it does to the means of p and of p pᵀ, from its definition."""
    identity = np.eye(n)
    if isinstance(noise, ThreeSiteRotation):
        fields = []
        for z in range(n):
            left, right = (z - 1) % n, (z + 1) % n
            field = np.zeros((n, n))  # Y p = field @ p
            field[left] = identity[z] - identity[right]
            field[z] = identity[right] - identity[left]
            field[right] = identity[left] - identity[z]
            fields.append(field)
        return diffusion(fields, noise.rate / 6)
    moves = []
    for j in range(n):
        move = identity.copy()
        if isinstance(noise, VelocityFlip):
            move[j, j] = -1
        else:
            move[[j, (j + 1) % n]] = move[[(j + 1) % n, j]]
        moves.append(move)

    def mean(p):
        return noise.rate * sum(move @ p - p for move in moves)

    def square(c):
        return noise.rate * sum(move @ c @ move.T - c for move in moves)

    return mean, square


def diffusion(fields, strength):
    """The generator strength · Σ Y² of linear vector fields Y p = A p."""
    drift = strength * sum(field @ field for field in fields)

    def square(c):
        return drift @ c + c @ drift.T + 2 * strength * sum(field @ c @ field.T for field in fields)

    return (lambda p: drift @ p), square


@pytest.mark.parametrize("noise", NOISES)
def test_kernel_and_rate_from_the_generator(noise):
    """A wave cos 2πk'(x - y) of momentum correlations turns into 2R(k, k') - 2φ(k)P(k)."""
    n = 7
    mean, square = generator(noise, n)
    sites, k = np.arange(n), np.arange(n) / n
    distance = sites[:, None] - sites
    for k_prime in k:
        wave = np.exp(2j * np.pi * k_prime * sites)
        np.testing.assert_allclose(mean(wave), -noisy.rate(noise, k_prime) * wave, atol=1e-13)
        correlation = np.cos(2 * np.pi * k_prime * distance)
        change = square(correlation)
        phases = np.exp(-2j * np.pi * k[:, None, None] * distance)
        spectrum, change = ((phases * c).sum(axis=(1, 2)) / n for c in (correlation, change))
        expected = 2 * noisy.kernel(noise, k, k_prime) - 2 * noisy.rate(noise, k) * spectrum
        np.testing.assert_allclose(change, expected, atol=1e-13)


@pytest.mark.parametrize("d", [2, 3])
def test_pair_kernel_and_rate_from_the_generator(d):
    """The vector fields of eq. (48) on a periodic cube of side 3; polarisation j scatters into i ≠ j."""
    side = 3
    sites = np.array(list(np.ndindex(*[side] * d)))
    index = {tuple(site): row for row, site in enumerate(sites)}
    fields = []
    for site in sites:
        for axis in np.eye(d, dtype=int):
            relative = np.zeros(len(sites))
            relative[index[tuple((site + axis) % side)]], relative[index[tuple(site)]] = 1, -1
            for i, j in combinations(range(d), 2):
                turn = np.zeros((d, d))
                turn[i, j], turn[j, i] = 1, -1
                fields.append(np.kron(turn, np.outer(relative, relative)))
    # the sum over ordered pairs (i, j) counts every rotation twice
    mean, square = diffusion(fields, PAIRS.rate / (d - 1))
    distance = sites[:, None] - sites
    k_prime = np.array([1, 2, 0][:d]) / side
    for k in (k_prime, np.array([1, 0, 2][:d]) / side):
        wave = np.kron(np.eye(d)[1], np.exp(2j * np.pi * sites @ k))
        np.testing.assert_allclose(mean(wave), -noisy.rate(PAIRS, k) * wave, atol=1e-12)
        correlation = np.kron(np.diag(np.eye(d)[0]), np.cos(2 * np.pi * distance @ k_prime))
        blocks = square(correlation).reshape(d, len(sites), d, len(sites))
        phases = np.exp(-2j * np.pi * distance @ k)
        gain = 2 * noisy.kernel(PAIRS, k, k_prime)
        loss = 2 * noisy.rate(PAIRS, k) * (phases * np.cos(2 * np.pi * distance @ k_prime)).sum() / len(sites)
        for i in range(d):
            change = (phases * blocks[i, :, i]).sum() / len(sites)
            assert abs(change - (gain / (d - 1) if i else -loss)) < 1e-11


@pytest.mark.parametrize("noise", NOISES)
def test_kernels_are_symmetric_not_negative_and_keep_the_energy(noise):
    k = np.arange(48) / 48
    r = noisy.kernel(noise, k[:, None], k)
    assert (r >= 0).all()
    np.testing.assert_allclose(r, r.T, atol=1e-15)
    np.testing.assert_allclose(r.mean(axis=1), noisy.rate(noise, k), atol=1e-14)
    rank = 2 if isinstance(noise, ThreeSiteRotation) else 1
    assert np.linalg.matrix_rank(r, tol=1e-10) == rank
    velocity = group_velocity(chain_of(1.0, 1.0), k)
    assert np.abs(r @ velocity).max() < 1e-13
    assert np.abs(r @ np.abs(velocity)).max() > 1


def test_kernel_of_the_rotation_is_the_printed_one_with_one_zero_more():
    k, k_prime = np.random.default_rng(1).random((2, 100))
    a, b = np.sin(2 * np.pi * k) ** 2, np.sin(2 * np.pi * k_prime) ** 2
    s, s_prime = np.sin(np.pi * k) ** 2, np.sin(np.pi * k_prime) ** 2
    printed = 4 / 3 * (2 * a * s_prime + 2 * b * s - a * b)
    unit = ThreeSiteRotation(1.0)
    np.testing.assert_allclose(noisy.kernel(unit, k, k_prime), printed, atol=1e-14)
    decay = 4 / 3 * s * (1 + 2 * np.cos(np.pi * k) ** 2)
    np.testing.assert_allclose(noisy.rate(unit, k), decay, atol=1e-14)
    grid = np.arange(1, 40) / 40  # no wave number 0
    zero = np.argwhere(noisy.kernel(unit, grid[:, None], grid) < 1e-20)
    assert grid[zero].tolist() == [[0.5, 0.5]]


def test_pair_kernel_keeps_the_energy_and_has_rank_d():
    for d in (2, 3):
        k = np.array(list(np.ndindex(*[4] * d))) / 4
        r = noisy.kernel(UNIT, k[:, None], k)
        np.testing.assert_allclose(r.mean(axis=1), noisy.rate(UNIT, k), atol=1e-13)
        assert np.linalg.matrix_rank(r, tol=1e-10) == d


def test_collision_matrix_and_its_isolated_eigenvalue():
    """-6(√6 - 1)/5 by the dense matrix and by the 2 × 2 secular equation that the rank leaves."""
    for noise in NOISES:
        matrix = noisy.collision_matrix(noise, 5)
        np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-14)
        assert np.linalg.eigvalsh(matrix)[-1] < 1e-14
    exact = -1.7393876913398137
    assert abs(noisy.isolated_eigenvalue(ThreeSiteRotation(1.0)) - exact) < 1e-14
    assert abs(noisy.isolated_eigenvalue(ROTATION) - 0.7 * exact) < 1e-14
    dense = np.linalg.eigvalsh(noisy.collision_matrix(ThreeSiteRotation(1.0), 120))
    assert abs(dense[0] - exact) < 1e-12
    assert dense[1] > -1.5 - 1e-12  # the continuum ends at -3/2, here to rounding

    def determinant(mu):
        def moment(power):
            def integrand(k):
                s = math.sin(math.pi * k) ** 2
                return s**power / (4 / 3 * s * (3 - 2 * s) - mu)

            return 2 * scipy.integrate.quad(integrand, 0, 0.5, epsabs=1e-13, epsrel=1e-13)[0]

        m2, m3, m4 = moment(2), moment(3), moment(4)
        # R = (4/3) fᵀ M f with f = (sin² 2πk, sin² πk)
        overlaps = np.array([[16 * (m2 - 2 * m3 + m4), 4 * (m2 - m3)], [4 * (m2 - m3), m2]])
        return np.linalg.det(np.eye(2) - overlaps @ np.array([[-1, 2], [2, 0]]) * 4 / 3)

    assert abs(scipy.optimize.brentq(determinant, 1.55, 5, xtol=1e-13) + exact) < 1e-11


@pytest.mark.parametrize(("pin", "chi"), [(1.0, 1.0), (3.0, 0.4), (0.01, 1.0)])
@pytest.mark.parametrize("noise", NOISES)
def test_conductivity_is_the_integral(noise, pin, chi):
    chain = chain_of(pin, chi)

    def integrand(k):
        return float(group_velocity(chain, k) ** 2 / noisy.rate(noise, k))

    integral = scipy.integrate.quad(integrand, 0, 0.5, points=[0.02, 0.1], epsabs=0, epsrel=1e-11)[0]
    assert abs(noisy.conductivity(chain, noise) / (2 * integral) - 1) < 1e-10


def test_conductivity_by_hand():
    assert abs(noisy.conductivity(chain_of(1, 1), ThreeSiteRotation(1)) - 0.3554395089236066) < 1e-15
    golden = (math.sqrt(5) - 1) / 2
    assert abs(noisy.conductivity(chain_of(1, 1), VelocityExchange(1)) - golden / 2) < 1e-15
    assert abs(noisy.conductivity(chain_of(1, 1), VelocityFlip(1)) - golden**2 / 4) < 1e-15
    # weak coupling between the sites: v² = (χ sin 2πk)²/ω₀², and no digits are lost
    assert abs(noisy.conductivity(chain_of(1e12, 1), VelocityFlip(1)) * 4e12 - 1) < 1e-11


def test_conductivity_without_pin_is_finite_only_if_momentum_is_lost():
    assert abs(noisy.conductivity(chain_of(0, 1.3), VelocityFlip(0.5)) - 1.3 / 2) < 1e-15
    for noise in (EXCHANGE, ROTATION):
        assert noisy.conductivity(chain_of(0, 1.3), noise) == math.inf
    for kind in (VelocityFlip, VelocityExchange, ThreeSiteRotation):
        assert noisy.conductivity(chain_of(1, 1), kind(0.0)) == math.inf


def cube_integral(f, d, nodes=24):
    """A symmetric function over [0, 1]^d, by Gauss' rule on the cone in which the first coordinate leads.

    On rays from the origin a singularity of the kind |k| or k₁²/k² is smooth.
    """
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = (x + 1) / 4, w / 4  # half a period
    grids = np.meshgrid(x, *[2 * x] * (d - 1), indexing="ij")
    weights = np.prod(np.meshgrid(w, *[2 * w] * (d - 1), indexing="ij"), axis=0)
    lead = grids[0]
    k = np.stack([lead, *(lead * ratio for ratio in grids[1:])], axis=-1)
    return 2**d * d * float((weights * lead ** (d - 1) * f(k)).sum())


def all_velocities_squared(k, chi, pin):
    """Σ_l v_l², which the d polarisations make of v₁²."""
    omega_squared = pin + 4 * chi * (np.sin(np.pi * k) ** 2).sum(axis=-1)
    return chi**2 * (np.sin(2 * np.pi * k) ** 2).sum(axis=-1) / omega_squared


@pytest.mark.parametrize(
    ("d", "pin", "expected"),
    [(3, 0.0, 0.064548257394), (2, 1.0, 0.064533620243), (3, 1.0, 0.034773346070)],
)
def test_conductivity_of_a_crystal_by_a_quadrature_over_rays(d, pin, expected):
    direct = cube_integral(lambda k: all_velocities_squared(k, 1.0, pin) / noisy.rate(UNIT, k), d)
    value = noisy.conductivity(crystal_of(d, pin), UNIT)
    assert abs(value / direct - 1) < 1e-10
    assert abs(value - expected) < 1e-12


def test_conductivity_of_a_crystal_without_pin_counts_the_returns_of_a_random_walk():
    """Watson's integral in three dimensions."""
    gammas = math.prod(math.gamma(j / 24) for j in (1, 5, 7, 11))
    visits = math.sqrt(6) / (32 * math.pi**3) * gammas
    assert abs(visits - 1.516386059151978) < 1e-14
    value = noisy.conductivity(crystal_of(3, chi=1.3), PAIRS)
    assert abs(value / (1.3 / (8 * 0.7) * (visits - 1)) - 1) < 1e-13
    assert noisy.conductivity(crystal_of(2), UNIT) == math.inf
    assert noisy.conductivity(crystal_of(3), PairRotation(0.0)) == math.inf


def test_conductivity_of_a_crystal_with_weak_pin_grows_like_a_logarithm():
    """Between two pins, C(t)'s tail χ/8πγt is cut off at times in the ratio of the pins."""
    soft, softer = (noisy.conductivity(crystal_of(2, pin), UNIT) for pin in (1e-8, 1e-10))
    difference = softer - soft
    assert abs(difference / (math.log(100) / (8 * math.pi)) - 1) < 1e-6


@pytest.mark.parametrize(("pin", "chi"), [(0.0, 1.3), (1.0, 1.0), (0.01, 1.0)])
@pytest.mark.parametrize("noise", NOISES)
def test_current_correlation_by_the_trapezoidal_rule_over_the_period(noise, pin, chi):
    """The integrand is periodic and analytic, so the rule converges exponentially."""
    chain, times = chain_of(pin, chi), np.array([[0.0, 1.0], [10.0, 300.0]])
    k = (np.arange(2000) + 0.5) / 2000
    square, phi = group_velocity(chain, k) ** 2, noisy.rate(noise, k)
    direct = (square * np.exp(-times[..., None] * phi)).mean(axis=-1)
    value = noisy.current_correlation(chain, noise, times)
    np.testing.assert_allclose(value, direct, rtol=1e-12, atol=1e-300)


def test_current_correlation_values():
    times = [1.0, 10.0, 100.0]
    unit = ThreeSiteRotation(1.0)
    unpinned = noisy.current_correlation(chain_of(0, 1), unit, times)
    np.testing.assert_allclose(unpinned, [0.29202810841737, 0.08981232997928, 0.02822724233112], atol=2e-14)
    pinned = noisy.current_correlation(chain_of(1, 1), unit, times)
    np.testing.assert_allclose(pinned, [0.07640203777800, 0.00407744177690, 0.00013958375181], atol=2e-14)
    # exchange without a pin: modified Bessel functions
    exchange = noisy.current_correlation(chain_of(0, 1.3), EXCHANGE, times)
    z = 1.4 * np.array(times)
    np.testing.assert_allclose(exchange, 0.65 * (scipy.special.i0e(z) + scipy.special.i1e(z)), rtol=1e-13)


@pytest.mark.parametrize("pin", [0.0, 1.0])
@pytest.mark.parametrize("d", [2, 3])
def test_current_correlation_of_a_crystal_by_a_quadrature_over_rays(d, pin):
    times = np.array([0.0, 1.0, 7.0])

    def integrand(k, t):
        return all_velocities_squared(k, 1.3, pin) * np.exp(-0.7 * t * noisy.rate(UNIT, k))

    direct = [cube_integral(lambda k, t=t: integrand(k, t), d, nodes=40) for t in times]
    value = noisy.current_correlation(crystal_of(d, pin, 1.3), PAIRS, times)
    np.testing.assert_allclose(value, direct, rtol=1e-9)


def cubature(f, d, rtol=1e-11):
    """An even function of each coordinate over the unit cube, by adaptive Gauss-Kronrod rules of scipy."""
    found = scipy.integrate.cubature(f, np.zeros(d), np.full(d, 0.5), rtol=rtol, atol=0.0)
    assert found.status == "converged"
    return 2**d * found.estimate


@pytest.mark.parametrize(("chi", "pin", "rate"), [(1.3, 1.0, 0.7), (0.4, 3.0, 2.0)])
@pytest.mark.parametrize("d", [2, 3])
def test_crystal_by_adaptive_cubature(d, chi, pin, rate):
    """The integrals of the docstrings as they stand: no Bessel function, no ray, nothing of the module."""
    times = np.array([0.0, 0.5, 3.0])

    def parts(k):
        s = np.sin(np.pi * k) ** 2
        flow = chi**2 * np.sin(2 * np.pi * k) ** 2 / (pin + 4 * chi * s.sum(axis=-1, keepdims=True))
        return flow, 8 * rate * s.sum(axis=-1)

    def correlation(k):
        flow, phi = parts(k)
        return d * flow[:, :1] * np.exp(-phi[:, None] * times)

    def conductivity(k):
        flow, phi = parts(k)
        return flow.sum(axis=-1) / phi  # d v₁², made symmetric: it then has a limit at k = 0

    value = noisy.current_correlation(crystal_of(d, pin, chi), PairRotation(rate), times)
    np.testing.assert_allclose(value, cubature(correlation, d), rtol=1e-10)
    value = noisy.conductivity(crystal_of(d, pin, chi), PairRotation(rate))
    assert abs(value / cubature(conductivity, d, rtol=1e-9) - 1) < 1e-8


@pytest.mark.parametrize("pin", [0.0, 1.0])
@pytest.mark.parametrize("d", [2, 3])
def test_tail_of_a_crystal_by_quadrature(d, pin):
    """Long waves, for which Σ_l v_l² depends on |k| alone, on the scale k = x/√t at t = 10⁸."""
    chi, rate, t = 1.3, 0.7, 1e8
    law = noisy.tail(crystal_of(d, pin, chi), PairRotation(rate))
    area = {2: 2 * math.pi, 3: 4 * math.pi}[d]

    def integrand(x):
        k = x / math.sqrt(t)
        square = chi if pin == 0 else (2 * math.pi * chi * k) ** 2 / pin  # Σ_l v_l² of long waves
        return area * x ** (d - 1) * square * math.exp(-8 * rate * t * (math.pi * k) ** 2)

    direct = scipy.integrate.quad(integrand, 0, 8, points=[0.2, 0.5, 1], epsabs=0, epsrel=1e-12)[0]
    assert abs(law.prefactor * t ** (law.exponent + d / 2) / direct - 1) < 1e-10
    value = noisy.current_correlation(crystal_of(d, pin, chi), PairRotation(rate), [t])[0]
    assert abs(value * t ** (d / 2) / direct - 1) < 1e-6


@pytest.mark.parametrize(
    ("correlation", "conductivity"),
    [
        (
            lambda t: noisy.current_correlation(chain_of(1.0, 1.3), ROTATION, t),
            noisy.conductivity(chain_of(1.0, 1.3), ROTATION),
        ),
        (
            lambda t: noisy.current_correlation(crystal_of(3), UNIT, t),
            noisy.conductivity(crystal_of(3), UNIT),
        ),
    ],
)
def test_conductivity_is_the_time_integral_of_the_correlation(correlation, conductivity):
    """Beyond T, where C falls like t^(-3/2), the integral of C is 2 T C(T)."""
    t = np.exp(np.arange(-30, 32, 0.1))
    integral = np.trapezoid(t * correlation(t), dx=0.1) + 2 * t[-1] * correlation(t[-1])
    assert abs(integral / conductivity - 1) < 1e-10


@pytest.mark.parametrize("pin", [0.0, 1.0])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_tails(d, pin):
    """The deviation from the tail halves when the time doubles, so prefactor and exponent are exact."""
    times = np.array([1e4, 2e4])
    if d == 1:
        chain = chain_of(pin, 1.3)
        value, law = noisy.current_correlation(chain, ROTATION, times), noisy.tail(chain, ROTATION)
        assert law == noisy.tail(chain, EXCHANGE)
    else:
        value = noisy.current_correlation(crystal_of(d, pin, 1.3), PAIRS, times)
        law = noisy.tail(crystal_of(d, pin, 1.3), PAIRS)
    assert law.exponent == -d / 2 - (1 if pin else 0)
    deviation = value / (law.prefactor * times**law.exponent) - 1
    assert 1e-6 < abs(deviation[0]) < 1e-3
    assert abs(deviation[0] / deviation[1] - 2) < 1e-2


@pytest.mark.parametrize("pin", [0.0, 1.0])
def test_correlations_long_after(pin):
    """At 10¹⁴ the law of the tail is exact, whatever else is asked for in the same call."""
    chain, times = chain_of(pin, 1.3), [1e-3, 1e14]
    law = noisy.tail(chain, ROTATION)
    late = noisy.current_correlation(chain, ROTATION, times)[1]
    assert abs(late / (law.prefactor * 1e14**law.exponent) - 1) < 1e-12
    for d in (2, 3):
        law = noisy.tail(crystal_of(d, pin, 1.3), PAIRS)
        late = noisy.current_correlation(crystal_of(d, pin, 1.3), PAIRS, times)[1]
        assert abs(late / (law.prefactor * 1e14**law.exponent) - 1) < 1e-12


def test_crystal_with_a_pin_far_from_the_springs():
    """Stiff: every site alone, with C(0) = dχ²/2ω₀².  Weak, d = 2: the logarithm goes on."""
    for d in (2, 3):
        found = noisy.current_correlation(crystal_of(d, 1e14), UNIT, 0.0)
        assert abs(found / (d / 2e14) - 1) < 1e-12
    soft, softer = (noisy.conductivity(crystal_of(2, pin), UNIT) for pin in (1e-12, 1e-14))
    grown = softer - soft
    assert abs(grown / (2 * math.log(10) / (8 * math.pi)) - 1) < 1e-10


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("pin", [0.0, 1e-15, 1.0, 1e15])
@pytest.mark.parametrize("chi", [1e-15, 1.0, 1e15])
def test_extreme_numbers_give_finite_results(chi, pin):
    """Units of time and length change the numbers and nothing else: χ, ω₀² ∝ 1/time², rates ∝ 1/time."""
    root = math.sqrt(chi)
    times = np.array([0.0, 1e-3, 1.0, 1e3])
    for d in (2, 3):
        crystal = crystal_of(d, pin, chi)
        kappa = noisy.conductivity(crystal, UNIT)
        C = noisy.current_correlation(crystal, PairRotation(root), times / root)
        assert np.isfinite(C).all()
        assert math.isfinite(kappa) or (pin == 0 and d == 2)
        if pin == 0 or 1e-15 <= pin / chi <= 1e15:
            ones = noisy.current_correlation(crystal_of(d, pin / chi), UNIT, times)
            np.testing.assert_allclose(C, chi * ones, rtol=1e-11)
    for noise in (VelocityFlip(root), VelocityExchange(root), ThreeSiteRotation(root)):
        C = noisy.current_correlation(chain_of(pin, chi), noise, [*(times / root), 1e15])
        assert np.isfinite(C).all()
        assert C[0] > 0
        kappa = noisy.conductivity(chain_of(pin, chi), noise)
        assert kappa > 0
        assert math.isfinite(kappa) or pin == 0


def test_wave_numbers_of_any_size_are_periodic():
    """A float above 2⁵³ is an integer, where the noise that keeps the momentum does nothing."""
    far = np.array([1e300, -(2.0**60), 1e16, 7.0])
    assert (noisy.rate(ROTATION, far) == 0).all()
    assert (noisy.kernel(EXCHANGE, far, 0.3) == 0).all()
    assert (noisy.rate(UNIT, np.stack([far, far], axis=-1)) == 0).all()
    np.testing.assert_allclose(noisy.rate(ROTATION, 2.0**40 + 0.25), noisy.rate(ROTATION, 0.25), rtol=1e-15)
    np.testing.assert_allclose(noisy.rate(EXCHANGE, -1e-150), 2.8 * math.pi**2 * 1e-300, rtol=1e-14)


@pytest.mark.parametrize("n", [3, 8])
@pytest.mark.parametrize("noise", NOISES)
def test_collisions_of_a_chain_are_the_collision_matrix(noise, n):
    """Any real occupations, and the energy per site is their only invariant."""
    collision = noisy.collision(Chain(8), noise, n)
    W = np.random.default_rng(4).normal(size=n)
    matrix = noisy.collision_matrix(noise, n)
    np.testing.assert_allclose(collision.rate_of_change(W), matrix @ W, atol=1e-13)
    np.testing.assert_allclose(collision.jacobian(np.ones(n)), matrix, atol=1e-13)
    np.testing.assert_array_equal(collision.nodes, wave_numbers(n))
    np.testing.assert_allclose(collision.moments(np.arange(1.0, n + 1)), (n + 1) / 2)


@pytest.mark.parametrize("d", [2, 3])
def test_collisions_of_a_crystal(d):
    """A phonon loses at the rate φ, and jumps to each of the other polarisations with density R/(d - 1)."""
    n, pairs = 4, PairRotation(0.7)
    collision = noisy.collision(Crystal((5,) * d), pairs, n)
    k = wave_numbers((n,) * d).reshape(-1, d)
    W = np.random.default_rng(5).normal(size=(d, n**d))
    gain = (W.sum(axis=0) - W) @ noisy.kernel(pairs, k[:, None], k) / n**d / (d - 1)
    expected = gain - noisy.rate(pairs, k) * W
    np.testing.assert_allclose(collision.rate_of_change(W.ravel()), expected.ravel(), atol=1e-12)
    np.testing.assert_array_equal(collision.nodes.reshape(d, -1, d), np.tile(k, (d, 1, 1)))
    np.testing.assert_array_equal(collision.branch.reshape(d, -1)[:, 0], np.arange(d))
    later = collision.relax(W.ravel(), [0.0, 0.1, 1e5])
    np.testing.assert_allclose(later[0], W.ravel(), atol=1e-12)
    np.testing.assert_allclose(later.sum(axis=1), W.sum(), atol=1e-8 * np.abs(W).sum())
    still = (k == 0).all(axis=1)
    np.testing.assert_allclose(later[2].reshape(d, -1)[:, still], W[:, still], atol=1e-8)
    np.testing.assert_allclose(later[2].reshape(d, -1)[:, ~still], W[:, ~still].mean(), atol=1e-8)
