"""
The platform's PostgreSQL: a small pool of connections, queries that only name columns which are there.

Tables and columns differ between versions of the platform, so the catalogue is asked first. What is optional and
missing is reported in `missing`; without the tables of `ESSENTIAL` there is no timetable, and the error names them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from app.domain.source import SourceError
from app.settings import Settings
from solver.formats.platform_rows import Row

MAX_ROWS = 100_000
"""Of one table; the enrolments are bounded by `MAX_ENROLMENTS`."""
MAX_ENROLMENTS = 2_000_000
TRY_SECONDS, PAUSE_SECONDS = 1.0, 0.2
"""So long we wait for one try to connect before we ask for another, and so long after one that was refused at once."""
_KEEP_ALIVE = {"keepalives": 1, "keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 5}

NOT_APPLIED: Mapping[str, tuple[object, str]] = {
    "selected_departments": ([], "all departments are scheduled"),
    "include_open_electives": (True, "open electives are scheduled as well"),
    "max_classes_per_day": (None, "teachers have limits, a student's day has none"),
    "min_gap_between_classes": (0, "sessions may follow each other at once"),
    "optimization_priority": ("balanced", "each variant has an emphasis of its own instead"),
    "prefer_morning_slots": (False, "only what teachers prefer is known"),
    "group_same_subject": (False, "sessions of a course are spread over the days"),
    "number_of_variants": (None, "the request says how many, or the settings of the service"),
    "timeout_minutes": (None, "the request has a time limit, or the settings of the service"),
    "allow_conflicts": (False, "a breach that cannot be helped is listed, none is allowed beforehand"),
    "use_ai_optimization": (True, "every timetable is optimised in the same way"),
}
"""Stored preferences that have no effect: the value that means what is done anyway, and what is done."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("org_id", "org_name"),
    "courses": (
        *("course_id", "course_code", "course_name", "dept_id", "lecture_hours_per_week", "credits"),
        *("room_type_required", "min_room_capacity", "room_features_required", "course_type"),
    ),
    "course_offerings": ("offering_id", "primary_faculty_id", "co_faculty_ids"),
    "course_enrollments": ("student_id", "offering_id"),
    "faculty": (
        *("faculty_id", "faculty_code", "first_name", "last_name", "dept_id", "max_hours_per_week"),
        *("preferred_time_slot", "research_day"),
    ),
    "rooms": (
        *("room_id", "room_code", "room_number", "room_type", "seating_capacity", "building_id", "dept_id"),
        *("features", "allow_cross_department_usage", "room_status", "is_bookable"),
    ),
    "students": ("student_id", "batch_id"),
    "departments": ("dept_id", "dept_code", "dept_name"),
    "batches": ("batch_id", "batch_code", "batch_name"),
    "timetable_configurations": (
        *("working_days", "slots_per_day", "start_time", "end_time", "slot_duration_minutes", "lunch_break_enabled"),
        *("lunch_break_start", "lunch_break_end", "faculty_max_continuous", "avoid_first_last_slot"),
        *("minimize_faculty_travel", *NOT_APPLIED),
    ),
}
"""Table -> columns that are read where they exist. Those of a filter need not be named here."""
ESSENTIAL: Mapping[str, tuple[str, ...]] = {
    "organizations": ("org_id", "org_name"),
    "courses": ("course_id",),
    "course_offerings": ("offering_id", "course_id", "primary_faculty_id"),
    "course_enrollments": ("student_id", "offering_id"),
    "faculty": ("faculty_id",),
    "rooms": ("room_id",),
}

_log = logging.getLogger("timetable.platform")


class Database:
    """
    Connections to the platform's database.

    Nothing is connected before the first question, so a service starts whether or not the platform is there.
    """

    def __init__(self, settings: Settings) -> None:
        milliseconds = int(settings.platform_statement_seconds * 1000)
        self._seconds = settings.platform_connect_seconds
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            settings.platform_database_url,
            min_size=0,
            max_size=settings.platform_connections,
            timeout=self._seconds,
            # Tries of the pool's own, with growing pauses, would go on behind our back, and ours would wait for them.
            reconnect_timeout=TRY_SECONDS / 2,
            max_idle=60.0,
            max_waiting=64,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={
                "connect_timeout": max(2, int(self._seconds)),
                "options": f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
                "application_name": "timetable",
                "autocommit": False,
                **_KEEP_ALIVE,
            },
        )
        self._pool.open(wait=False)

    def close(self) -> None:
        """Closes the connections; waits at most a second for those in use."""
        self._pool.close(timeout=1.0)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """
        One transaction that sees one state of the tables.

        Raises
        ------
        SourceError
            The database cannot be reached, or refuses or does not answer a question in time.
        """
        connection = self._connected()
        try:
            try:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                yield Reader(connection)
            finally:
                if not connection.closed:
                    connection.rollback()
        except psycopg.Error as error:
            raise SourceError(f"the platform database refused a question: {_reason(error)}") from error
        finally:
            self._pool.putconn(connection)

    def _connected(self) -> psycopg.Connection[Any]:
        """One of the few connections, within the time for all tries: a database that sleeps takes a while to wake."""
        until = time.monotonic() + self._seconds
        while True:
            try:
                return self._pool.getconn(min(TRY_SECONDS, max(PAUSE_SECONDS, until - time.monotonic())))
            except (PoolTimeout, psycopg.OperationalError) as error:
                _log.warning("no connection to the platform database yet: %s", type(error).__name__)
                if time.monotonic() >= until:
                    raise SourceError(
                        f"the platform database cannot be reached: no connection within {self._seconds:g} s"
                    ) from error
                time.sleep(PAUSE_SECONDS)


def _reason(error: psycopg.Error) -> str:
    """The server's sentence, never the address; a broken connection has none."""
    return error.diag.message_primary or "the connection was lost"


class QueryResult(NamedTuple):
    """Names of the columns, and the rows."""

    names: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


class Reader:
    """Questions within one transaction; `missing` are sentences about optional tables and columns that it lacks."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.columns = self._columns()
        lacking = [
            f"{table}.{column}" if table in self.columns else table
            for table, columns in ESSENTIAL.items()
            for column in columns
            if column not in self.columns.get(table, ())
        ]
        if lacking:
            raise SourceError(f"the platform database lacks {', '.join(dict.fromkeys(lacking))}")
        self.missing = [
            f"table {table} is missing; its data is not used"
            if table not in self.columns
            else f"column {table}.{column} is missing; its default is used"
            for table, columns in COLUMNS.items()
            for column in (columns if table in self.columns else columns[:1])
            if column not in self.columns.get(table, ()) and column not in NOT_APPLIED
        ]

    def _columns(self) -> dict[str, frozenset[str]]:
        rows = self._connection.execute(
            """SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
               WHERE c.relname = ANY(%s) AND pg_table_is_visible(c.oid) AND c.relkind IN ('r', 'p', 'v', 'm')
                 AND a.attnum > 0 AND NOT a.attisdropped GROUP BY c.relname""",
            (list(COLUMNS),),
        )
        return {name: frozenset(columns) for name, columns in rows}

    def has(self, table: str, column: str) -> bool:
        """Whether this table has this column in the platform's schema, which differs among its versions."""
        return column in self.columns.get(table, ())

    def ask(self, question: sql.SQL | sql.Composed, values: Mapping[str, object], most: int = MAX_ROWS) -> QueryResult:
        """Every row of an answer. Raises SourceError when there are more than `most`."""
        with self._connection.cursor() as cursor:
            cursor.execute(question, values)
            rows = cursor.fetchmany(most + 1)
            if len(rows) > most:
                raise SourceError(
                    f"the platform database holds more than {most} rows of one kind for this organisation"
                )
            return QueryResult(tuple(column.name for column in cursor.description or ()), rows)

    def chosen(self, alias: str, table: str) -> list[sql.Composable]:
        """The columns of `COLUMNS` that a table has, with an alias in front."""
        return [sql.Identifier(alias, name) for name in COLUMNS[table] if self.has(table, name)]

    def conditions(self, alias: str, table: str, wanted: Mapping[str, str]) -> list[sql.Composable]:
        """`wanted` maps a column to a condition with `{}` in its place; columns that are not there filter nothing."""
        return [
            sql.SQL(text).format(sql.Identifier(alias, column))  # texts of ours
            for column, text in wanted.items()
            if self.has(table, column)
        ]


def rows_of(table: str, answer: QueryResult) -> list[Row]:
    """An answer as rows of text."""
    return [
        Row(table, number, {name: text_of(value) for name, value in zip(answer.names, cells, strict=True)})
        for number, cells in enumerate(answer.rows, 1)
    ]


def text_of(value: object) -> str:
    """A cell as text: NULL is empty, lists and objects (arrays, jsonb) are JSON."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, default=str)
    return str(value).replace("\x00", "").strip()
