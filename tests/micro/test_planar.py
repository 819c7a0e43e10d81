"""The chain in a plane: its kernel against the twin."""

import numpy as np
import pytest

from lattice._kernels.planar import march
from lattice.micro._splitting import SCHEMES
from tests import naive


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("n", "steps"), [(3, 0), (4, 1), (35, 7)])
def test_kernel_against_the_naive_twin(scheme, n, steps):
    """Springs that start far from rest, some of them turned round."""
    start, law = np.random.default_rng(1).normal(size=(2, 3, 2, n)), (1.7, 0.6, 0.3, 0.2)
    q, p = (np.pad(values, ((0, 0), (0, 0), (1, 1))) for values in start)
    kicks, drifts = np.array(SCHEMES[scheme].kicks), np.array(SCHEMES[scheme].drifts)
    march(q, p, kicks, drifts, steps, 0.05, *law)
    for i in range(3):
        slow_q, slow_p = start[:, i].tolist()
        naive.planar_evolve(slow_q, slow_p, steps, 0.05, kicks, drifts, law[0], law[1], law[2:])
        np.testing.assert_allclose(q[i, :, 1:-1], slow_q, rtol=0, atol=1e-11)
        np.testing.assert_allclose(p[i, :, 1:-1], slow_p, rtol=0, atol=1e-11)
