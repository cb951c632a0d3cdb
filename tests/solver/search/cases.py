"""Random problems for the search: any rule may be hard, soft or off, and any start timetable may be broken."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from solver.compiled import Compiled, Ints, compile_dataset, encode
from solver.model import Dataset, RuleSetting
from solver.rules import RULE_IDS
from tests.builders import random_dataset, random_timetable


class Case(NamedTuple):
    """A dataset, its arrays and a random timetable of it."""

    dataset: Dataset
    compiled: Compiled
    slots: Ints
    rooms: Ints


def random_case(rng: Random) -> Case:
    data = random_dataset(rng, rng.randint(1, 8))
    tiers = rng.choice([("soft",), ("hard", "soft", "off", None), (None,)])
    rules = {rule_id: RuleSetting(tier=rng.choice(tiers)) for rule_id in RULE_IDS}
    data = replace(data, rules=rules)
    compiled = compile_dataset(data)
    return Case(data, compiled, *encode(random_timetable(data, rng), data))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    return random_case(Random(draw(st.integers(0, 2**32 - 1))))


def nothing_placed(compiled: Compiled) -> tuple[Ints, Ints]:
    unplaced = np.full(compiled.num_sessions, -1, dtype=np.int32)
    return unplaced, unplaced.copy()
