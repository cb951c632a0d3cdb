"""
The only list of rules, and the only place where weights meet counts.

Every counter (verifier, search kernels, CP-SAT) returns plain counts under the ids of `RULES`; `score()` turns counts
into a `Score`. A dataset may re-tier or re-weight any rule; `profile_of()` says what holds for a dataset.

Two words decide what a broken hard rule means. A *bendable* rule has a price per unit and may be broken on the rung
`relaxed`, where every breach is listed. A hard rule that is not bendable is *rigid*: no published timetable breaks it.
A rule that a dataset makes hard although it is soft by default is bendable at its weight. A dataset may also forbid
that a rule is bent at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from solver.calendar import minutes_of
from solver.errors import InputError, Issue
from solver.model import Dataset, RuleSetting
from solver.person_rules import (
    DEFAULT_LONGEST_RUN,
    DEFAULT_LUNCH_WINDOW,
    IN_SESSIONS,
    KINDS,
    PERSON_RULE,
    Person,
    PersonRule,
    made_rules,
)
from solver.ranks import LeftOpen
from solver.terms import Tier, Unit

SLOT_PEAK_SHARE = 1.25
"""A slot is at its peak when it runs more than this many times the mean number of sessions per slot."""
SEATS_PER_WASTE_UNIT = 10
MINUTES_PER_TRAVEL_UNIT = 5
PREFERENCE_POINTS = 10
CONTEXT_POINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    `weight` is the soft cost per unit, `price` the cost per unit when bent as a hard rule, None when rigid.

    People read `name`, and what was counted as `amount` puts it: `units` are several of `unit`.

    A rule `on_top_of` an earlier one makes some of its breaches dearer: each of its units is a unit of the other rule
    too, and both are paid. Where the other one may not be bent, or is not hard, it is off unless a dataset gives it a
    tier of its own.

    A `growing` rule is broken by first sessions and mended by later ones: where it is hard, a timetable that is being
    built is judged by it at the end only.
    """

    id: str
    tier: Tier
    name: str
    unit: str
    sentence: str
    units: str = ""
    weight: int = 1
    price: int | None = None
    value: int | None = None
    on_top_of: str | None = None
    growing: bool = False

    @property
    def plural(self) -> str:
        return self.units or f"{self.unit}s"

    def amount(self, count: int) -> str:
        """What was counted, for people: "1 extra room", "5 extra rooms"."""
        return f"{count} {self.unit if count == 1 else self.plural}"


RULES: tuple[Rule, ...] = (
    # --- hard, rigid: no published timetable breaks these ------------------------------------------------------------
    Rule(
        id="faculty_clash", tier="hard", name="Teachers double-booked",
        unit="double booking of a teacher", units="double bookings of teachers",
        sentence="A teacher has at most one session at a time.",
    ),
    Rule(
        id="room_clash", tier="hard", name="Rooms double-booked",
        unit="double booking of a room", units="double bookings of rooms",
        sentence="A room holds no more sessions at a time than may share it, mostly one, and none while it is closed.",
    ),
    Rule(
        id="group_clash", tier="hard", name="Groups double-booked",
        unit="double booking of a group", units="double bookings of groups",
        sentence="A group, and each course, has at most one session at a time.",
    ),
    Rule(
        id="slot_forbidden", tier="hard", name="Permitted times",
        unit="session at a time that is not permitted", units="sessions at times that are not permitted",
        sentence="A session starts at a permitted time, ends on the same day and runs over no break that it may not.",
    ),
    Rule(
        id="fixed_moved", tier="hard", name="Fixed sessions",
        unit="moved session",
        sentence="A fixed session stays at its time and in its room.",
    ),
    # --- hard, bendable: cheapest first ------------------------------------------------------------------------------
    Rule(
        id="group_daily_limit", tier="hard", name="Groups' daily limit",
        unit="session above the limit", units="sessions above the limit",
        price=2,
        sentence="A group has no more sessions in a day than its limit.",
    ),
    Rule(
        id="course_daily_limit", tier="hard", name="Courses' daily limit",
        unit="session above the limit", units="sessions above the limit",
        price=4,
        sentence="A course has no more sessions in a day than its limit.",
    ),
    Rule(
        id="faculty_daily_limit", tier="hard", name="Teachers' daily limit",
        unit="session above the limit", units="sessions above the limit",
        price=6,
        sentence="A teacher has no more sessions in a day than their limit.",
    ),
    Rule(
        id="faculty_weekly_limit", tier="hard", name="Teachers' weekly limit",
        unit="session above the limit", units="sessions above the limit",
        price=8,
        sentence="A teacher has no more sessions in the week than their limit.",
    ),
    Rule(
        id="room_capacity", tier="hard", name="Seats for everyone",
        unit="student without a seat", units="students without a seat",
        price=1,
        sentence="A room has a seat for every expected student.",
    ),
    Rule(
        id="room_unsuitable", tier="hard", name="Suitable rooms",
        unit="session in an unsuitable room", units="sessions in unsuitable rooms",
        price=12,
        sentence="A room is of a type the course accepts, has every feature it requires and is one that it may use.",
    ),
    Rule(
        id="group_unavailable", tier="hard", name="Groups' availability",
        unit="slot outside a group's hours", units="slots outside a group's hours",
        price=16,
        sentence="A group has no session while it is unavailable.",
    ),
    Rule(
        id="faculty_unavailable", tier="hard", name="Teachers' availability",
        unit="slot outside a teacher's hours", units="slots outside a teacher's hours",
        price=18,
        sentence="A teacher has no session while unavailable.",
    ),
    Rule(
        id="link", tier="hard", name="Required links",
        unit="broken pair of sessions", units="broken pairs of sessions",
        price=20,
        sentence="Required links between sessions are kept.",
    ),
    Rule(
        id="student_clash", tier="hard", name="Student clashes",
        unit="student clash", units="student clashes",
        price=24,
        sentence="A student has at most one session at a time.",
    ),
    Rule(
        id="core_clash", tier="hard", name="Clashes of core courses",
        unit="student clash between core courses", units="student clashes between core courses",
        price=12,
        on_top_of="student_clash",
        sentence="Where students cannot avoid a clash, it is an elective that clashes rather than two core courses.",
    ),
    # --- soft --------------------------------------------------------------------------------------------------------
    Rule(
        id="faculty_preference", tier="soft", name="Teachers' preferred times",
        unit="preference point",
        sentence="Teachers who state preferences teach at the times they like.",
    ),
    Rule(
        id="time_penalty", tier="soft", name="Preferred times",
        unit="penalty point of a time",
        sentence="Sessions are held at the times that are preferred for them.",
    ),
    Rule(
        id="group_gap", tier="soft", name="Gaps in a group's day",
        unit="free slot between sessions", units="free slots between sessions",
        weight=2,
        value=0,
        sentence="A group has no free slots between sessions.",
    ),
    Rule(
        id="student_gap", tier="off", name="Gaps in a student's day",
        unit="free slot between sessions", units="free slots between sessions",
        value=0,
        sentence="A student has no free slots between sessions.",
    ),
    Rule(
        id="isolated_session", tier="off", name="Isolated sessions",
        unit="isolated slot",
        weight=2,
        growing=True,
        sentence="A group's session has another one right before or after it.",
    ),
    Rule(
        id="late_start", tier="off", name="Late starts of a group's day",
        unit="free slot before the first session", units="free slots before the first session",
        value=0,
        growing=True,
        sentence="A group's day starts with its first slot.",
    ),
    Rule(
        id="min_days", tier="soft", name="Spread over the week",
        unit="missing day",
        weight=5,
        growing=True,
        sentence="A course is spread over at least its minimum number of days.",
    ),
    Rule(
        id="room_stability", tier="soft", name="One room per course",
        unit="extra room",
        sentence="A course keeps one room.",
    ),
    Rule(
        id="room_waste", tier="soft", name="Empty seats",
        unit=f"block of {SEATS_PER_WASTE_UNIT} empty seats", units=f"blocks of {SEATS_PER_WASTE_UNIT} empty seats",
        sentence="A room is not much larger than its class.",
    ),
    Rule(
        id="room_penalty", tier="soft", name="Preferred rooms",
        unit="penalty point of a room",
        sentence="Sessions are held in the rooms that are preferred for them.",
    ),
    Rule(
        id="load_balance", tier="soft", name="Even teaching days",
        unit="session above the fair daily share", units="sessions above the fair daily share",
        weight=2,
        sentence="A teacher's sessions are spread evenly over the days on which the teacher is there.",
    ),
    Rule(
        id="slot_peak", tier="soft", name="Crowded slots",
        unit="session above the peak", units="sessions above the peak",
        sentence=f"No slot runs more than {SLOT_PEAK_SHARE} times the mean number of sessions.",
    ),
    Rule(
        id="travel", tier="soft", name="Walking between buildings",
        unit=f"block of {MINUTES_PER_TRAVEL_UNIT} minutes on foot that do not fit between two sessions",
        units=f"blocks of {MINUTES_PER_TRAVEL_UNIT} minutes on foot that do not fit between two sessions",
        sentence="Groups and teachers have the time to walk from one session of a day to the next ones.",
    ),
    Rule(
        id="consecutive_limit", tier="soft", name="Long stretches",
        unit="slot above the limit", units="slots above the limit",
        weight=2,
        value=DEFAULT_LONGEST_RUN,
        sentence="Nobody sits through more slots in a row than the limit.",
    ),
    Rule(
        id="single_session_day", tier="soft", name="Days with a single slot",
        unit="day with a single slot", units="days with a single slot",
        weight=2,
        growing=True,
        sentence="Nobody comes in for a single slot in a day.",
    ),
    Rule(
        id="last_slot", tier="soft", name="Late finishes",
        unit="day that runs to the last slot", units="days that run to the last slot",
        sentence="Nobody has to stay for the last slot of a day.",
    ),
    Rule(
        id="soft_link", tier="soft", name="Preferred links",
        unit="weighted pair of sessions", units="weighted pairs of sessions",
        sentence="Preferred links between sessions are kept.",
    ),
    Rule(
        id="context", tier="soft", name="Suitable times and places",
        unit="point for time and place", units="points for time and place",
        sentence="Sessions take place at times and in rooms that suit their courses.",
    ),
    # --- the other days and weeks of people, made from their table ---------------------------------------------------
    *(Rule(**fields) for fields in made_rules()),
)  # fmt: skip

RULE_IDS: tuple[str, ...] = tuple(rule.id for rule in RULES)
RULE_OF: Mapping[str, Rule] = {rule.id: rule for rule in RULES}
"""By id: what a rule is called and how it is told."""
ON_WHERE: Mapping[str, Callable[[Dataset], bool]] = {"student_gap": lambda dataset: bool(dataset.lone_students)}
"""Rules that are off by default, but soft in such datasets."""
NEW_AND_ON = ("faculty_gap", "faculty_days", "student_gap")
"""Rules that are on by default since `timetable-dataset/2`; whatever was written before did not pay for them."""
ON_TOP_OF: Mapping[str, str] = {rule.id: rule.on_top_of for rule in RULES if rule.on_top_of is not None}

Counts = Mapping[str, int]
"""Units broken per rule id; a rule that is missing counts 0."""


class Score(NamedTuple):
    """
    Compares best first. Only timetables with `rigid` 0 may be published.

    `unplaced` is the number of open sessions, `left_open` who they are (see `ranks`), and what the level of open
    sessions is compared by: a timetable that leaves a core session open for the sake of electives is worse, however
    many they are. It is empty where all courses are of one rank, and in scores of before there were ranks; such a one
    counts as worse than any of the same dataset of which it is known who is open.
    """

    rigid: int
    unplaced: int
    bent: int
    soft: int
    left_open: tuple[LeftOpen, ...] = ()

    @classmethod
    def of(cls, numbers: Sequence[Any]) -> Score:
        """
        From what `numbers` gives, once through JSON or not.

        Raises
        ------
        TypeError, ValueError, OverflowError
            These are no numbers of a score.
        """
        rigid, unplaced, bent, soft, *rest = numbers
        rows: Iterable[Sequence[Any]] = rest[0] if rest else ()
        if len(rest) > 1:
            raise ValueError(f"a score has four numbers and who is left open, got {len(numbers)} entries")
        return cls(int(rigid), int(unplaced), int(bent), int(soft), tuple(LeftOpen(*map(int, row)) for row in rows))

    @property
    def numbers(self) -> tuple[Any, ...]:
        """For JSON, whatever integer type a kernel has left here: four numbers, and who is open, where it matters."""
        levels = (int(self.rigid), int(self.unplaced), int(self.bent), int(self.soft))
        return (*levels, tuple(tuple(map(int, row)) for row in self.left_open)) if self.left_open else levels

    @property
    def levels(self) -> dict[str, int]:
        """The four levels by name, as people are told them."""
        return dict(zip(self._fields, self[:4], strict=False))

    @property
    def weighed(self) -> bool:
        """Whether nobody is open, or it is known who."""
        return self.unplaced == 0 or bool(self.left_open)

    @property
    def hard(self) -> tuple[Any, ...]:
        """All levels above the soft cost, comparable like the score."""
        return self._key[:3]

    @property
    def _key(self) -> tuple[Any, ...]:
        who = self.left_open if self.weighed else _nobody_knows_who(self.unplaced)
        return (self.rigid, who, self.bent, self.soft)

    @property
    def complete(self) -> bool:
        """Every session is placed and every hard rule holds."""
        return self.rigid == 0 and self.unplaced == 0 and self.bent == 0

    def __lt__(self, other: Score) -> bool:  # type: ignore[override]
        return self._key < other._key

    def __le__(self, other: Score) -> bool:  # type: ignore[override]
        return self._key <= other._key

    def __gt__(self, other: Score) -> bool:  # type: ignore[override]
        return self._key > other._key

    def __ge__(self, other: Score) -> bool:  # type: ignore[override]
        return self._key >= other._key


def _nobody_knows_who(sessions: int) -> tuple[LeftOpen, ...]:
    """Open sessions of which only the number is known: above every rank, so that any account of them is better."""
    return (LeftOpen(core=2, priority=0, sessions=sessions),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRule:
    """
    One rule as it holds for one dataset. `weight` is the price per unit when hard; rigid rules carry weight 1.

    `window` is from when to when in minutes after midnight; `values` as in `RuleSetting`.
    """

    id: str
    tier: Tier
    weight: int
    bendable: bool
    value: int | None
    values: Mapping[str, int] = field(default_factory=dict)
    unit: Unit = "slots"
    window: tuple[int, int] = DEFAULT_LUNCH_WINDOW

    @property
    def rigid(self) -> bool:
        return self.tier == "hard" and not self.bendable


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All rules in the order of `RULES`, as they hold for one dataset."""

    rules: Mapping[str, ActiveRule] = field(default_factory=dict)

    def __getitem__(self, rule_id: str) -> ActiveRule:
        return self.rules[rule_id]

    def is_on(self, rule_id: str) -> bool:
        return self.rules[rule_id].tier != "off"


def profile_of(dataset: Dataset, overrides: Mapping[str, RuleSetting] | None = None) -> Profile:
    """
    Resolves what each rule means for `dataset`; `overrides` win over the dataset's own settings.

    Raises
    ------
    InputError
        A setting names a rule that does not exist.
    """
    settings = {**dataset.rules, **(overrides or {})}
    unknown = [name for name in settings if name not in RULE_IDS]
    if unknown:
        raise InputError(rule_issue(name) for name in unknown)
    active: dict[str, ActiveRule] = {}
    for rule in RULES:
        setting = settings.get(rule.id, RuleSetting())
        if rule.on_top_of is not None and setting.tier is None and not active[rule.on_top_of].bendable:
            setting = replace(setting, tier="off")
        elif setting.tier is None and rule.id in ON_WHERE and ON_WHERE[rule.id](dataset):
            setting = replace(setting, tier="soft")
        active[rule.id] = _resolve(rule, setting)
    return Profile(rules=active)


def as_before(settings: Mapping[str, RuleSetting]) -> dict[str, RuleSetting]:
    """Settings of before there were rules that are on by default now: those stay off where nothing is said."""
    off = {id: replace(settings.get(id, RuleSetting()), tier="off") for id in NEW_AND_ON}
    return {
        **settings,
        **{id: setting for id, setting in off.items() if id not in settings or settings[id].tier is None},
    }


def unit_of(rule: Rule, active: ActiveRule) -> str:
    """What is counted where the rule holds like this: a limit may be set to slots or minutes."""
    if rule.id not in PERSON_RULE or not KINDS[PERSON_RULE[rule.id].kind].in_minutes or active.unit == "sessions":
        return rule.unit
    if active.unit == "slots" or PERSON_RULE[rule.id].kind == "run":
        return KINDS[PERSON_RULE[rule.id].kind].unit
    return KINDS[PERSON_RULE[rule.id].kind].unit.replace("slot", "started hour")


def takes_value(rule: Rule) -> bool:
    """Whether a value of the rule means anything."""
    if rule.id in IN_SESSIONS:
        return False
    return (
        KINDS[PERSON_RULE[rule.id].kind].takes_value
        if rule.id in PERSON_RULE and rule.id != "last_slot"
        else rule.value is not None
    )


def rule_issue(name: str) -> Issue:
    """The issue for a rule name that does not exist."""
    return Issue(pointer=f"/rules/{name}", code="unknown_rule", message=f"there is no rule {name!r}", value=name)


def _resolve(rule: Rule, setting: RuleSetting) -> ActiveRule:
    tier = setting.tier or rule.tier
    bendable = tier == "hard" and setting.bendable is not False and (rule.price is not None or rule.tier != "hard")
    if tier == "hard" and not bendable:
        default = 1
    elif tier == "hard":
        default = rule.price if rule.price is not None else rule.weight
    else:
        default = rule.weight
    weight = default if setting.weight is None else setting.weight
    return ActiveRule(
        id=rule.id,
        tier=tier,
        weight=weight,
        bendable=bendable,
        value=rule.value if setting.value is None else setting.value,
        values=setting.values,
        unit=setting.unit or ("sessions" if rule.id in IN_SESSIONS else "slots"),
        window=DEFAULT_LUNCH_WINDOW if setting.window is None else _minutes(setting.window),
    )


def _minutes(window: tuple[str, str]) -> tuple[int, int]:
    start, end = (minutes_of(clock) or 0 for clock in window)
    return start, end


def person_limit(dataset: Dataset, rule: PersonRule, active: ActiveRule, kind: Person, id: str) -> int | None:
    """
    What a rule tolerates of somebody, or asks for; in slots, days, or minutes. None where it counts nothing of them.

    What is said of the person, or of a group of a cohort, comes before their own limit, and that before the value of
    the rule. A rule of the table that is off counts nothing, so that nobody pays for walking through it.
    """
    if active.unit == "sessions" or (active.tier == "off" and not rule.named):
        return None
    strictest = max if KINDS[rule.kind].at_least else min
    ids = dataset.cohort[id].groups if kind == "group" else (id,)
    limit = strictest((active.values[each] for each in ids if each in active.values), default=None)
    if limit is None:
        limit = _own_limit(dataset, rule, kind, id)
    if limit is None:
        limit = 1 if rule.id == "last_slot" else active.value
    if limit is None and rule.kind == "days" and kind == "faculty":
        limit = dataset.days_needed(id) + 1
    if rule.kind in ("isolated", "single"):
        return 0
    if limit is not None and rule.kind == "run" and active.unit == "slots":
        return max(limit, dataset.longest_session(kind, id))
    return limit


def _own_limit(dataset: Dataset, rule: PersonRule, kind: Person, id: str) -> int | None:
    """The limit that stands with a teacher or a group."""
    if rule.id == "faculty_daily_limit":
        return dataset.teacher[id].max_sessions_per_day
    if rule.id == "faculty_weekly_limit":
        return dataset.teacher[id].max_sessions_per_week
    return dataset.cohort[id].max_sessions_per_day if rule.id == "group_daily_limit" else None


def score(counts: Counts, profile: Profile, unplaced: int = 0, left_open: tuple[LeftOpen, ...] = ()) -> Score:
    """The only place where weights meet counts. `left_open` says who the `unplaced` are, where that matters."""
    rigid = bent = soft = 0
    for rule in profile.rules.values():
        count = counts.get(rule.id, 0)
        if rule.tier == "soft":
            soft += rule.weight * count
        elif rule.rigid:
            rigid += count
        elif rule.tier == "hard":
            bent += rule.weight * count
    return Score(rigid=rigid, unplaced=unplaced, bent=bent, soft=soft, left_open=left_open)


def preference_points(liking: float, contented: float = 1.0) -> int:
    """
    Points lost in one slot by a teacher who likes it this much and is content with a liking of `contented`.

    0 from there on; `PREFERENCE_POINTS` where a liking of 1.0 is wanted and the slot has 0.0.
    """
    return max(0, round(PREFERENCE_POINTS * (1 - liking)) - round(PREFERENCE_POINTS * (1 - contented)))


def waste_units(capacity: int, students: int) -> int:
    """Full units of empty seats."""
    return max(0, capacity - students) // SEATS_PER_WASTE_UNIT


def travel_units(minutes: int, between: int = 0) -> int:
    """Started units of walking time beyond the minutes that lie `between` two sessions."""
    return -(-max(0, minutes - between) // MINUTES_PER_TRAVEL_UNIT)


def fair_share(sessions: int, days: int) -> int:
    """
    Sessions a teacher may have on a day before `load_balance` counts: an even spread, rounded up.

    `days` are those on which the teacher is there for a slot at least; who never is has all on any one.
    """
    return -(-sessions // max(1, days))


def peak_limit(session_slots: int, slots: int) -> int:
    """Sessions that may run in one slot before `slot_peak` counts, for a total of `session_slots` taught slots."""
    return max(1, int(-(-SLOT_PEAK_SHARE * session_slots // slots)))
