"""The platform's database as a source of datasets: which rows belong to a request, and what was done with each."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import Any

from psycopg import sql

from app.domain.messages import pack
from app.domain.requests import TimeConfig
from app.domain.source import MAX_SENTENCES, Fetched, NothingThere, Query, SourceError, UnknownOrganisation
from app.platform.reading import MAX_ENROLMENTS, NOT_APPLIED, Database, QueryResult, Reader, rows_of
from app.processes.size_limits import check_document, check_model, size_of
from app.settings import Settings
from solver.calendar import TimeGrid
from solver.errors import InputError
from solver.formats.native import dump_dataset
from solver.formats.platform_csv import Imported
from solver.formats.platform_rows import Row, RowNote
from solver.formats.platform_tables import NothingUsable, PlatformTables, load_platform_tables
from solver.model import RuleSetting

ACTIVE = {"is_active": "{} IS NOT FALSE"}
OF_ORGANISATION = {"org_id": "{}::text = %(org)s", **ACTIVE}
TIME_FIELDS = tuple(TimeConfig.model_fields)


class PlatformSource:
    """Implements `app.domain.source.DataSource`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings)

    def close(self) -> None:
        """Closes the connections to the database."""
        self._database.close()

    def fetch(self, query: Query) -> Fetched:
        """
        The data of a query, packed.

        Raises
        ------
        SourceError
            The database does not answer, has no such organisation, or what it holds cannot be scheduled, or is more
            than the limits for inline data allow.
        """
        imported, notes = self.read(query)
        dataset = imported.dataset
        document = dump_dataset(dataset)
        try:
            check_document(document, self._settings, "")
            check_model(dataset, self._settings, "")
        except InputError as error:
            raise SourceError("; ".join(issue.message for issue in error.issues)) from error
        return Fetched(packed=pack(document), size=size_of(dataset), account=account_of(imported, notes))

    def read(self, query: Query) -> tuple[Imported, list[str]]:
        """The data of a query, and sentences about what the database lacks. Raises SourceError."""
        with self._database.reading() as reader:
            tables, notes = _tables(reader, query)
        try:
            return load_platform_tables(tables), notes
        except NothingUsable as error:
            raise NothingThere(str(error.issues[0].message), _size_of_nothing(error, tables)) from error
        except InputError as error:
            raise SourceError(str(error.issues[0].message)) from error


def _size_of_nothing(error: NothingUsable, tables: PlatformTables) -> Mapping[str, int]:
    usable = {"courses": error.courses, "rooms": error.rooms, "faculty": error.faculty}
    return {**usable, "time_slots": len(tables.time_grid.slots), "students": 0, "sessions": 0, "groups": 0}


def account_of(imported: Imported, notes: list[str]) -> dict[str, Any]:
    """What was read, mended and left out: numbers of all of it, sentences of the first `MAX_SENTENCES`."""
    return {
        "rows": dict(imported.rows),
        "repaired": len(imported.repairs),
        "unusable": len(imported.unusable),
        "unusable_rows": [_sentence(note) for note in imported.unusable[:MAX_SENTENCES]],
        "repaired_rows": [_sentence(note) for note in imported.repairs[:MAX_SENTENCES]],
        "notes": [*notes, *(f"{note.file}: {note.message}." for note in imported.decisions)],
    }


def _sentence(note: RowNote) -> str:
    value = f" {note.value[:80]!r}" if note.value else " is empty"
    return f"{note.file} row {note.line}, {note.column}{value}: {note.message}"


def _tables(reader: Reader, query: Query) -> tuple[PlatformTables, list[str]]:
    org, name = _organisation(reader, query.organization_id)
    half = "ODD" if query.semester == 1 else "EVEN"
    values: dict[str, object] = {"org": org, "half": half, "year": query.academic_year}
    rooms = rows_of("rooms", _table(reader, "rooms", "room_id", values))
    faculty = rows_of("faculty", _table(reader, "faculty", "faculty_id", values))
    offerings = _offerings(reader, values)
    batch_of = _students(reader, values)
    enrolments, left_out = _enrolments(reader, values, {row[0] for row in offerings.rows}, batch_of)
    stored = _configuration(reader, values, query.semester)
    notes = list(reader.missing)
    tables = PlatformTables(
        name=name,
        rooms=rooms,
        faculty=faculty,
        offerings=rows_of("course_offerings", offerings),
        enrolments=enrolments,
        left_out=left_out,
        departments=_optional(reader, "departments", "dept_id", values),
        batches=_optional(reader, "batches", "batch_id", values),
        batch_of={student: batch for student, batch in (batch_of or {}).items() if batch},
        time_grid=_grid(query.time_grid or TimeConfig.model_validate(_time_config(stored)).grid()),
        rules=_rules(stored, notes),
    )
    return tables, notes


def _organisation(reader: Reader, wanted: str) -> tuple[str, str]:
    """Id and name. A name may look like anything, so both columns are asked."""
    found = reader.ask(
        sql.SQL(
            "SELECT org_id::text, org_name FROM organizations"
            " WHERE org_name = %(wanted)s OR org_id::text = lower(%(wanted)s)"
            " ORDER BY org_name = %(wanted)s DESC, org_id::text"
        ),
        {"wanted": wanted},
    )
    if not found.rows:
        raise UnknownOrganisation(f"the platform database has no organisation {wanted[:100]!r}")
    org, name = found.rows[0]
    return org, name


def _table(reader: Reader, table: str, key: str, values: Mapping[str, object]) -> QueryResult:
    question = sql.SQL("SELECT {} FROM {} t WHERE {} ORDER BY {}::text COLLATE {}").format(
        sql.SQL(", ").join(reader.chosen("t", table)),
        sql.Identifier(table),
        _all(reader.conditions("t", table, OF_ORGANISATION)),
        sql.Identifier("t", key),
        sql.Identifier("C"),
    )
    return reader.ask(question, values)


def _optional(reader: Reader, table: str, key: str, values: Mapping[str, object]) -> list[Row]:
    return rows_of(table, _table(reader, table, key, values)) if reader.has(table, key) else []


def _all(conditions: list[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join([sql.SQL("TRUE"), *conditions])


def _running(reader: Reader) -> sql.Composable:
    """Which offerings `co` of courses `c` run: the one filter that offerings and enrolments share."""
    offering = {
        **ACTIVE,
        "semester_type": "upper({}::text) = %(half)s",
        "academic_year": "(%(year)s::text IS NULL OR {} IS NULL OR {0}::text = %(year)s)".replace("{}", "{0}"),
        "offering_status": "upper(coalesce({}::text, 'SCHEDULED')) IN ('SCHEDULED', 'ONGOING')",
    }
    return _all(
        [
            *reader.conditions("c", "courses", OF_ORGANISATION),
            *reader.conditions("co", "course_offerings", offering),
        ]
    )


def _offerings(reader: Reader, values: Mapping[str, object]) -> QueryResult:
    columns = [
        sql.SQL("co.offering_id::text AS offering_id"),
        *(column for column in reader.chosen("co", "course_offerings")[1:]),
        *reader.chosen("c", "courses"),
    ]
    question = sql.SQL(
        "SELECT {} FROM course_offerings co JOIN courses c ON c.course_id = co.course_id WHERE {}"
        " ORDER BY co.offering_id::text COLLATE {}"
    ).format(sql.SQL(", ").join(columns), _running(reader), sql.Identifier("C"))
    return reader.ask(question, values)


def _enrolments(
    reader: Reader, values: Mapping[str, object], offerings: set[str], active: Mapping[str, str] | None
) -> tuple[dict[str, list[str]], Counter[str]]:
    """Students by offering, each once, in id order; and how many enrolments are of students that are not active."""
    enrolled = {**ACTIVE, "enrollment_status": "upper(coalesce({}::text, 'ENROLLED')) = 'ENROLLED'"}
    question = sql.SQL(
        "SELECT DISTINCT e.offering_id::text, e.student_id::text FROM course_enrollments e"
        " JOIN course_offerings co ON co.offering_id = e.offering_id JOIN courses c ON c.course_id = co.course_id"
        " WHERE {} AND {}"
    ).format(_all(reader.conditions("e", "course_enrollments", enrolled)), _running(reader))
    known = None if active is None else {id: id for id in active}
    students: dict[str, list[str]] = {offering: [] for offering in offerings}
    left_out: Counter[str] = Counter()
    for offering, student in reader.ask(question, values, MAX_ENROLMENTS).rows:
        # One text object per student and not one per enrolment.
        same = student if known is None else known.get(student)
        if same is None:
            left_out[offering] += 1
        else:
            students[offering].append(same)
    for enrolled_here in students.values():
        enrolled_here.sort()
    return students, left_out


def _students(reader: Reader, values: Mapping[str, object]) -> dict[str, str] | None:
    """Active students, each with the batch or ""; None where there is no such table: then every enrolment counts."""
    if not reader.has("students", "student_id"):
        return None
    rows = rows_of("students", _table(reader, "students", "student_id", values))
    return {row["student_id"]: row["batch_id"] for row in rows}


# --- what the organisation has stored about its week ------------------------------------------------------------------


def _configuration(reader: Reader, values: Mapping[str, object], semester: int) -> dict[str, Any]:
    """The configuration used last for this year and semester, else the one used last; nothing where there is none."""
    table = "timetable_configurations"
    columns = reader.chosen("t", table)
    if not columns:
        return {}
    keys = {"academic_year": "{} = %(year)s", "semester": "{}::text = ANY(%(semester)s)"}
    fitting = _all(reader.conditions("t", table, keys))
    latest = sql.SQL("t.last_used_at DESC NULLS LAST") if reader.has(table, "last_used_at") else sql.SQL("1")
    owner = "org_id" if reader.has(table, "org_id") else "organization_id"
    question = sql.SQL("SELECT {} FROM {} t WHERE {} ORDER BY ({}) DESC NULLS LAST, {} LIMIT 1").format(
        sql.SQL(", ").join(columns),
        sql.Identifier(table),
        _all(reader.conditions("t", table, {owner: "{}::text = %(org)s"})),
        fitting,
        latest,
    )
    words = [str(semester), "odd" if semester == 1 else "even"]
    answer = reader.ask(question, {**values, "semester": words})
    return dict(zip(answer.names, answer.rows[0], strict=True)) if answer.rows else {}


def _time_config(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Its time fields as the time form has them; a column that is not there keeps the form's default."""
    return {
        name: value.isoformat() if isinstance(value, datetime.time) else value
        for name, value in stored.items()
        if name in TIME_FIELDS
    }


def _grid(native: Mapping[str, Any]) -> TimeGrid:
    lunch = native.get("lunch")
    return TimeGrid(**{**native, "lunch": (lunch["start"], lunch["end"]) if lunch else None})


def _rules(stored: Mapping[str, Any], notes: list[str]) -> dict[str, RuleSetting]:
    """The stored preferences that our rules can express; of the others it is said that they are not used."""
    rules: dict[str, RuleSetting] = {}
    if stored.get("faculty_max_continuous"):
        rules["consecutive_limit"] = RuleSetting(value=int(stored["faculty_max_continuous"]))
    if stored.get("avoid_first_last_slot"):
        rules["last_slot"] = RuleSetting(tier="soft")
        notes.append("timetable_configurations.avoid_first_last_slot: only the last slot of a day is avoided.")
    if stored.get("minimize_faculty_travel") is False:
        rules["travel"] = RuleSetting(tier="off")
    notes += [
        f"timetable_configurations.{name} = {str(stored[name])[:80]} is not applied: {instead}."
        for name, (anyway, instead) in NOT_APPLIED.items()
        if stored.get(name) is not None and stored[name] != anyway
    ]
    return rules
