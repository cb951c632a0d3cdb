"""
What one search charges per unit of each rule, in two halves of one number.

Every cost in the kernels is a *packed* 64-bit number: the lower 32 bits hold the cost that annealing sees, the upper
ones the *hard* part: how far the timetable is from one that may be published, in its own units (see `weights_of`).
One addition sums both, so a move knows at no extra cost whether it repairs or breaks something. All packed values of
one move must stay below 2^31 in each half; weights and counts are cut to keep that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solver.compiled import TIER_BENDABLE, TIER_OFF, TIER_RIGID, TIER_SOFT, Compiled
from solver.rules import ON_TOP_OF, RULE_IDS
from solver.search.jit import Longs
from solver.search.params import SearchParams

HARD = 1 << 32
"""One hard unit in a packed cost."""
MAX_WEIGHT = 1 << 16
MAX_CELL = 1 << 24
RIGID_UNITS = 1 << 12
"""Hard units of one broken rigid unit; a bent unit counts its price."""


class Weights(NamedTuple):
    """``(rules,)`` cost and hard units per counted unit, in the order of `RULES`."""

    cost: Longs
    hard: Longs

    def of(self, rule_id: str) -> int:
        """The packed weight of a rule."""
        k = RULE_IDS.index(rule_id)
        return int(self.cost[k]) + HARD * int(self.hard[k])

    def total(self, counts: dict[str, int]) -> tuple[int, int]:
        """(cost, hard part) of whole counts."""
        units = np.array([counts[rule_id] for rule_id in RULE_IDS], dtype=np.int64)
        return int(self.cost @ units), int(self.hard @ units)


def soft_unit(compiled: Compiled) -> float:
    """The typical weight of a soft rule that is on: the lower median, at least 1."""
    weights = np.sort(compiled.rule_weight[(compiled.rule_tier == TIER_SOFT) & (compiled.rule_weight > 0)])
    return float(max(1, weights[(len(weights) - 1) // 2])) if len(weights) else 1.0


def weights_of(compiled: Compiled, params: SearchParams, escalation: float = 1.0) -> Weights:
    """
    What a search charges per unit.

    Soft rules cost their weight, or nothing when only hard ones count. A rigid unit costs the hard weight times
    `escalation` and `RIGID_UNITS` hard units. A bent unit costs as much as a rigid one, or in proportion to its price
    when rules may be bent, and has its price in hard units. A rule that comes on top of another one only says which of
    its breaches to prefer, so it costs nothing while none of them is wanted.
    """
    tier, price = compiled.rule_tier, compiled.rule_weight.astype(np.int64)
    hard_cost = params.hard_weight * soft_unit(compiled) * escalation
    bendable = tier == TIER_BENDABLE
    dearest = max(1, int(price[bendable].max(initial=1)))
    bent_cost = np.maximum(1, np.ceil(hard_cost * price / dearest)) if params.bend else np.full(len(tier), hard_cost)
    cost = np.select(
        [tier == TIER_SOFT, tier == TIER_RIGID, bendable], [price, np.full(len(tier), hard_cost), bent_cost]
    )
    hard = np.select([tier == TIER_RIGID, bendable], [np.full(len(tier), RIGID_UNITS), np.minimum(price, RIGID_UNITS)])
    cost[tier == TIER_OFF] = 0
    if not params.bend:
        for name, base in ON_TOP_OF.items():
            k = RULE_IDS.index(name)
            if tier[k] == TIER_BENDABLE and tier[RULE_IDS.index(base)] >= TIER_BENDABLE:
                cost[k] = hard[k] = 0
    if params.hard_only:
        cost[tier == TIER_SOFT] = 0
    return Weights(np.minimum(np.ceil(cost), MAX_WEIGHT).astype(np.int64), hard.astype(np.int64))


def publishable(compiled: Compiled, weights: Weights, *, keep_bent: bool) -> Weights:
    """
    The same weights, but hard units only for what must not be in a timetable; bent rules count unless `keep_bent`.
    """
    bent = np.zeros_like(weights.hard) if keep_bent else np.maximum(1, weights.hard)
    return weights._replace(hard=np.where(compiled.rule_tier == TIER_BENDABLE, bent, weights.hard))
