"""Basile, Olla and Spohn, section 5: crystals in two and three dimensions.

The noise is rebuilt here from eq. (48), as matrices with integer entries, one for each pair of neighbours and
each plane, and second moments follow from these matrices.  `kinetic.noisy` is the other side.
"""

from functools import cache
from itertools import combinations

import numpy as np
import scipy.linalg

from lattice import PairRotation
from lattice.kinetic import noisy


def bonds(shape):
    """Pairs (y, z) of neighbours of a torus, each once, as flat indices."""
    sites = np.arange(np.prod(shape)).reshape(shape)
    first = np.tile(sites.ravel(), len(shape))
    return first, np.concatenate([np.roll(sites, -1, axis=i).ravel() for i in range(len(shape))])


def turner(d, n, y, z, i, j):
    """X^{ij} of the pair (y, z) as an integer matrix: X acts on p, components first, as p ↦ M p."""
    m = np.zeros((d, n, d, n), dtype=int)
    for to, source, sign in ((i, j, 1), (j, i, -1)):
        for site, side in ((z, 1), (y, -1)):
            m[to, site, source, z] += sign * side
            m[to, site, source, y] -= sign * side
    return m.reshape(d * n, d * n)


def turners(shape):
    """All of them with i < j."""
    d, n = len(shape), int(np.prod(shape))
    pairs = zip(*bonds(shape), strict=True)
    return [turner(d, n, y, z, i, j) for y, z in pairs for i, j in combinations(range(d), 2)]


@cache
def laplacian(shape):
    """Δ on each component."""
    n = int(np.prod(shape))
    delta = np.zeros((n, n), dtype=int)
    for y, z in zip(*bonds(shape), strict=True):
        delta[[y, z], [y, z]] -= 1
        delta[[y, z], [z, y]] += 1
    return np.kron(np.eye(len(shape), dtype=int), delta)


def test_bos_48_generator(claim, record):
    for shape in ((4, 3), (3, 3, 3)):
        d, n = len(shape), int(np.prod(shape))
        fields = turners(shape)
        total = np.kron(np.eye(d, dtype=int), np.ones(n, dtype=int))
        for m in fields:
            assert not (total @ m).any()  # X Σp = 0
            assert not (m + m.T).any()  # X Σp² = 0, so that S keeps every function of both
        squares = sum(m @ m for m in fields)
        # Σ over i, j has each plane twice; the first form sums over bonds, the second over ordered pairs
        first = 2 * squares / (2 * (d - 1))
        ordered = 0
        for y, z in zip(*bonds(shape), strict=True):
            for a, b in ((y, z), (z, y)):
                planes = [(i, j) for i in range(d) for j in range(d) if i != j]
                ordered = ordered + sum(
                    np.linalg.matrix_power(turner(d, n, a, b, i, j), 2) for i, j in planes
                )
        claim.agrees(first, ordered / (4 * (d - 1)), rtol=1e-14)
        claim.agrees(first, 2 * laplacian(shape), rtol=1e-14)
        claim.refutes(first, laplacian(shape), rtol=0.4)
    # one pair: the relative momentum turns by twice the parameter of the flow
    pair = turner(2, 2, 0, 1, 0, 1)
    p = scipy.linalg.expm(0.3 * pair) @ np.array([-0.5, 0.5, 0.0, 0.0])  # u = (1, 0)
    u = p[[1, 3]] - p[[0, 2]]
    claim.agrees(u, np.array([np.cos(0.6), -np.sin(0.6)]), rtol=1e-13)
    claim.refutes(u, np.array([np.cos(0.3), -np.sin(0.3)]), rtol=0.1)
    record("bos-48/angular-speed", -np.arctan2(u[1], u[0]) / 0.3, method="flow of X of one pair, d = 2")


@cache
def noise_columns(shape):
    """Integers N of the noise of (49): dp_r = a/√(d - 1) Σ N[r, w, s] p_s dw, axes (r, bond, i, j, s).

    Filled by the sums as printed: for each site y over its neighbours z and all i, j, with w_{y,z} = w_{z,y}.
    """
    d, n = len(shape), int(np.prod(shape))
    number = {frozenset(pair): b for b, pair in enumerate(zip(*bonds(shape), strict=True))}
    out = np.zeros((d, n, len(number), d, d, d, n), dtype=np.int8)
    for pair, bond in number.items():
        for y, z in (tuple(pair), tuple(pair)[::-1]):
            for i, j in np.ndindex(d, d):
                # X^{ij} p_y: component i is -(p_z^j - p_y^j), component j is p_z^i - p_y^i
                for to, source, sign in ((i, j, -1), (j, i, 1)):
                    out[to, y, bond, i, j, source, z] += sign
                    out[to, y, bond, i, j, source, y] -= sign
    return out.reshape(d * n, len(number), d, d, d * n)


def gain(shape, amplitude, reading):
    """Form of the rate at which the noise term of (49) raises Σp²/2, at εγ = 1: half its squares."""
    d, columns = len(shape), noise_columns(shape)
    if reading != "independent":  # one process for (i, j) and (j, i), i < j
        sign = {"antisymmetric": -1, "symmetric": 1}[reading]
        columns = columns + sign * columns.transpose(0, 1, 3, 2, 4)
        columns = columns[:, :, *np.triu_indices(d, 1)]
    flat = columns.reshape(-1, columns.shape[-1]).astype(float)
    return amplitude**2 / (d - 1) * (flat.T @ flat) / 2


def test_bos_49_energy(claim, record):
    back = {}
    for shape in ((4, 3), (3, 3, 3)):
        d = len(shape)
        drift = 2 * laplacian(shape)  # of (49); its form is that of the rate of Σp²/2
        by_site = noise_columns(shape).reshape(d, -1, *noise_columns(shape).shape[1:])
        assert not by_site.sum(axis=1).any()  # the noise keeps momentum
        claim.agrees(gain(shape, 1.0, "independent"), -drift, rtol=1e-13)
        claim.agrees(gain(shape, np.sqrt(0.5), "antisymmetric"), -drift, rtol=1e-13)
        for reading in ("independent", "antisymmetric", "symmetric"):
            printed = gain(shape, 0.5, reading)
            claim.refutes(printed, -drift, rtol=0.4)
            back[d, reading] = -np.trace(printed) / np.trace(drift)
        # white momenta, relative rate of Σp²: the loss with the print, and the heating of Euler-Maruyama
        loss = 2 * np.trace(drift + gain(shape, 0.5, "independent")) / len(drift)
        claim.agrees(loss, -6.0 * d, rtol=1e-12)
    claim.agrees([back[2, "independent"], back[2, "antisymmetric"]], [0.25, 0.5])
    claim.agrees([back[3, "independent"], back[3, "antisymmetric"]], [0.25, 0.5])
    # a torus of 5 sites: Δ does not reach round it
    heating = [np.mean(np.sum((2 * laplacian((5,) * d)) ** 2, axis=1)) for d in (2, 3)]
    claim.agrees(heating, [80.0, 168.0], rtol=1e-12)
    record(
        "bos-49/put-back",
        [back[2, "independent"], back[2, "antisymmetric"]],
        method="energy put back by the printed noise over that taken by the drift; w^{ij}, w^{ji} as named",
    )
    record(
        "bos-49/heating", heating, method="rate over γ²h of the Euler step, d = 2, 3: ΣΔ² of white momenta"
    )


def test_bos_52_wave_field(claim):
    for shape in ((4, 3), (3, 3, 3)):
        d, n = len(shape), int(np.prod(shape))
        rng, axes = np.random.default_rng(52), tuple(range(1, d + 1))
        omega = np.sqrt(0.7 + 4 * np.sum(np.sin(np.pi * vectors(shape)) ** 2, axis=-1)).reshape(shape)
        q, p = rng.normal(size=(2, d * n))
        waves = omega * np.fft.fftn(q.reshape(d, *shape), axes=axes)
        psi = (np.fft.ifftn(waves, axes=axes).real.ravel() + 1j * p) / np.sqrt(2)
        momentum = psi - psi.conj()
        delta = laplacian(shape)
        drift = 1j / np.sqrt(2) * 2 * delta @ p  # of dψ, from that of (49)
        claim.agrees(0.5 * 2 * delta @ momentum, drift)
        claim.refutes(0.5 * delta @ momentum, drift, rtol=0.4)
        # (26), ∫R = -β̂, in d dimensions
        k, f = vectors(shape), fourier(shape)
        lost = printed_kernel(k[:, None], k).mean(axis=1)
        symbol = np.einsum("kx,xy,ky->k", f, delta[:n, :n], f.conj()).real / n
        claim.agrees(lost, -2 * symbol, rtol=1e-12)
        claim.refutes(lost[1:], -symbol[1:], rtol=0.4)
        # squares of the noise of ψ over all bonds and ordered pairs, against what the drift takes
        columns = noise_columns(shape) @ momentum
        needed = -2 * (psi.conj() @ drift).real
        claim.agrees(0.25 / (d - 1) * np.sum(np.abs(columns) ** 2), needed, rtol=1e-12)
        claim.refutes(0.0625 / (d - 1) * np.sum(np.abs(columns) ** 2), needed, rtol=0.5)


def noise_rate(pp, shape, first, second):
    """Rate of ⟨p pᵀ⟩ under S.

    A turn of u adds ±K to the four blocks of a pair, K = 2/(d - 1) (tr U - U) with U = ⟨u uᵀ⟩.
    """
    d, n = len(shape), int(np.prod(shape))
    drift = 2 * laplacian(shape)
    c = pp.reshape(d, n, d, n)
    u = (
        c[:, second, :, second] - c[:, second, :, first] - c[:, first, :, second] + c[:, first, :, first]
    )  # (bond, d, d)
    kick = 2 / (d - 1) * (np.trace(u, axis1=1, axis2=2)[:, None, None] * np.eye(d) - u)
    out = np.zeros((d, n, d, n))
    for i, j in np.ndindex(d, d):
        for a, b, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
            flat = np.bincount(n * a + b, sign * kick[:, i, j], minlength=n * n)
            out[i, :, j, :] += flat.reshape(n, n)
    return drift @ pp + pp @ drift + out.reshape(d * n, d * n)


def vectors(shape):
    return np.stack(np.meshgrid(*(np.arange(m) / m for m in shape), indexing="ij"), axis=-1).reshape(
        -1, len(shape)
    )


def fourier(shape):
    """Rows e^{-2πik·y}."""
    places = np.stack(np.indices(shape), axis=-1).reshape(-1, len(shape))
    return np.exp(-2j * np.pi * vectors(shape) @ places.T)


def printed_kernel(k, k_prime):
    """Eq. (60)."""
    return 16 * np.sum(np.sin(np.pi * k) ** 2 * np.sin(np.pi * k_prime) ** 2, axis=-1)


def scattering(shape, mode):
    """Rates of ⟨|p̂_i(k)|²⟩ and their start, one wave of polarisation 1, from the matrices of (48)."""
    d, n, f = len(shape), int(np.prod(shape)), fourier(shape)
    pp = np.zeros((d, n, d, n))
    pp[0, :, 0, :] = np.outer(f[mode], f[mode].conj()).real  # the waves k' and -k', ∫ P = 1
    pp, drift = pp.reshape(d * n, d * n), 2 * laplacian(shape)
    # X² acts on a product as X²f g + 2 Xf Xg + f X²g
    rate = drift @ pp + pp @ drift + 2 / (d - 1) * sum(m @ pp @ m.T for m in turners(shape))
    spectra = [
        np.stack([np.einsum("kx,xy,ky->k", f, c[i, :, i], f.conj()).real / n for i in range(d)])
        for c in (rate.reshape(d, n, d, n), pp.reshape(d, n, d, n))
    ]
    return pp, rate, *spectra


def test_bos_60_kernel(claim, record):
    """Scattering of one wave of one polarisation into all others, from the matrices of (48)."""
    for shape in ((4, 3), (3, 3, 3)):
        d, n = len(shape), int(np.prod(shape))
        k = vectors(shape)
        for mode in (1, n // 2, n - 2):
            pp, rate, spectrum, start = scattering(shape, mode)
            claim.agrees(noise_rate(pp, shape, *bonds(shape)), rate, rtol=1e-12)
            into_others = printed_kernel(k, k[mode])  # ∫ R P dk' with ∫ P = 1
            phi = 8 * np.sum(np.sin(np.pi * k) ** 2, axis=-1)
            # (62), and nothing comes back: all others are 0
            claim.agrees(spectrum[0], -2 * phi * start[0], rtol=1e-12, floor=1e-2)
            for i in range(1, d):
                # (59) with (60), 0 at k = 0
                claim.agrees(spectrum[i], 2 / (d - 1) * into_others, rtol=1e-12, floor=1e-2)
                claim.refutes(spectrum[i], 2 / d * into_others, rtol=0.2)
        claim.agrees(noisy.kernel(PairRotation(1.0), k[:, None], k), printed_kernel(k[:, None], k))
        claim.agrees(printed_kernel(k[:, None], k).mean(axis=1), phi)  # what is lost is gained
        claim.agrees(noisy.rate(PairRotation(1.0), k), phi)
        claim.agrees(float(np.linalg.matrix_rank(printed_kernel(k[:, None], k))), d)
    # k' = (1/4, 1/4) and k = (1/4, 1/2) on a torus of 4 × 4 sites
    _, _, spectrum, _ = scattering((4, 4), 5)
    record("bos-60/kernel", spectrum[1, 6] / 2, method="R at k = (1/4, 1/2), k' = (1/4, 1/4), from (48)")
    _, _, spectrum, start = scattering((4, 4), 6)
    record("bos-62/rate", -spectrum[0, 6] / start[0, 6] / 2, method="φ at k = (1/4, 1/2), from (48)")


def springs(shape, pin):
    """ω² as a matrix on the sites, χ = 1."""
    n = int(np.prod(shape))
    return pin * np.eye(n) - laplacian(shape)[:n, :n]


def motion(shape, pin):
    """d(q, p)/dt = A (q, p)."""
    size = len(shape) * int(np.prod(shape))
    force = np.kron(np.eye(len(shape)), springs(shape, pin))
    return np.block([[np.zeros((size, size)), np.eye(size)], [-force, np.zeros((size, size))]])


def follow(covariance, shape, pin, strength, duration, step):
    """Second moments under springs and noise: exact flights, noise by Runge and Kutta, split in halves."""
    size = len(shape) * int(np.prod(shape))
    pairs = bonds(shape)
    flight = scipy.linalg.expm(motion(shape, pin) * step)
    half = scipy.linalg.expm(motion(shape, pin) * step / 2)
    drift = 2 * laplacian(shape)
    damp = scipy.linalg.expm(strength * step * drift)
    c = half @ covariance @ half.T
    count = round(duration / step)
    for i in range(count):
        pp = c[size:, size:]
        slopes, now = [], pp
        for weight in (0.5, 0.5, 1.0, None):
            slopes.append(strength * noise_rate(now, shape, *pairs))
            if weight:
                now = pp + weight * step * slopes[-1]
        c = c.copy()
        c[size:, size:] = pp + step / 6 * (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3])
        c[:size, size:] = c[:size, size:] @ damp
        c[size:, :size] = damp @ c[size:, :size]
        last = half if i == count - 1 else flight
        c = last @ c @ last.T
    return c


def state(shape, pin, spectra, profile):
    """Covariances of (q, p) for ⟨ψψ*⟩ = profile(x) · F⁻¹W F, made Hermitian, and ⟨ψψ⟩ = 0."""
    d, n = len(shape), int(np.prod(shape))
    f = fourier(shape)
    root = scipy.linalg.sqrtm(springs(shape, pin)).real
    back = np.linalg.inv(root)
    blocks = np.zeros((2, d, n, 2, d, n))
    for i in range(d):
        g = f.conj().T @ np.diag(spectra[i]) @ f / n  # ⟨ψ(x) ψ(y)*⟩
        g = (profile[:, None] + profile) / 2 * g
        # ψ = (a + ib)/√2 with a = root q: ⟨aa⟩ = ⟨bb⟩ = Re g, ⟨a b⟩ = -Im g
        blocks[0, i, :, 0, i] = back @ g.real @ back
        blocks[1, i, :, 1, i] = g.real
        blocks[0, i, :, 1, i] = -back @ g.imag
        blocks[1, i, :, 0, i] = (-back @ g.imag).T
    return blocks.reshape(2 * d * n, 2 * d * n)


def field_energies(covariance, shape, pin):
    """⟨|ψ_i(x)|²⟩, (d, n)."""
    d, n = len(shape), int(np.prod(shape))
    blocks = covariance.reshape(2, d, n, 2, d, n)
    root = scipy.linalg.sqrtm(springs(shape, pin)).real
    return np.stack(
        [np.diag(root @ blocks[0, i, :, 0, i] @ root + blocks[1, i, :, 1, i]) / 2 for i in range(d)]
    )


def boltzmann(shape, pin, spectra, q, time, transport=1.0, collisions=1.0):
    """(61) for W_i(x, k) = w_i(k) e^{2πiqx} along direction 1, γ = 1, d = 2; space in units of 1/ε."""
    k = vectors(shape)
    n = len(k)
    omega = np.sqrt(pin + 4 * np.sum(np.sin(np.pi * k) ** 2, axis=-1))
    v = np.sin(2 * np.pi * k[:, 0]) / omega
    phi = 8 * np.sum(np.sin(np.pi * k) ** 2, axis=-1)
    kernel = printed_kernel(k[:, None], k) / n
    local = -transport * 2j * np.pi * q * v - collisions * phi
    generator = np.block([[np.diag(local), collisions * kernel], [collisions * kernel, np.diag(local)]])
    return (scipy.linalg.expm(time * generator) @ np.concatenate(spectra)).reshape(2, n)


def test_bos_58_bracket(claim, record):
    """A homogeneous state: the collisions have no factor 1/2π."""
    shape, pin, strength, time = (4, 3), 1.0, 0.005, 0.1
    k = vectors(shape)
    spectra = np.stack([2 * np.sin(np.pi * k[:, 0]) ** 2, 0 * k[:, 0]])
    start = state(shape, pin, spectra, np.ones(12))
    late = follow(start, shape, pin, strength, time / strength, 0.1)
    energies = field_energies(late, shape, pin).mean(axis=1)
    right = boltzmann(shape, pin, spectra, 0.0, time).real.mean(axis=1)
    printed = boltzmann(shape, pin, spectra, 0.0, time, collisions=1 / (2 * np.pi)).real.mean(axis=1)
    claim.agrees(energies, right, rtol=2e-3)
    claim.refutes(energies, printed, rtol=0.2)
    record("bos-58/share", energies[1] / energies.sum(), method="energy share of polarisation 2 at γt = 0.1")


def test_bos_61_transport_and_collisions(claim, record):
    """A long wave of energy from second moments of the particles: half of ε, a quarter of the error."""
    pin, time, errors = 1.0, 0.2, []
    for length, strength in ((8, 0.04), (16, 0.02)):  # the length is fixed in units of 1/ε
        shape, q = (length, 4), 1 / length
        k = vectors(shape)
        spectra = np.stack([1 + 0.9 * np.sin(2 * np.pi * k[:, 0]), np.zeros(len(k))])
        wave = np.exp(-2j * np.pi * q * np.repeat(np.arange(length), 4))
        start = state(shape, pin, spectra, 1 + wave.real)
        late = follow(start, shape, pin, strength, time / strength, 0.2)
        measured = 2 * (field_energies(late, shape, pin) @ wave) / len(k)
        limit = boltzmann(shape, pin, spectra, q / strength, time).mean(axis=1)
        errors.append(np.abs(measured - limit).max())
    claim.agrees(measured, limit, rtol=0.04)
    claim.holds(lambda ratio: 3.2 < ratio < 4.4, errors[0] / errors[1])
    for wrong in ({"collisions": 1 / (2 * np.pi)}, {"transport": 2 * np.pi}, {"transport": -1}):
        other = boltzmann(shape, pin, spectra, q / strength, time, **wrong).mean(axis=1)
        claim.refutes(measured, other, rtol=0.1)
    record(
        "bos-61/error",
        errors,
        method="deviation of a long wave of energy from (61) at γt = 0.2, ε = 0.04 and 0.02, εL fixed",
    )


def test_bos_72_in_more_dimensions(claim, record):
    """C(t)/T² at any strength, from the answer of second moments to a small current."""
    found = []
    for shape, pin in (((5, 4), 0.0), ((5, 4), 1.0), ((3, 3, 3), 1.0)):
        d, n = len(shape), int(np.prod(shape))
        first, second = (side[:n] for side in bonds(shape))  # those along direction 1
        current = np.zeros((n, n))  # J = pᵀ B q for each component
        for y, z in zip(first, second, strict=True):
            current[[y, z], z] -= 0.5
            current[[y, z], y] += 0.5
        both = np.kron(np.eye(d), current)
        stiff = np.kron(np.eye(d), springs(shape, pin))
        qq, rest = np.linalg.pinv(stiff), np.eye(d * n)
        if pin == 0:
            rest -= np.kron(np.eye(d), np.full((n, n), 1 / n))
        # ⟨q pᵀ J⟩ in equilibrium at T = 1, over n: what evolves into C(t)
        start = np.zeros((2 * d * n, 2 * d * n))
        start[: d * n, d * n :] = qq @ both.T @ rest / n
        start[d * n :, : d * n] = start[: d * n, d * n :].T
        k = vectors(shape)
        s = np.sin(np.pi * k) ** 2
        omega = np.sqrt(pin + 4 * s.sum(axis=1))
        v = np.divide(np.sin(2 * np.pi * k[:, 0]), omega, out=np.zeros(n), where=omega > 0)
        for strength in (0.2, 3.0):
            late = follow(start, shape, pin, strength, 0.5, 0.02)
            response = np.sum(both * late[d * n :, : d * n])
            exact = d * np.mean(v**2 * np.exp(-0.5 * strength * 8 * s.sum(axis=1)))
            claim.agrees(response, exact, rtol=2e-3)  # of second order in the step
            claim.refutes(response, d * np.mean(v**2), rtol=0.2)
            claim.refutes(response, np.mean(v**2 * np.exp(-4 * strength * s.sum(axis=1))), rtol=0.2)
        found.append(response)
    record(
        "bos-72-lattice/correlation",
        found,
        method="C/T² at γ = 3, t = 1/2 from second moments: 5 × 4 sites (ω₀² = 0 and 1), 3 × 3 × 3 (1)",
    )
