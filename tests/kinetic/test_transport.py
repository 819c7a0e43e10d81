"""The Boltzmann equation in time and space: against dense matrices, exact flights, and its own moments."""

import math

import numpy as np
import pytest
import scipy.linalg

from lattice import Bond, Chain, Pin, ThreeSiteRotation, VelocityExchange, VelocityFlip
from lattice.kinetic import noisy, transport
from lattice.waves import group_velocity, wave_numbers

NOISES = (VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7))
ROTATION = ThreeSiteRotation(1.0)
UNPINNED, PINNED = Chain(8), Chain(8, pin=Pin(chi=1.0))


def relax(noise, start, times):
    return noisy.collision(PINNED, noise, len(start)).relax(start, times)


def evolve(chain, noise, start, times, **grid):
    n = np.shape(start)[1]
    v = group_velocity(chain, wave_numbers(n))
    return transport.evolve(noisy.collision(chain, noise, n), v, start, times, **grid)


@pytest.mark.parametrize("noise", NOISES)
def test_relax_is_the_exponential_of_the_collision_matrix(noise):
    n, times = 20, [0.0, 0.3, 5.0]
    start = np.random.default_rng(3).random(n)
    found = relax(noise, start, times)
    matrix = noisy.collision_matrix(noise, n)
    for W, t in zip(found, times, strict=True):
        np.testing.assert_allclose(W, scipy.linalg.expm(t * matrix) @ start, atol=1e-10)
    np.testing.assert_allclose(found.mean(axis=1), start.mean(), rtol=1e-13)
    assert np.abs(found[2] - start).max() > 0.1


def test_relax_does_not_depend_on_the_grid():
    """Band-limited starts: 16 points give what 1024 give, to 1e-6, since the solution is smooth in k."""

    def at_quarters(n):
        k = wave_numbers(n)
        return relax(ROTATION, 1 + np.cos(2 * np.pi * k), [1.0])[0, [n // 4, n // 2]]

    np.testing.assert_allclose(at_quarters(16), at_quarters(1024), atol=1e-6)
    assert np.abs(at_quarters(4) - at_quarters(1024)).max() > 1e-3


@pytest.mark.parametrize("unit", [1.0, 1e8])
def test_relax_for_any_time(unit):
    """Flips at the rate ½: all but the mean decays like exp(-t).  Steps, of any size, would be too many."""
    start = np.array([0.4, -0.1, 0.5, 0.2, 1.0])
    decays = np.concatenate([[1e-12, 1e-3], np.linspace(0.1, 40, 200), [1e3, 1e6]])
    expected = start.mean() + (start - start.mean()) * np.exp(-decays)[:, None]
    found = relax(VelocityFlip(0.5 / unit), start, decays * unit)
    assert (np.abs(found - expected).max(axis=1) < 1e-14 * (1 + decays)).all()
    with pytest.raises(ValueError, match=r"times = .* at a rate of .*; allowed: a product of at most"):
        relax(VelocityFlip(0.5 / unit), start, [1.1e7 * unit])


@pytest.mark.parametrize("noise", NOISES[1:])
def test_relax_at_late_times(noise):
    """The slowest modes against the eigenvectors; then the wave k = 0 has what it had, the others a share."""
    n = 20
    start = np.cos(1.0 + np.arange(n)) ** 2
    rates, modes = np.linalg.eigh(noisy.collision_matrix(noise, n))
    times = np.array([30.0, 300.0, 1e4])
    found = relax(noise, start, [*times, 1e6])
    slow = np.exp(np.minimum(rates, 0) * times[:, None]) * (start @ modes)
    np.testing.assert_allclose(found[:3], slow @ modes.T, atol=1e-11)
    assert np.abs(found[0] - found[3]).max() > 1e-3
    end = np.append(start[0], np.full(n - 1, start[1:].mean()))
    np.testing.assert_allclose(found[3], end, atol=1e-8)


def test_times_may_be_equal():
    start = np.cos(1.0 + np.arange(4)) ** 2
    box = np.array([3.0, 1.0, 0.0, 2.0, 1.0])[:, None] * start
    times, which = [0.0, 0.0, 0.7, 0.7, 0.7, 2.0], [0, 0, 1, 1, 1, 2]
    np.testing.assert_array_equal(
        relax(ROTATION, start, times), relax(ROTATION, start, [0.0, 0.7, 2.0])[which]
    )
    grid = {"spacing": 1.0, "dt": 0.1}
    np.testing.assert_array_equal(
        evolve(PINNED, ROTATION, box, times, **grid),
        evolve(PINNED, ROTATION, box, [0.0, 0.7, 2.0], **grid)[which],
    )
    np.testing.assert_array_equal(evolve(PINNED, ROTATION, box, [0.0], **grid)[0], box)


def test_relax_at_rest():
    assert relax(ROTATION, np.zeros(5), [0.0, 2.0]).tolist() == [[0.0] * 5] * 2
    np.testing.assert_allclose(relax(ROTATION, np.arange(4.0), [0.0]), [np.arange(4.0)], atol=1e-14)


def wave(places, n, length):
    """Cell averages of a smooth positive state, and the width of a cell."""
    h, edges = length / places, np.linspace(0, length, places + 1)
    profile = np.diff(edges - 0.8 * np.cos(2 * np.pi * edges / length) * length / (2 * np.pi)) / h
    k = wave_numbers(n)
    return profile[:, None] * (1 + 0.5 * np.cos(2 * np.pi * k) + 0.3 * np.sin(2 * np.pi * k)), h


def exact(chain, noise, places, n, length, t):
    """Every Fourier mode in space by the exponential of its own matrix; averages over the cells."""
    W, h = wave(places, n, length)
    modes = np.fft.fft(W, axis=0)
    q = 2 * np.pi * np.fft.fftfreq(places, h)
    collisions, v = noisy.collision_matrix(noise, n), group_velocity(chain, wave_numbers(n))
    for i, mode in enumerate(modes):
        modes[i] = scipy.linalg.expm(t * (collisions - 1j * q[i] * np.diag(v))) @ mode
    return np.fft.ifft(modes, axis=0).real


@pytest.mark.parametrize("chain", [UNPINNED, PINNED])
@pytest.mark.parametrize("noise", NOISES)
def test_evolve_against_fourier_modes(chain, noise):
    W, h = wave(64, 8, 40.0)
    found = evolve(chain, noise, W, [3.0], spacing=h, dt=0.05)[0]
    np.testing.assert_allclose(found, exact(chain, noise, 64, 8, 40.0, 3.0), atol=1e-4)
    assert np.abs(found - W).max() > 0.1
    np.testing.assert_allclose(found.sum(), W.sum(), rtol=1e-12)


def slope(x, errors):
    return np.polyfit(np.log(x), np.log(errors), 1)[0]


def test_order_in_time():
    W, h = wave(640, 8, 40.0)
    target = exact(PINNED, ROTATION, 640, 8, 40.0, 2.0)
    steps = np.array([0.5, 0.25, 0.125])
    errors = [np.abs(evolve(PINNED, ROTATION, W, [2.0], spacing=h, dt=dt)[0] - target).max() for dt in steps]
    assert abs(slope(steps, errors) - 2) < 0.1


def test_order_in_space():
    """Flight alone, in steps that are no whole number of cells."""
    places = np.array([20, 40, 80])
    errors = []
    for m in places:
        W, h = wave(m, 8, 40.0)
        found = evolve(PINNED, VelocityFlip(0.0), W, [2.0], spacing=h, dt=0.1)[0]
        errors.append(np.abs(found - exact(PINNED, VelocityFlip(0.0), m, 8, 40.0, 2.0)).max())
    assert abs(slope(places, errors) + 3) < 0.1


def test_evolve_keeps_a_box_positive_and_its_energy():
    """A box of energy in an empty ring: the parabolas of its edges would be negative."""
    W = np.zeros((50, 6))
    W[20:25] = 1.0
    for found in evolve(UNPINNED, ROTATION, W, [0.3, 2.0, 10.0], spacing=1.0, dt=0.13):
        assert found.min() >= 0
        np.testing.assert_allclose(found.sum(), W.sum(), rtol=1e-12)


def flown(W, distance):
    """Averages W of the cells of a ring after a flight over `distance` cells, from the parabolas."""
    m = len(W)
    powers = np.arange(3)

    def average(a, b):
        """The average of 1, y, y² over [a, b]."""
        return np.array([(b ** (p + 1) - a ** (p + 1)) / (p + 1) for p in powers]) / (b - a)

    conditions = np.array([average(j - 0.5, j + 0.5) for j in (-1, 0, 1)])
    whole, part = divmod(distance, 1)
    moved = np.zeros(m)
    for j in range(m):
        c = np.linalg.solve(conditions, W[[j - 1, j, (j + 1) % m]])
        vertex = [-c[1] / (2 * c[2])] if abs(c[1]) < abs(c[2]) else []
        least = min(c @ np.power(y, powers) for y in (-0.5, 0.5, *vertex))
        if least < 0 < W[j]:  # pulled towards the mean until it touches 0
            c = c * W[j] / (W[j] - least)
            c[0] += W[j] - c @ average(-0.5, 0.5)
        elif least < 0:
            c = np.array([W[j], 0, 0])
        leaves = part * (c @ average(0.5 - part, 0.5)) if part > 0 else 0.0
        moved[int(j + whole) % m] += W[j] - leaves
        moved[int(j + whole + 1) % m] += leaves
    return moved


STATES = {
    "flat at one end": [1.0, 0.05, 0.0, 0.0],  # a slope that is negative at the edge of the second cell
    "flat inside": [1.0, 0.05, 0.9, 0.0],  # a vertex below 0 inside the second
    "flat inside, near the end": [0.72, 0.02, 0.12, 0.3],
    "not flattened": [1.0, 0.3, 0.9, 1.1],
    "a vertex above 0": [1.0, 0.1, 0.9, 0.5],
    "a box": [0.0, 0.0, 1.0, 1.0, 0.0],
    "small and large": [1e-30, 1.0, 1e-12, 1.0, 0.0, 1e-200, 1e-210, 1e-200],
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("cells", [0.0, 0.3, 0.5, 0.95, 2.6])
def test_flight_of_one_step_is_that_of_limited_parabolas(state, cells):
    """k = ¼ and ¾ fly in opposite directions, k = 0 and ½ rest."""
    W = np.array(STATES[state])
    step = {"spacing": math.sqrt(0.5), "dt": 3.0}  # one cell a unit of time
    found = evolve(UNPINNED, VelocityFlip(0.0), np.tile(W[:, None], 4), [cells], **step)[0].T
    for column, distance in zip(found, (0.0, cells, 0.0, -cells), strict=True):
        np.testing.assert_allclose(column, flown(W, distance), rtol=1e-13, atol=1e-15)
        assert column.min() >= 0
        assert abs(column.sum() / W.sum() - 1) < 1e-14


def test_the_limiter_by_hand():
    """Between 1 and 0 the parabola with the mean 0.05 ends at -1/8; 2/7 of it is left, which ends at 0."""
    step = {"spacing": math.sqrt(0.5), "dt": 1.0}
    W = np.tile(np.array([1.0, 0.05, 0.0, 0.0])[:, None], 4)
    found = evolve(UNPINNED, VelocityFlip(0.0), W, [0.5], **step)[0]
    slope, bend = -0.5 * 2 / 7, 0.45 * 2 / 7
    leaves = 0.05 * 0.5 + 0.125 * slope + 0 * bend  # ∫ over the right half, where y² - 1/12 has mean 0
    assert abs(found[2, 1] - leaves) < 1e-15
    assert abs(leaves - 1 / 140) < 1e-16
    unlimited = 0.05 * 0.5 - 0.125 * 0.5
    assert unlimited < 0


def test_a_phonon_crosses_many_cells_in_a_step():
    """Without collisions and with whole cells a step, flight is exact."""
    W = np.random.default_rng(5).random((12, 4))
    v = group_velocity(UNPINNED, wave_numbers(4))
    found = evolve(UNPINNED, VelocityFlip(0.0), W, [30.0], spacing=math.sqrt(0.5), dt=30.0)[0]
    cells = np.rint(v * 30 / math.sqrt(0.5)).astype(int)
    for a in (1, 3):
        np.testing.assert_allclose(found[:, a], np.roll(W[:, a], cells[a]), atol=1e-10)


def test_homogeneous_states_relax_alike():
    start = 1 + np.cos(2 * np.pi * wave_numbers(12))
    found = evolve(PINNED, ROTATION, np.tile(start, (5, 1)), [1.5], spacing=1.0, dt=0.1)[0]
    np.testing.assert_allclose(found, np.tile(relax(ROTATION, start, [1.5])[0], (5, 1)), atol=1e-10)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("size", [1e-10, 0.4, 3.0, 1e4, 1e6])
def test_collisions_of_any_strength_in_one_step(noise, size):
    """A homogeneous state after one step in which a phonon jumps some 10⁶ times."""
    start = np.cos(1.0 + np.arange(12)) ** 2
    strong = type(noise)(noise.rate * size)
    (found,) = evolve(PINNED, strong, np.tile(start, (3, 1)), [1.0], spacing=1.0, dt=1.0)
    (expected,) = relax(strong, start, [1.0])
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), atol=1e-14 * (1 + size))
    assert abs(found.mean() / start.mean() - 1) < 1e-14
    with pytest.raises(ValueError, match=r"dt = 1 at a rate of .*; allowed: a product of at most"):
        evolve(PINNED, type(noise)(1e7), np.ones((3, 12)), [1.0], spacing=1.0, dt=1.0)
    (level,) = evolve(PINNED, strong, np.ones((3, 12)), [1.0], spacing=1.0, dt=1.0)
    np.testing.assert_allclose(level, 1, atol=1e-12)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("dt", [1e-6, 0.2, 2.0])
def test_collisions_of_one_step_entry_by_entry(noise, dt):
    """Also what few phonons do: all energy at one wave number, and the small share that the others get."""
    n = 12
    expected = scipy.linalg.expm(dt * noisy.collision_matrix(noise, n))
    for a in (0, 1, 6):
        start = np.tile(np.eye(n)[a], (3, 1))
        (found,) = evolve(PINNED, noise, start, [dt], spacing=1.0, dt=dt)
        np.testing.assert_allclose(found, np.tile(expected[a], (3, 1)), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("chi", [1.0, 2.5])
@pytest.mark.parametrize("share", [1e-9, 1e-3, 0.3, 0.9, 0.9999])
def test_decay_rate_of_flips_without_a_pin_in_closed_form(chi, share):
    """The telegraph equation: μ = 2γ - √(4γ² - χq²) up to q = 2γ/√χ, beyond which the wave oscillates."""
    flips = VelocityFlip(0.7)
    q = share * 1.4 / math.sqrt(chi)
    exact = chi * q**2 / (1.4 + 1.4 * math.sqrt((1 - share) * (1 + share)))
    found = transport.decay_rate(Chain(8, Bond(chi=chi)), flips, q)
    assert abs(found / exact - 1) < 1e-12
    with pytest.raises(ValueError, match="small enough"):
        transport.decay_rate(Chain(8, Bond(chi=chi)), flips, 1.4001 / math.sqrt(chi))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("chi", "pin"), [(1.0, 1.0), (2.5, 1e-4), (1.0, 0.0)])
def test_decay_rate_in_other_units_of_time(noise, chi, pin):
    """A unit of time changes the number and nothing else, however large it is."""
    rate = transport.decay_rate(Chain(8, Bond(chi=chi), Pin(chi=pin)), noise, 0.01)
    for unit in (1e-5, 1e7):
        chain = Chain(8, Bond(chi=chi * unit**2), Pin(chi=pin * unit**2))
        found = transport.decay_rate(chain, type(noise)(noise.rate * unit), 0.01)
        assert abs(found / (rate * unit) - 1) < 1e-11


@pytest.mark.parametrize("noise", NOISES)
def test_decay_rate_of_the_longest_waves(noise):
    """κq², or c|q|^(3/2), to round-off where the next order is below it."""
    kappa = noisy.conductivity(PINNED, noise)
    assert abs(transport.decay_rate(PINNED, noise, 1e-14) / (kappa * 1e-28) - 1) < 1e-11
    strong = type(noise)(1e11)  # κ ∝ 1/γ
    kappa = noisy.conductivity(PINNED, strong)
    assert abs(transport.decay_rate(PINNED, strong, 1e-3) / (kappa * 1e-6) - 1) < 1e-11
    if not isinstance(noise, VelocityFlip):
        for law, q in ((noise, 1e-14), (strong, 1e-3)):
            limit = q**1.5 / math.sqrt(8 * law.rate)
            assert abs(transport.decay_rate(UNPINNED, law, q) / limit - 1) < 2e-7  # the next order, √(q/γ)


def real_rates(noise, q):
    """The real eigenvalues of a Fourier mode: its even and odd part on panels that halve to 0 and ½."""
    edges = 0.25 * 2.0 ** np.arange(-7, 1)
    edges = np.concatenate([[0.0], edges, 0.5 - edges[-2::-1], [0.5]])
    x, w = np.polynomial.legendre.leggauss(16)
    width = np.diff(edges)[:, None]
    k, weights = (edges[:-1, None] + width * (x + 1) / 2).ravel(), (width * w).ravel()  # of both halves
    loss, turning = np.diag(noisy.rate(noise, k)), q * np.diag(group_velocity(PINNED, k))
    gain = noisy.kernel(noise, k[:, None], k) * weights
    values = np.linalg.eigvals(np.block([[loss - gain, -turning], [turning, loss]]))
    return np.sort(values[np.abs(values.imag) < 1e-9].real)


@pytest.mark.parametrize("noise", NOISES)
def test_decay_rate_is_the_least_real_eigenvalue(noise):
    """Also close to the largest wave that has one, where two of them meet or the continuum is reached."""
    low, high = 0.2, 20.0
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        try:
            transport.decay_rate(PINNED, noise, middle)
            low = middle
        except ValueError:
            high = middle
    for q in (0.2, 0.5 * low, 0.9 * low, low):
        assert abs(transport.decay_rate(PINNED, noise, q) / real_rates(noise, q)[0] - 1) < 1e-8
    edge = 0.999 * noisy.rate(noise, 0.5)  # where the continuum ends
    assert (real_rates(noise, 1.01 * high) > edge).all()


@pytest.mark.parametrize("noise", NOISES)
def test_long_waves_diffuse_with_a_pin(noise):
    kappa = noisy.conductivity(PINNED, noise)
    # the correction is of order q, not q²: noise that keeps the momentum remembers that φ(0) = 0
    assert abs(transport.decay_rate(PINNED, noise, 1e-8) / 1e-16 / kappa - 1) < 2e-8
    assert transport.decay_rate(PINNED, noise, -1e-3) == transport.decay_rate(PINNED, noise, 1e-3)


@pytest.mark.parametrize("noise", NOISES[1:])
@pytest.mark.parametrize("chi", [1.0, 2.5])
def test_long_waves_superdiffuse_without(noise, chi):
    """c = χ^(3/4) / √(8γ), approached with a correction of order q^(1/2)."""
    chain, c = Chain(8, Bond(chi=chi)), chi**0.75 / math.sqrt(8 * noise.rate)
    q = np.array([4e-8, 1e-8])
    ratio = np.array([transport.decay_rate(chain, noise, x) / (c * x**1.5) for x in q])
    assert abs(2 * ratio[1] - ratio[0] - 1) < 1e-7  # the correction halves
    assert 1e-5 < abs(ratio[0] - 1) < 1e-3


def test_flips_without_a_pin_diffuse():
    kappa = noisy.conductivity(UNPINNED, VelocityFlip(1.0))
    assert abs(transport.decay_rate(UNPINNED, VelocityFlip(1.0), 1e-8) / 1e-16 / kappa - 1) < 2e-8
