"""Draw the figure of the README, `book/_static/readme-figure.svg`: python -m book.data.readme_figure."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import lattice as lk
from lattice import figures, micro


def main() -> None:
    """Simulate a wave packet and draw its energy with the two velocities."""
    figures.use_style()
    ring = lk.Chain(400, lk.Bond(chi=1.0), lk.Pin(chi=0.5))
    k0, centre = 0.1, 100.0
    y = np.arange(ring.n) - centre
    wave = np.exp(-(y**2) / 392 + 2j * np.pi * k0 * y)
    omega = lk.dispersion(ring)
    start = lk.State(wave.real, lk.inverse_fourier(-1j * omega * lk.fourier(wave)).real)
    times = np.linspace(0, 300, 151)
    run = micro.evolve(ring, start, times, dt=0.05)
    energy = lk.site_energy(ring, run.q, run.p)[:, 0]

    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    ax.pcolormesh(np.arange(ring.n), times, energy, cmap="Greys", rasterized=True)
    ax.plot(centre + lk.group_velocity(ring, k0) * times, times, label="group velocity")
    phase = lk.dispersion(ring, k0) / (2 * np.pi * k0)
    ax.plot(centre + phase * times, times, "--", label="phase velocity")
    ax.set(xlabel="site", ylabel="time", xlim=(0, ring.n - 1), ylim=(0, times[-1]))
    ax.legend(loc="upper left")
    target = Path(__file__).parents[1] / "_static" / "readme-figure.svg"
    fig.savefig(target, facecolor="white", dpi=150, metadata={"Date": None})


if __name__ == "__main__":
    main()
