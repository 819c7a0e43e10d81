"""Waves of chains and crystals: closed forms, tiny dense systems and energies as oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice import Bond, Chain, Crystal, Pin, energy, mean, polarisations
from lattice.modes import normal_modes
from lattice.waves import (
    dispersion,
    fourier,
    group_velocity,
    inverse_fourier,
    mean_chain,
    mode_energy,
    phase_space,
    random_phases,
    wave_action,
    wave_field,
    wave_numbers,
)

PINNED = Chain(12, Bond(chi=1.3), Pin(chi=0.4))
UNPINNED = Chain(12, Bond(chi=1.3))
SHEET, BLOCK = Crystal((4, 6), Bond(chi=1.3), Pin(chi=0.4)), Crystal((3, 4, 3), Bond(chi=0.7))
FAR = Crystal((5, 4), {(1, 0): Bond(chi=1.0), (0, 1): Bond(chi=0.6), (2, -1): Bond(chi=0.3)}, Pin(chi=0.2))
PLANE = Crystal((8,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, (Pin(chi=0.2), Pin(chi=0.7)), components=2)
OBLIQUE = Crystal(
    (3, 4),
    {(1, 0): (Bond(chi=2.0), Bond(chi=0.3)), (1, 1): (Bond(chi=0.7), Bond(chi=0.1)), (1, -1): Bond(chi=0.4)},
    (Pin(chi=0.2), Pin(chi=0.1), Pin(chi=0.5)),
    components=3,
)
FLOPPY = Crystal(  # without a spring across: waves along (1, 0) that move along (0, 1), and others, are free
    (4, 6),
    {(1, 0): (Bond(chi=2.0), Bond()), (0, 1): (Bond(chi=1.5), Bond()), (2, 2): (Bond(chi=0.3), Bond())},
)
SOLID = Crystal(
    (3, 4, 3), {(1, 0, 0): Bond(chi=1.0), (0, 1, 1): (Bond(chi=2.0), Bond(chi=0.5)), (1, 1, 0): Bond(chi=0.7)}
)
BRANCHED = [PLANE, OBLIQUE, FLOPPY, SOLID]
UNEVEN = Chain(6, Bond(chi=[1.0, 2.0, 0.5, 3.0, 1.5, 1.0], alpha=0.3, J=0.25, m=2.0), Pin(chi=np.arange(6.0)))


def test_wave_numbers_cover_one_zone():
    assert wave_numbers(4).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert wave_numbers((2, 4))[1, 3].tolist() == [0.5, 0.75]
    assert wave_numbers((5,)).shape == (5, 1)


@pytest.mark.parametrize("n", [0, -3, 2.0, True, (), (3, 0), (3, 2.0), [3, 3]])
def test_wave_numbers_reject(n):
    with pytest.raises(ValueError, match=r"n = .*; allowed: an integer at least 1"):
        wave_numbers(n)


def test_fourier_is_the_stated_sum():
    rng = np.random.default_rng(1)
    f = rng.normal(size=(2, 7))
    y = np.arange(7)
    k = wave_numbers(7)
    direct = (np.exp(-2j * np.pi * k[:, None] * y) * f[:, None, :]).sum(axis=-1)
    np.testing.assert_allclose(fourier(f), direct, atol=1e-13)
    np.testing.assert_allclose(inverse_fourier(fourier(f)), f, atol=1e-14)


def test_fourier_of_a_torus_is_the_stated_sum():
    f = np.random.default_rng(1).normal(size=(2, 3, 4))
    k, y = wave_numbers((3, 4)), np.moveaxis(np.indices((3, 4)), 0, -1)
    waves = np.exp(-2j * np.pi * np.einsum("abi,cdi->abcd", k, y))
    np.testing.assert_allclose(fourier(f, d=2), np.einsum("abcd,rcd->rab", waves, f), atol=1e-13)
    np.testing.assert_allclose(inverse_fourier(fourier(f, d=2), d=2), f, atol=1e-14)
    np.testing.assert_array_equal(fourier(f), np.fft.fft(f))
    for d in (0, 4):
        with pytest.raises(ValueError, match=r"d = .*; allowed|f has shape .*; allowed: at least d = 4 axes"):
            fourier(f, d=d)


def hessian(medium):
    """Second derivatives of the energy of one polarisation at rest, by polarisation of a quadratic form."""
    if isinstance(medium, Chain):
        return medium.stiffness_matrix()
    unit = np.zeros((medium.n, medium.d, medium.n))
    unit[:, 0] = np.eye(medium.n)

    def form(q):
        q = q.reshape(*q.shape[:-2], medium.d, *medium.shape)
        return 2 * medium.energy(q, 0 * q)

    return (form(unit[:, None] + unit) - form(unit[:, None] - unit)) / 4


@pytest.mark.parametrize("medium", [PINNED, UNPINNED, SHEET, BLOCK, FAR], ids=type)
def test_dispersion_is_the_spectrum_of_the_ring_or_torus(medium):
    squares = np.linalg.eigvalsh(hessian(medium))
    np.testing.assert_allclose(np.sort(dispersion(medium), axis=None) ** 2, squares, atol=1e-13)
    k = wave_numbers(medium.n if isinstance(medium, Chain) else medium.shape)
    np.testing.assert_allclose(dispersion(medium, k - 1), dispersion(medium), atol=1e-14)


def test_slow_waves_are_not_still():
    """A pin of 1e-14, and a torus whose second direction is softer by 1e13, to twelve digits."""
    k, soft = wave_numbers((4, 6)), 1e-13
    expected = 2 * np.sqrt(np.sin(np.pi * k) ** 2 @ [1, soft])
    found = dispersion(Crystal((4, 6), {(1, 0): Bond(chi=1.0), (0, 1): Bond(chi=soft)}))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.count_nonzero(found == 0) == 1
    for medium in (Chain(12, pin=Pin(chi=1e-14)), Crystal((12,), pin=Pin(chi=1e-14))):
        np.testing.assert_allclose(dispersion(medium)[0], 1e-7, rtol=1e-12)
    np.testing.assert_allclose(dispersion(UNPINNED, [1e-20, -1e-20]), 2e-20 * np.pi * 1.3**0.5, rtol=1e-12)


@pytest.mark.parametrize(("n", "step"), [(8, 2), (98, 49), (147, 49)])
def test_springs_that_skip_sites_leave_waves_without_energy(n, step):
    """Exactly those whose wave number is a whole multiple of 1/step: as many as there are sublattices."""
    found = dispersion(Crystal((n,), {step: Bond(chi=1.3)}))
    assert np.flatnonzero(found == 0).tolist() == list(range(0, n, n // step))


@settings(deadline=None)
@given(k=st.floats(0.02, 0.98), pin=st.sampled_from([0.0, 0.4]))
def test_group_velocity_is_the_slope(k, pin):
    chain = Chain(8, Bond(chi=1.3), Pin(chi=pin))
    h = 1e-5
    slope = (dispersion(chain, k + h) - dispersion(chain, k - h)) / (2 * h)
    assert abs(group_velocity(chain, k) - slope / (2 * np.pi)) < 1e-7


@pytest.mark.parametrize("medium", [SHEET, BLOCK, FAR, Crystal((7,), {2: Bond(chi=0.5), 1: Bond(chi=1.0)})])
def test_group_velocity_is_the_gradient(medium):
    k, h = np.random.default_rng(3).uniform(0.02, 0.98, (50, medium.d)), 1e-5
    for j, e in enumerate(np.eye(medium.d)):
        slope = (dispersion(medium, k + h * e) - dispersion(medium, k - h * e)) / (2 * h)
        np.testing.assert_allclose(group_velocity(medium, k)[:, j], slope / (2 * np.pi), atol=1e-7)
    everywhere = group_velocity(medium, wave_numbers(medium.shape))
    np.testing.assert_allclose(group_velocity(medium), everywhere, atol=1e-14)
    assert (group_velocity(medium, np.zeros(medium.d)) == 0).all()


def test_group_velocity_at_the_edges():
    row = Crystal((12,), Bond(chi=1.3))
    np.testing.assert_array_equal(group_velocity(row)[:, 0], group_velocity(UNPINNED))
    assert group_velocity(PINNED, 0.0) == 0.0
    assert group_velocity(UNPINNED, 0.0) == 0.0
    assert abs(group_velocity(UNPINNED, 1e-9) - np.sqrt(1.3)) < 1e-8
    assert abs(group_velocity(UNPINNED, -1e-9) + np.sqrt(1.3)) < 1e-8
    assert group_velocity(UNPINNED, [1.0, -1.0, 2.0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("medium", [PINNED, UNPINNED, SHEET, BLOCK, FAR, *BRANCHED], ids=type)
def test_field_and_modes_carry_the_energy(medium):
    chain = isinstance(medium, Chain)
    shape = (12,) if chain else (medium.components, *medium.shape)
    q, p = np.random.default_rng(2).normal(size=(2, 3, *shape))
    total = energy(medium, q, p) if chain else medium.energy(q, p)
    axes = tuple(range(1, q.ndim))
    np.testing.assert_allclose((np.abs(wave_field(medium, q, p)) ** 2).sum(axis=axes), total, rtol=1e-12)
    np.testing.assert_allclose(mode_energy(medium, q, p).sum(axis=axes), total, rtol=1e-12)


def test_a_crystal_in_one_dimension_has_the_waves_of_a_ring():
    row = Crystal((12,), Bond(chi=1.3), Pin(chi=0.4))
    q, p = np.random.default_rng(2).normal(size=(2, 3, 12))
    for call in (wave_field, mode_energy, wave_action):
        np.testing.assert_array_equal(call(row, q, p), call(PINNED, q, p))


def test_waves_of_a_chain_that_differs_from_place_to_place_are_those_of_its_mean():
    """By hand: the means of the curvatures at rest, χ + Jm² and ω₀²."""
    mean = mean_chain(UNEVEN)
    assert (mean.bond.chi, mean.pin.chi) == (1.5 + 0.25 * 2.0**2, 2.5)
    assert mean.is_uniform
    assert mean.is_harmonic
    q, p = np.random.default_rng(2).normal(size=(2, 3, 6))
    omega = np.sqrt(2.5 + 4 * 2.5 * np.sin(np.pi * np.arange(6) / 6) ** 2)
    W = np.abs(omega * np.fft.fft(q) + 1j * np.fft.fft(p)) ** 2 / 12
    np.testing.assert_allclose(mode_energy(UNEVEN, q, p), W, rtol=1e-12)
    np.testing.assert_allclose(wave_action(UNEVEN, q, p), W / omega, rtol=1e-12)
    np.testing.assert_allclose(mode_energy(UNEVEN, q, p).sum(axis=-1), energy(mean, q, p), rtol=1e-12)
    np.testing.assert_allclose(phase_space(UNEVEN, wave_field(UNEVEN, q, p)), (q, p), atol=1e-13)


@pytest.mark.parametrize("medium", [PINNED, SHEET, FAR, PLANE, OBLIQUE], ids=type)
def test_phase_space_is_the_inverse(medium):
    shape = (12,) if isinstance(medium, Chain) else (medium.components, *medium.shape)
    q, p = np.random.default_rng(2).normal(size=(2, 3, *shape))
    np.testing.assert_allclose(phase_space(medium, wave_field(medium, q, p)), (q, p), atol=1e-12)


@pytest.mark.parametrize("medium", [UNPINNED, BLOCK], ids=type)
def test_phase_space_without_a_pin_leaves_out_the_translation(medium):
    shape = (12,) if isinstance(medium, Chain) else medium.shape
    re, im = np.random.default_rng(2).normal(size=(2, *shape))
    q, p = phase_space(medium, re + 1j * im)
    assert abs(q.mean()) < 1e-14
    np.testing.assert_allclose(wave_field(medium, q, p), re - re.mean() + 1j * im, atol=1e-13)


@pytest.mark.parametrize("medium", [PINNED, UNEVEN, SHEET, FAR, PLANE, OBLIQUE], ids=type)
def test_random_phases_have_the_spectrum(medium):
    """To round-off in every state, one spectrum for all polarisations or one for each."""
    chain = isinstance(medium, Chain)
    shape = (medium.n,) if chain else (medium.components, *medium.shape)
    W = np.random.default_rng(4).uniform(0, 2, shape)
    state = random_phases(medium, W, 5, rng=1)
    assert state.q.shape == (5, *shape)
    np.testing.assert_allclose(
        mode_energy(medium, state.q, state.p), np.broadcast_to(W, (5, *shape)), atol=1e-12
    )
    if not chain:
        state = random_phases(medium, W[0], 5, rng=1)
        np.testing.assert_allclose(
            mode_energy(medium, state.q, state.p)[:, 1], np.stack([W[0]] * 5), atol=1e-12
        )


@pytest.mark.parametrize("gaussian", [False, True])
def test_random_phases_are_random(gaussian):
    """⟨ψψ⟩ = 0, also at -k, ⟨|ψ|²⟩ = W, ⟨|ψ|⁴⟩ = W² or 2W²; 7 standard errors, a tenth of W detected."""
    W = np.linspace(0.5, 1.5, 12)
    state = random_phases(PINNED, W, 40_000, rng=3, gaussian=gaussian)
    modes = fourier(wave_field(PINNED, state.q, state.p)) / np.sqrt(12 * W)
    opposite = modes[:, -np.arange(12)]
    for values, expected in (
        (modes, 0),
        (modes * modes, 0),
        (modes * opposite, 0),
        ((modes * opposite.conj())[:, [1, 2, 3, 4, 5]], 0),
        (np.abs(modes) ** 2, 1),
        (np.abs(modes) ** 4, 2 if gaussian else 1),
    ):
        for part, wanted in ((values.real, expected), (values.imag, 0)):
            found = mean(part)
            assert (np.abs(found.value - wanted) <= 7 * found.stderr + 1e-12).all()
            assert found.stderr.max() < 0.1 / 3


def test_random_phases_of_waves_without_a_spring():
    """Gaussian, with W = T: the momenta of the canonical ensemble, translation included; 6 errors."""
    state = random_phases(UNPINNED, np.full(12, 0.7), 40_000, rng=3, gaussian=True)
    assert np.abs(state.q.mean(axis=1)).max() < 1e-13
    found = mean(np.abs(fourier(state.p)) ** 2 / 12)
    assert (np.abs(found.value - 0.7) < 6 * found.stderr).all()
    assert (found.stderr < 0.01).all()


def test_field_turns_at_its_frequency():
    # one pinned normal mode, moved by hand: q = a cos(2πky − ωt), p = its time derivative
    k, t, y = 2 / 12, 0.7, np.arange(12)
    omega = dispersion(PINNED, k)

    def state(t):
        phase = 2 * np.pi * k * y - omega * t
        return np.cos(phase), omega * np.sin(phase)

    before, after = wave_field(PINNED, *state(0.0)), wave_field(PINNED, *state(t))
    np.testing.assert_allclose(after, np.exp(-1j * omega * t) * before, atol=1e-13)


def test_wave_action_of_branches():
    q, p = np.random.default_rng(3).normal(size=(2, *SOLID.shape[:1], *SOLID.shape))
    omega, action = dispersion(SOLID), wave_action(SOLID, q, p)
    assert (action[omega == 0] == 0).all()
    np.testing.assert_allclose((action * omega)[omega > 0], mode_energy(SOLID, q, p)[omega > 0])


def test_wave_action_is_energy_over_frequency():
    rng = np.random.default_rng(3)
    q, p = rng.normal(size=(2, 12))
    omega = dispersion(UNPINNED, wave_numbers(12))
    action = wave_action(UNPINNED, q, p)
    assert action[0] == 0
    np.testing.assert_allclose(action[1:] * omega[1:], mode_energy(UNPINNED, q, p)[1:])


def whole(crystal):
    """Second derivatives of the energy of all components."""
    size = crystal.components * crystal.n
    unit = np.eye(size).reshape(size, crystal.components, *crystal.shape)

    def form(q):
        return 2 * crystal.energy(q, 0 * q)

    return (form(unit[:, None] + unit) - form(unit[:, None] - unit)) / 4


def plane_wave(crystal, k):
    """The matrix D(k) from the matrix of the whole torus."""
    y = np.moveaxis(np.indices(crystal.shape), 0, -1).reshape(-1, crystal.d)
    phase = np.exp(2j * np.pi * y @ k)
    blocks = whole(crystal).reshape(crystal.components, crystal.n, crystal.components, crystal.n)
    return np.einsum("aibj,i,j->ab", blocks, phase.conj(), phase) / crystal.n


@pytest.mark.parametrize("crystal", BRANCHED)
def test_branches_are_the_spectrum_of_the_torus(crystal):
    """And, wave by wave, eigenvalues and eigenvectors of the matrix of a plane wave."""
    omega, e = dispersion(crystal), polarisations(crystal)
    assert omega.shape == (crystal.components, *crystal.shape)
    assert e.shape == (crystal.components, *omega.shape)
    np.testing.assert_allclose(np.sort(omega, axis=None) ** 2, np.linalg.eigvalsh(whole(crystal)), atol=1e-13)
    for at in np.ndindex(*crystal.shape):
        D = plane_wave(crystal, np.array(at) / crystal.shape)
        vectors, squares = e[:, :, *at], omega[:, *at] ** 2
        np.testing.assert_allclose(vectors @ D @ vectors.T, np.diag(squares), atol=1e-13)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(crystal.components), atol=1e-14)
    k = wave_numbers(crystal.shape)
    np.testing.assert_allclose(dispersion(crystal, k - 1), omega, atol=1e-14)
    if crystal.mixes:
        assert (np.diff(omega, axis=0) >= 0).all()
    else:
        np.testing.assert_array_equal(e, np.broadcast_to(np.eye(2)[..., None], e.shape))


def test_branches_of_components_are_chains():
    """Whichever is higher."""
    k = np.linspace(-0.7, 0.9, 33)
    chains = Chain(8, Bond(chi=4.0), Pin(chi=0.2)), Chain(8, Bond(chi=1.0), Pin(chi=0.7))
    for call in (dispersion, group_velocity):
        found = call(PLANE, k[:, None]).reshape(2, 33)
        np.testing.assert_allclose(found, [call(chain, k) for chain in chains], rtol=1e-14)
    assert group_velocity(PLANE).shape == (2, 8, 1)


def test_polarisations_do_not_depend_on_the_sign_of_k():
    k = np.random.default_rng(5).uniform(0.01, 0.99, (60, 2))
    np.testing.assert_allclose(polarisations(OBLIQUE, k), polarisations(OBLIQUE, -k), atol=1e-10)
    np.testing.assert_array_equal(polarisations(SHEET, k), np.stack([np.eye(2)] * 60, axis=-1))
    e = polarisations(OBLIQUE, k)
    first = (np.abs(e) > 0.37 * np.abs(e).max(axis=1, keepdims=True)).argmax(axis=1, keepdims=True)
    assert (np.take_along_axis(e, first, axis=1) > 0).all()


@pytest.mark.parametrize("crystal", BRANCHED)
def test_group_velocity_of_branches_is_the_gradient(crystal):
    k, h = np.random.default_rng(3).uniform(0.02, 0.98, (50, crystal.d)), 1e-6
    for j, e in enumerate(np.eye(crystal.d)):
        slope = (dispersion(crystal, k + h * e) - dispersion(crystal, k - h * e)) / (2 * h)
        error = np.abs(group_velocity(crystal, k)[..., j] - slope / (2 * np.pi))
        curvature = (
            dispersion(crystal, k + h * e) + dispersion(crystal, k - h * e) - 2 * dispersion(crystal, k)
        )
        assert (error < 1e-7 + np.abs(curvature) / h).all()


def square(n=8, **keys):
    """Springs along axes and diagonals, which give way across."""
    steps = {(1, 0): 1.3, (0, 1): 1.3, (1, 1): 0.4, (1, -1): 0.4}
    return Crystal((n, n), {z: (Bond(chi=chi), Bond(**keys)) for z, chi in steps.items()})


def test_sound_of_a_square_with_diagonals():
    """Along an axis c² = χ + η and η, along a diagonal half of χ + 4η and of χ, to twelve digits."""
    crystal, h = square(), 1e-9
    along, aslant = dispersion(crystal, [[h, 0.0], [h, h]]).T / (2 * np.pi * h)
    np.testing.assert_allclose(along, np.sqrt([0.4, 1.3 + 0.4]), rtol=1e-12)
    np.testing.assert_allclose(aslant, np.sqrt([1.3, 1.3 + 4 * 0.4]), rtol=1e-12)
    np.testing.assert_allclose(np.abs(polarisations(crystal, [h, h])), np.sqrt(0.5), rtol=1e-12)
    v = group_velocity(crystal, [h, h])
    np.testing.assert_allclose(v.T, np.sqrt([[1.3, 1.3 + 4 * 0.4]] * 2) / 2, rtol=1e-12)


def test_soft_branches_to_the_round_off_of_the_hard_ones():
    stiff = Crystal((5, 5), {(1, 1): (Bond(chi=1.0), Bond(chi=1e-20))})
    k = wave_numbers((5, 5))
    size = 2 * np.abs(np.sin(np.pi * k.sum(axis=-1)))
    np.testing.assert_allclose(dispersion(stiff)[1], size, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(dispersion(stiff)[0], 1e-10 * size, atol=1e-15)


ROWS = Crystal(
    (7, 7), {(1, 2): (Bond(chi=1.3), Bond()), (2, 4): (Bond(chi=0.7), Bond())}
)  # that slide and turn


@pytest.mark.parametrize("crystal", [*BRANCHED, square(4), ROWS])
def test_waves_without_energy_have_no_frequency(crystal):
    """Exactly, and as many as the matrix of the torus has."""
    free = np.linalg.eigvalsh(whole(crystal)) < 1e-12
    assert np.count_nonzero(dispersion(crystal) == 0) == np.count_nonzero(free)
    assert (group_velocity(crystal)[dispersion(crystal) == 0] == 0).all()
    assert np.count_nonzero(dispersion(FLOPPY) == 0) > 2
    assert np.count_nonzero(dispersion(FLOPPY, wave_numbers((4, 6)) + 1e-3) == 0) == 0


@pytest.mark.parametrize(
    ("crystal", "k"),
    [
        (PLANE, [0.3]),
        (square(chi=0.2), [0.5, 0.5]),
        # branches that cross in a point: along the first axis as they are, along the second with equal shares
        (
            Crystal(
                (4, 4),
                {
                    (1, 0): (Bond(chi=2.5), Bond(chi=0.5)),
                    (0, 1): (Bond(chi=1.7), Bond(chi=0.7)),
                    (1, 1): (Bond(chi=0.6), Bond(chi=0.1)),
                    (1, -1): (Bond(chi=0.6), Bond(chi=0.1)),
                },
            ),
            [0.25, 0.5],
        ),
        # two of three, the others of which are lower, or higher
        *(
            (
                Crystal(
                    (4, 4, 4),
                    {z: (Bond(chi=x), Bond(chi=y)) for z in ((1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1))},
                ),
                [0.2, 0.0, 0.0],
            )
            for x, y in ((1.0, 0.1), (0.1, 1.0))
        ),
        (Crystal((4, 4), {(1, 1): (Bond(chi=2.0), Bond(chi=1.0))}, components=3), [0.2, 0.1]),
    ],
)
def test_branches_that_coincide_have_the_slopes_on_each_axis(crystal, k):
    """Ahead of k: in the order of the frequencies there."""
    k, h = np.array(k), 1e-6
    v = group_velocity(crystal, k)
    for j, e in enumerate(np.eye(crystal.d)):
        slope = (4 * dispersion(crystal, k + h * e) - dispersion(crystal, k + 2 * h * e)) / (2 * h)
        slope -= 3 * dispersion(crystal, k) / (2 * h)
        np.testing.assert_allclose(v[:, j], slope / (2 * np.pi), atol=1e-8)


def test_a_turned_crystal_has_turned_waves():
    """Axes exchanged, or one reversed."""
    steps = {(1, 0): (2.0, 0.3), (0, 1): (1.0, 0.5), (1, 1): (0.7, 0.1), (2, -1): (0.4, 0.2)}
    pairs = {z: (Bond(chi=along), Bond(chi=across)) for z, (along, across) in steps.items()}
    k = np.random.default_rng(4).uniform(0.02, 0.98, (30, 2))
    for turn in ([[0, 1], [1, 0]], [[1, 0], [0, -1]]):
        turned = Crystal((5, 5), {tuple((turn @ np.array(z)).tolist()): law for z, law in pairs.items()})
        first = Crystal((5, 5), pairs)
        np.testing.assert_allclose(dispersion(turned, k @ turn), dispersion(first, k), rtol=1e-13)
        np.testing.assert_allclose(
            group_velocity(turned, k @ turn), group_velocity(first, k) @ turn, atol=1e-12
        )
        e, other = polarisations(first, k), polarisations(turned, k @ turn)
        overlap = np.einsum("sck,cb,sbk->sk", e, turn, other)
        np.testing.assert_allclose(np.abs(overlap), 1, rtol=1e-10)


@pytest.mark.parametrize("crystal", [FLOPPY, SOLID])
def test_phase_space_leaves_out_what_costs_no_energy(crystal):
    re, im = np.random.default_rng(2).normal(size=(2, crystal.d, *crystal.shape))
    q, p = phase_space(crystal, re + 1j * im)
    left = re + 1j * im - wave_field(crystal, q, p)
    np.testing.assert_allclose(left.imag, 0, atol=1e-13)
    assert np.abs(left.real).max() > 0.01
    assert crystal.energy(left.real, 0 * re) < 1e-26


def test_rejections():
    uneven = Chain(4, Bond(chi=[1.0, 1.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match="allowed: a uniform chain"):
        dispersion(uneven, 0.1)
    with pytest.raises(ValueError, match="allowed: ω² ≥ 0"):
        group_velocity(Chain(4, Bond(chi=-1.0)), 0.1)
    for call in (dispersion, group_velocity):
        with pytest.raises(ValueError, match=r"k has entries .*; allowed: finite numbers"):
            call(PINNED, [0.1, np.nan])
    with pytest.raises(ValueError, match="ω² ≥ 0 for every mode"):
        normal_modes(Chain(4, Bond(chi=-1.0)))
    with pytest.raises(ValueError, match="boundary = 'free'; allowed: a ring, 'periodic'"):
        wave_field(Chain(4, boundary="free"), np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="allowed: ω² ≥ 0"):
        wave_field(Chain(4, Bond(chi=[-1.0, -1.0, -1.0, 1.0])), np.zeros(4), np.zeros(4))
    for call in (dispersion, group_velocity, lambda medium: phase_space(medium, np.ones(4))):
        with pytest.raises(ValueError, match="medium = 3; allowed: a Chain or a Crystal"):
            call(3)
    for k in (0.1, [0.1], np.zeros((4, 3))):
        with pytest.raises(ValueError, match=r"k has shape .*; allowed: \(..., 2\)"):
            dispersion(SHEET, k)
    for k in (0.1, [[0.1, 0.2]]):
        with pytest.raises(ValueError, match=r"k has shape .*; allowed: \(..., 3\)"):
            polarisations(SOLID, k)
    for crystal in (PINNED, 3):
        with pytest.raises(ValueError, match=r"crystal = .*; allowed: a Crystal"):
            polarisations(crystal)
    with pytest.raises(ValueError, match=r"q has shape \(3, 8\); allowed: \(..., \*\(2, 8\)\)"):
        mode_energy(PLANE, np.ones((3, 8)), np.ones((3, 8)))
    with pytest.raises(ValueError, match=r"psi has shape \(8,\); allowed: \(..., 2, 8\)"):
        phase_space(PLANE, np.ones(8))
    for psi in (np.ones(4), np.ones((6, 4))):
        with pytest.raises(ValueError, match=r"psi has shape .*; allowed: \(..., 4, 6\)"):
            phase_space(SHEET, psi)
    for W in (np.ones(12), np.ones((3, 4, 6)), -np.ones((4, 6))):
        with pytest.raises(ValueError, match=r"spectrum of shape .*; allowed: .* \(4, 6\) or \(2, 4, 6\)"):
            random_phases(SHEET, W, 1, rng=1)
    with pytest.raises(ValueError, match=r"p has shape \(5,\); allowed: \(\.\.\., 4\)"):
        wave_field(Chain(4), np.zeros(4), np.zeros(5))


def test_group_velocity_where_the_edge_of_the_zone_is_soft():
    """χ < 0 and a pin with ω(½) = 0."""
    soft = Chain(12, Bond(chi=-0.25), Pin(chi=1.0))
    assert group_velocity(soft, 0.5) == 0
    assert np.isfinite(group_velocity(soft, wave_numbers(12))).all()


def test_what_is_beyond_the_floats_is_refused():
    """And not returned as an infinity, with a warning."""
    big = np.full(12, 1e308)
    for call in (wave_field, mode_energy, wave_action):
        with pytest.raises(ValueError, match=r"q = .*; allowed: smaller numbers"):
            call(UNPINNED, big, big)
    with pytest.raises(ValueError, match=r"f = .*: fourier is beyond the floats"):
        fourier(big)
    with pytest.raises(ValueError, match=r"chain = .*beyond the floats"):
        normal_modes(Chain(4, Bond(chi=1e308)))
    with pytest.raises(ValueError, match=r"f = .*; allowed: an array of numbers"):
        fourier(["1", "2"])
