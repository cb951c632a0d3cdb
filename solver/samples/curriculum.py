"""Who studies what: batches with their students, sections with theirs, electives by individual choice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from solver.samples.names import Department, elective_title, lecture_title, schools
from solver.samples.shapes import Shape

LAB_SLOTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`department` is an index, `year` and `letter` count from 0, `students` are consecutive numbers."""

    department: int
    year: int
    letter: int
    students: range


@dataclass(slots=True, kw_only=True)
class Section:
    """A course before it has teachers and a place. `basket` numbers the choice an elective belongs to, -1 for core."""

    id: str
    code: str
    name: str
    department: int
    year: int
    subject_type: str
    batches: tuple[int, ...]
    students: list[int]
    meetings: int
    slots: int = 1
    lab_kind: str | None = None
    basket: int = -1
    teachers: list[int] = field(default_factory=list)

    @property
    def elective(self) -> bool:
        """Whether students choose it out of a basket."""
        return self.basket >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """Who studies what: departments, their batches, and the sections that are taught to them."""

    departments: tuple[Department, ...]
    batches: tuple[Batch, ...]
    sections: tuple[Section, ...]

    @property
    def num_students(self) -> int:
        """Students of all batches."""
        return self.batches[-1].students.stop


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """Splits `total` in proportion to `weights` by largest remainders; the parts are >= 0 and add up to `total`."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    parts = [int(x) for x in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def build_curriculum(shape: Shape, rng: Random) -> Curriculum:
    """Draws the whole curriculum; the number of sections (and of sessions, where given) is met exactly."""
    departments = _departments(shape)
    batches = _batches(shape, departments, rng)
    sections = _Syllabus(shape, departments, batches, rng).write()
    if shape.sessions is not None:
        _meet_session_total(sections, shape.sessions, rng)
    return Curriculum(departments=departments, batches=batches, sections=tuple(sections))


def _departments(shape: Shape) -> tuple[Department, ...]:
    campus_schools = shape.schools // shape.campuses
    pools = [pool for campus in range(shape.campuses) for pool in schools(campus)[:campus_schools]]
    counts = shares(shape.departments, [len(pool) for pool in pools])
    taken = (pool[:n] for pool, n in zip(pools, counts, strict=True))
    return tuple(replace(department, school=school) for school, pool in enumerate(taken) for department in pool)


def _batches(shape: Shape, departments: Sequence[Department], rng: Random) -> tuple[Batch, ...]:
    """Every department teaches every year; popular departments have more batches."""
    num_years = len(shape.years)
    spare = shape.batches - num_years * len(departments)
    extra = shares(spare, [rng.uniform(0.5, 1.5) for _ in departments])
    places = [(d, i % num_years, i // num_years) for d, more in enumerate(extra) for i in range(num_years + more)]
    places.sort()
    spread = shape.batch_spread
    sizes = shares(shape.students, [rng.uniform(1 - spread, 1 + spread) for _ in places])
    batches, first = [], 0
    for (department, year, letter), size in zip(places, sizes, strict=True):
        batches.append(Batch(department=department, year=year, letter=letter, students=range(first, first + size)))
        first += size
    return tuple(batches)


class _Syllabus:
    """Writes the sections of all cohorts; keeps the running numbers of course codes."""

    def __init__(self, shape: Shape, departments: Sequence[Department], batches: Sequence[Batch], rng: Random) -> None:
        self.shape, self.departments, self.batches, self.rng = shape, departments, batches, rng
        self.next_elective: Counter[tuple[int, int]] = Counter()

    def write(self) -> list[Section]:
        cohorts: dict[tuple[int, int], list[int]] = defaultdict(list)
        for b, batch in enumerate(self.batches):
            cohorts[batch.department, batch.year].append(b)
        sections = [s for (d, year), members in cohorts.items() for s in self._core(d, year, members)]
        sections += self._electives(self.shape.sections - len(sections))
        return sections

    def _core(self, department: int, year: int, members: list[int]) -> Iterable[Section]:
        plan = self.shape.years[year]
        together = plan.combined if len(members) > 1 else 0
        has_lab = self.departments[department].lab_kind is not None
        lectures = plan.combined + plan.lectures + (0 if has_lab else plan.labs)
        for number in range(lectures):
            for batches in [members] if number < together else [[b] for b in members]:
                yield self._lecture(department, year, number, tuple(batches))
        for number in range(plan.labs if has_lab else 0):
            for b in members:
                yield self._lab(department, year, number, b)

    def _lecture(self, department: int, year: int, number: int, batches: tuple[int, ...]) -> Section:
        code = f"{self.departments[department].code}-{year + 1}{number + 1:02d}"
        return Section(
            id=f"{code}-{self._letters(batches)}",
            code=code,
            name=lecture_title(self.departments[department], number + 3 * year),
            department=department,
            year=year,
            subject_type="core",
            batches=batches,
            students=[student for b in batches for student in self.batches[b].students],
            meetings=self.rng.choice(self.shape.lecture_meetings),
        )

    def _lab(self, department: int, year: int, number: int, batch: int) -> Section:
        code = f"{self.departments[department].code}-{year + 1}{number + 1:02d}L"
        return Section(
            id=f"{code}-{self._letters((batch,))}",
            code=code,
            name=f"{self.departments[department].name} Laboratory {year + 1}",
            department=department,
            year=year,
            subject_type="core",
            batches=(batch,),
            students=list(self.batches[batch].students),
            meetings=self.rng.choice(self.shape.lab_meetings),
            slots=LAB_SLOTS,
            lab_kind=self.departments[department].lab_kind,
        )

    def _letters(self, batches: Iterable[int]) -> str:
        return "".join(chr(ord("A") + self.batches[b].letter) for b in batches)

    def _electives(self, wanted: int) -> list[Section]:
        """Splits the `wanted` electives over all baskets by seats, at least two to choose from in each."""
        baskets = self._baskets()
        seats = [sum(len(self.batches[b].students) for b in pool) for _, pool in baskets]
        if not baskets or wanted < 2 * len(baskets):
            raise ValueError(f"{self.shape.title}: {len(baskets)} baskets need two electives each, {wanted} are left")
        counts = [2 + more for more in shares(wanted - 2 * len(baskets), seats)]
        sections: list[Section] = []
        for basket, ((kind, pool), count) in enumerate(zip(baskets, counts, strict=True)):
            options = [self._elective(kind, pool, basket) for _ in range(count)]
            self._choose(options, [student for b in pool for student in self.batches[b].students])
            sections += options
        return sections

    def _baskets(self) -> list[tuple[str, list[int]]]:
        """(subject type, batches that choose from it): pools inside a school, and open ones across schools."""
        baskets: list[tuple[str, list[int]]] = []
        for year, plan in enumerate(self.shape.years):
            members = [b for b, batch in enumerate(self.batches) if batch.year == year]
            for school in range(self.shape.schools):
                inside = [b for b in members if self.departments[self.batches[b].department].school == school]
                pools = max(1, round(len(inside) / self.shape.pool_batches))
                for _ in range(plan.electives):
                    baskets += [
                        ("elective", inside[len(inside) * i // pools : len(inside) * (i + 1) // pools])
                        for i in range(pools)
                    ]
            pools = max(1, round(len(members) / self.shape.pool_batches))
            for _ in range(plan.open_electives):
                baskets += [("open_elective", members[i::pools]) for i in range(pools)]
        return baskets

    def _elective(self, kind: str, pool: Sequence[int], basket: int) -> Section:
        hosts = list(dict.fromkeys(self.batches[b].department for b in pool))
        year = self.batches[pool[0]].year
        department = min(hosts, key=lambda d: (self.next_elective[d, year], d))
        number = self.next_elective[department, year]
        self.next_elective[department, year] += 1
        code = f"{self.departments[department].code}-{year + 1}{51 + number:02d}"
        return Section(
            id=code,
            code=code,
            name=elective_title(self.departments[department], number + 2 * year),
            department=department,
            year=year,
            subject_type=kind,
            batches=(),
            students=[],
            meetings=self.rng.choice(self.shape.elective_meetings),
            basket=basket,
        )

    def _choose(self, options: list[Section], students: Sequence[int]) -> None:
        """Every student picks one option by liking; nothing fills beyond 1.3 times its fair share."""
        liking = [self.rng.uniform(0.6, 1.4) for _ in options]
        seats = -(-13 * len(students) // (10 * len(options)))
        for student in students:
            open_options = [i for i, option in enumerate(options) if len(option.students) < seats]
            (choice,) = self.rng.choices(open_options, [liking[i] for i in open_options])
            options[choice].students.append(student)


def _meet_session_total(sections: Sequence[Section], total: int, rng: Random) -> None:
    """Moves single lectures up or down by one meeting, between 2 and 4 a week, until the total is exact."""
    missing = total - sum(section.meetings for section in sections)
    step = 1 if missing > 0 else -1
    movable = [s for s in sections if s.slots == 1 and 2 <= s.meetings + step <= 4]
    for section in rng.sample(movable, abs(missing)):
        section.meetings += step
