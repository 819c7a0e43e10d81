"""Nodes on a ring of wave numbers, and what lies between them.

A wave number between two nodes counts as a share p of the one and 1 - p of the other, so that its frequency
is theirs: whatever a collision keeps of number and energy, it keeps on the nodes to round-off.  The measure
of a node is the integral of the same shares.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._check import integer

MOST_NODES = 4000
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(12)


def node_count(name: str, value: object) -> int:
    """An even number of nodes: 0 and 1/2, the edges of the band, are among them, and ω monotone between."""
    count = integer(name, value, least=4, most=MOST_NODES)
    if count % 2:
        raise ValueError(f"{name} = {count}; allowed: an even number")
    return count


def shares(
    omega: Callable[[NDArray], NDArray], k: NDArray, count: int
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """The two nodes about each wave number and their shares, shapes (..., 2)."""
    place = np.mod(k, 1.0) * count
    low = np.minimum(place.astype(np.int64), count - 1)
    ends = [omega(low / count), omega((low + 1) / count)]
    p = (omega(k) - ends[0]) / (ends[1] - ends[0])
    p = np.clip(p, 0.0, 1.0)  # beyond by rounding alone
    return np.stack([low, (low + 1) % count], axis=-1).astype(np.uint32), np.stack([1 - p, p], axis=-1)


def measure(omega: Callable[[NDArray], NDArray], count: int) -> NDArray[np.float64]:
    """The integral of the share of each node over the ring."""
    k = (np.arange(count)[:, None] + (POINTS + 1) / 2) / count
    node, share = shares(omega, k, count)
    return np.bincount(node.ravel(), (share * (WEIGHTS / 2)[:, None] / count).ravel(), minlength=count)
