"""The noises as particles see them: all that this storey knows of any of them.

A noise that is new here needs an `Action`, and its operations in the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._check import instance
from .._kernels import noise as kernel
from .._kernels.operations import Own
from ..chain import Chain
from ..noise import Noise, StretchFlip, ThreeSiteRotation, VelocityExchange, VelocityFlip

__all__ = ["Action", "action_of"]

Row = tuple[Callable, float]  # an operation and its number
_FLIP = np.array([[-2.0]])
_EXCHANGE = np.array([[-1.0, 1.0], [1.0, -1.0]])
_TURN = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Action:
    r"""What a noise does.

    Attributes
    ----------
    decay : float
        Of the mean momentum or stretch that fades fastest, in units of the rate of the noise.
    mean, kick, weight, parts
        The exact action on moments, see `_closure`, in integers: the matrices m and k are rate/parts × mean
        and :math:`\sqrt{}` (rate/parts × weight) × kick.
    store : callable
        ``store(replicas, n)`` makes what its operations keep.
    rows : callable
        ``rows(rate, duration, fresh)`` are the operations that let it act for a time; `fresh` says that
        the last time was another.
    mends : bool
        Whether the last row may as well follow a whole kick with a drift, of a duration that is its number.
    on_stretches : bool
        Whether it changes the stretches and not the momenta.
    """

    decay: float
    mean: NDArray[np.float64]
    kick: NDArray[np.float64]
    store: Callable[[int, int], Own]
    rows: Callable[[float, float, bool], list[Row]]
    weight: int = 1
    parts: int = 1
    mends: bool = False
    on_stretches: bool = False

    @property
    def keeps_momentum(self) -> bool:
        """Whether the total momentum stays."""
        return self.on_stretches or not self.mean.sum(axis=0).any()


def _trials(act: Callable, *after: Row) -> Callable[[float, float, bool], list[Row]]:
    """Rows of a noise of successes and gaps."""

    def rows(rate: float, duration: float, fresh: bool) -> list[Row]:
        inverse = kernel.inverse_hazard(rate, duration)
        return [(kernel.draw_gaps, inverse)] * fresh + [(act, inverse), *after]

    return rows


def _turns(rate: float, duration: float, fresh: bool) -> list[Row]:
    return [(kernel.rotate, math.sqrt(rate * duration) * (2 / math.pi))]


_ACTIONS = {
    VelocityFlip: Action(
        decay=2.0,
        mean=_FLIP,
        kick=_FLIP,
        store=kernel.trials,
        rows=_trials(kernel.find_flips, (kernel.mend_flips, 0.0)),
        mends=True,
    ),
    StretchFlip: Action(
        decay=2.0,
        mean=_FLIP,
        kick=_FLIP,
        store=kernel.trials,
        rows=_trials(kernel.flip_stretches),
        on_stretches=True,
    ),
    VelocityExchange: Action(
        decay=4.0,
        mean=_EXCHANGE,
        kick=_EXCHANGE,
        store=kernel.trials,
        rows=_trials(kernel.exchange),
    ),
    ThreeSiteRotation: Action(
        decay=1.5,
        mean=_TURN @ _TURN,
        kick=_TURN,
        weight=2,
        parts=6,
        store=kernel.turns,
        rows=_turns,
    ),
}


def action_of(chain: Chain, noise: Noise | None) -> Action | None:
    """What a noise does to a chain; None if there is none.

    Raises
    ------
    ValueError
        If `noise` is something else, or the chain is too short for it.
    """
    if noise is None:
        return None
    kinds = tuple(_ACTIONS)
    instance("noise", noise, kinds, f"None or one of {', '.join(kind.__name__ for kind in kinds)}")
    action = _ACTIONS[type(noise)]
    if len(action.mean) > chain.n:
        raise ValueError(f"n = {chain.n} with {type(noise).__name__}; allowed: at least {len(action.mean)}")
    return action


def moving(chain: Chain, noise: Noise | None) -> Action | None:
    """The same for a chain that is to move: a noise on the stretches must leave the energy alone.

    Raises
    ------
    ValueError
        If it would not.
    """
    action = action_of(chain, noise)
    if action is None or not action.on_stretches:
        return action
    name = type(noise).__name__
    if "free" not in chain.ends:
        raise ValueError(
            f"boundary = {chain.boundary!r} with {name}, which changes the length; "
            "allowed: a chain with a free end"
        )
    if not chain.pin.is_zero:
        raise ValueError(f"pin = {chain.pin!r} with {name}, which moves all sites; allowed: no pin")
    if np.any(chain.bond.alpha):
        raise ValueError(f"bond.alpha = {chain.bond.alpha!r} with {name}; allowed: 0, so that V is even")
    return action
