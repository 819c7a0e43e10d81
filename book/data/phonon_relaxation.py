"""Relax a pinned quartic chain at four strengths: python -m book.data.phonon_relaxation.

Writes `phonon_relaxation.json`: mean energy per mode in bands of wave numbers, with standard errors, beside
the seed, the numbers that were put in and a hash of this script.  Some minutes on one core.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np

import lattice as lk
from lattice import micro

N = 512  # beads of the ring
PIN = 1.0  # A, the renormalised pin ω₀² + 3λ⟨q²⟩
BANDS = 16  # of k in [0, 1)
TAU = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # λ²t
REPLICAS = {0.2: 256, 0.1: 256, 0.05: 160, 0.025: 128}  # of each λ
SEED = 4212
TARGET = Path(__file__).with_suffix(".json")


def start(k):
    """The energy of each mode at the beginning."""
    return 1 + 0.8 * np.cos(4 * np.pi * k)


def bands(energies):
    """Means over neighbouring wave numbers, of arrays whose last axis is k."""
    return energies.reshape(*energies.shape[:-1], BANDS, -1).mean(axis=-1)


def relaxation(rng, strength, tau=TAU, energy=start, pin=PIN):
    """Energies of one replica, (times, bands); its modes are those of the renormalised pin."""
    modes = lk.Chain(N, pin=lk.Pin(pin))
    spectrum = energy(lk.wave_numbers(N))
    spread = np.mean(spectrum / lk.dispersion(modes) ** 2)  # ⟨q²⟩
    chain = lk.Chain(N, pin=lk.Pin(pin - 3 * strength * spread, beta=strength))
    state = lk.random_phases(modes, spectrum, 1, rng=rng)
    times = np.array(tau) / strength**2
    run = micro.evolve(chain, state, times, dt=0.2, scheme="fourth-order")
    return bands(lk.mode_energy(modes, run.q[:, 0], run.p[:, 0]))


def script_hash():
    """Of this file, so that a result can be told from one of another script."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def main() -> None:
    """Run all strengths, and write what came out."""
    found = {}
    for i, (strength, replicas) in enumerate(REPLICAS.items()):
        runs = lk.ensemble(partial(relaxation, strength=strength), replicas, rng=[SEED, i], progress=True)
        rows = {"mean": runs.mean(axis=0), "stderr": runs.std(axis=0, ddof=1) / np.sqrt(replicas)}
        found[str(strength)] = {name: row.round(7).tolist() for name, row in rows.items()}
    head = {"script": script_hash(), "seed": SEED, "tau": TAU, "replicas": list(REPLICAS.values())}
    TARGET.write_text(json.dumps({**head, "runs": found}) + "\n")


if __name__ == "__main__":
    main()
