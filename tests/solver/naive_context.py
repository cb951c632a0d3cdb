"""
Slow twins of the context: every dimension by plain loops over the names of a dataset, from what its module says.

Judge and judged read the same context points, so nothing but these twins tells whether the points mean what they say.
They are written from the formulas at the head of each module of `solver/context/` and use none of its code: no arrays,
no constants, no tables of starts. Costs are lists per course, by slot or by building, in the order of the dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from solver.model import Course, Dataset

Costs = list[list[float]]

WEIGHTS = {"temporal": 0.25, "behavioural": 0.25, "academic": 0.20, "social": 0.15, "spatial": 0.15}
NO_BUILDING = None


# --- slots and sessions ----------------------------------------------------------------------------------------------


def covered(data: Dataset, course: Course, start: int) -> list[int]:
    """The slots of a session that starts there; none where it would leave the day or run into a break."""
    grid = data.time_grid
    slots = list(range(start, start + course.session_slots))
    day = start // grid.num_periods
    if any(slot // grid.num_periods != day or not grid.exists(slot) for slot in slots):
        return []
    begin, end = grid.start_of(slots[0]), grid.end_of(slots[-1])
    over = [pause for pause in grid.pauses_of(day) if begin < pause.end and pause.start < end and not pause.run_over]
    return [] if over else slots


def starts_on_grid(data: Dataset, course: Course) -> list[int]:
    return [start for start in range(data.time_grid.num_slots) if covered(data, course, start)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def per_start(data: Dataset, cost_at: Callable[[Course, int], float]) -> Costs:
    """The mean of `cost_at` over the slots of a session, for every course and start; 0 where none can start."""
    return [
        [
            mean([cost_at(course, slot) for slot in covered(data, course, start)])
            for start in range(data.time_grid.num_slots)
        ]
        for course in data.parts
    ]


# --- temporal --------------------------------------------------------------------------------------------------------


def temporal(data: Dataset) -> Costs:
    grid = data.time_grid

    def after_lunch(day: int) -> int | None:
        """The first period of the afternoon, by the clock; None where no lunch comes before it."""
        ends = [pause.end for pause in grid.pauses_of(day) if pause.name.lower() == "lunch"]
        starts = [start for start, _ in grid.periods_of(day)]
        return next((p for end in ends for p, start in enumerate(starts) if start >= end and p > 0), None)

    def dislike(course: Course, slot: int) -> float:
        day, period = divmod(slot, grid.num_periods)
        periods, lunch = len(grid.periods_of(day)), after_lunch(day)
        afternoon = (periods + 1) // 2 if lunch is None else lunch
        total = 0.0
        if period == 0:
            total += 0.4
        if period == periods - 1:
            total += 0.8
        if period == lunch:
            total += 0.3
        if day == grid.num_days - 1 and period >= afternoon:
            total += 0.4
        return min(1.0, total)

    return per_start(data, dislike)


# --- behavioural -----------------------------------------------------------------------------------------------------


def behavioural(data: Dataset) -> Costs:
    def liking(teacher: str, slot: int) -> float:
        given = [rating.rating for rating in data.history if rating.faculty_id == teacher and rating.slot == slot]
        return (sum(given) + 0.5 + 0.5) / (len(given) + 2)

    def dislike(course: Course, slot: int) -> float:
        if not course.faculty_ids:
            return 0.5
        return 1 - mean([liking(teacher, slot) for teacher in course.faculty_ids])

    return per_start(data, dislike)


# --- academic --------------------------------------------------------------------------------------------------------


def academic(data: Dataset) -> Costs:
    def depth(course: Course) -> int:
        """Courses in the longest chain of prerequisites below this one."""
        return max((1 + depth(data.course[required]) for required in course.prerequisites), default=0)

    def share(value: float, greatest: float) -> float:
        return value / greatest if greatest > 0 else 0.0

    def demand(course: Course) -> float:
        total = 0.4 * share(course.credits, max(each.credits for each in data.parts))
        if course.subject_type == "core":
            total += 0.2
        total += 0.2 * share(course.session_slots - 1, max(each.session_slots for each in data.parts) - 1)
        return total + 0.2 * share(depth(course), max(depth(each) for each in data.parts))

    def lateness(slot: int) -> float:
        return share(slot % data.time_grid.num_periods, data.time_grid.num_periods - 1)

    return per_start(data, lambda course, slot: demand(course) * lateness(slot))


# --- social ----------------------------------------------------------------------------------------------------------


def open_starts(data: Dataset, course: Course) -> list[int]:
    """Starts that grid, course, teachers and groups permit; every start of the grid where they permit none."""
    people = [data.teacher[id] for id in course.faculty_ids] + [data.cohort[id] for id in data.cohorts_of(course)]
    permitted = [
        start
        for start in starts_on_grid(data, course)
        if course.may_start(start)
        and not any(slot in each.unavailable for slot in covered(data, course, start) for each in people)
    ]
    return permitted or starts_on_grid(data, course)


def density(data: Dataset, course: Course, slot: int) -> float:
    """Sessions of the course to be expected in a slot, at most 1."""
    starts = open_starts(data, course)
    free = course.sessions_per_week - len(course.fixed)
    expected = sum(free / len(starts) for start in starts if slot in covered(data, course, start))
    expected += sum(1 for fixed in course.fixed if slot in covered(data, course, fixed.slot))
    return min(1.0, expected)


def attendees(data: Dataset, course: Course) -> Iterator[tuple[tuple[str, str], float]]:
    """Everybody who attends, and by how much they count: a student is one, a cohort at least one."""
    for student in data.students_of(course):
        yield ("student", student), 1.0
    for cohort in data.cohorts_of(course):
        yield ("group", cohort), float(max(1, data.cohort[cohort].size))


def social(data: Dataset) -> Costs:
    expected = {
        id(course): [density(data, course, slot) for slot in range(data.time_grid.num_slots)] for course in data.parts
    }
    people = {id(course): dict(attendees(data, course)) for course in data.parts}

    def elsewhere(who: tuple[str, str], course: Course, slot: int) -> float:
        return sum(expected[other][slot] for other, those in people.items() if other != id(course) and who in those)

    def needed(course: Course, slot: int) -> float:
        weights = people[id(course)]
        busy = sum(weight * elsewhere(who, course, slot) for who, weight in weights.items())
        away = mean([float(slot in data.cohort[id].unavailable) for id in data.cohorts_of(course)])
        return min(1.0, (busy / sum(weights.values()) if weights else 0.0) + away)

    return per_start(data, needed)


# --- spatial ---------------------------------------------------------------------------------------------------------


def buildings(data: Dataset) -> list[str | None]:
    """No building at all first, then every building of a room, once."""
    found: list[str | None] = [NO_BUILDING]
    for room in data.rooms:
        if room.building not in found:
            found.append(room.building)
    return found


def minutes(data: Dataset, building: str | None, other: str | None) -> int:
    """The way there as it is given, else the way back, else nothing."""
    if NO_BUILDING in (building, other) or building == other:
        return 0
    for a, b in ((building, other), (other, building)):
        given = data.travel_minutes.get(str(a), {})
        if b in given:
            return given[str(b)]
    return 0


def home(data: Dataset, department: str | None) -> str | None:
    """The building with most rooms of the department; with most rooms at all where it has none in a building."""
    inside = [room for room in data.rooms if room.building is not NO_BUILDING]
    own = [room for room in inside if department is not None and room.department_id == department]
    best, most = NO_BUILDING, 0
    for building in buildings(data)[1:]:
        rooms = sum(1 for room in own or inside if room.building == building)
        if rooms > most:
            best, most = building, rooms
    return best


def spatial(data: Dataset) -> Costs:
    places = buildings(data)
    longest = max(minutes(data, a, b) for a in places for b in places)

    def foreign(course: Course, building: str | None) -> float:
        return mean(
            [
                float(room.department_id is not None and room.department_id != course.department_id)
                for room in data.rooms
                if room.building == building
            ]
        )

    def cost(course: Course, building: str | None) -> float:
        way = minutes(data, home(data, course.department_id), building)
        return 0.8 * (way / longest if longest else 0.0) + 0.2 * foreign(course, building)

    return [[cost(course, building) for building in places] for course in data.parts]


DIMENSIONS: Mapping[str, Callable[[Dataset], Costs]] = {
    "temporal": temporal,
    "behavioural": behavioural,
    "academic": academic,
    "social": social,
    "spatial": spatial,
}


# --- points ----------------------------------------------------------------------------------------------------------


def slot_points(data: Dataset) -> Costs:
    """Points of every start before they are rounded: ten times what it costs above the best start of the course."""
    costs = [(WEIGHTS[name], DIMENSIONS[name](data)) for name in DIMENSIONS if name != "spatial"]
    table = []
    for c, course in enumerate(data.parts):
        total = [sum(weight * cost[c][start] for weight, cost in costs) for start in range(data.time_grid.num_slots)]
        chosen = [start for start in starts_on_grid(data, course) if course.may_start(start)]
        table.append(_above_best(total, chosen))
    return table


def building_points(data: Dataset) -> Costs:
    """Points of every building before they are rounded, above the best building that has a room."""
    used = [b for b, building in enumerate(buildings(data)) if any(room.building == building for room in data.rooms)]
    return [_above_best([WEIGHTS["spatial"] * cost for cost in row], used) for row in spatial(data)]


def _above_best(costs: list[float], choices: list[int]) -> list[float]:
    best = min((costs[choice] for choice in choices), default=0.0)
    return [10 * max(0.0, cost - best) for cost in costs]
