"""
Every setting of the service, in one table: name, default, unit, limits, meaning.

`Settings` is that table. A setting `max_courses` is read from `TIMETABLE_MAX_COURSES`; the names that the failure
guide uses without the prefix (`MAX_COURSES`, `CONTEXT_TIMEOUT`) work as aliases, and the prefixed name wins. An empty
variable counts as not set, because compose files write it that way. The environment is read once, at start.

Types and limits are pydantic's. pydantic-settings would add one look-up in a mapping and 40 ms to every start, and
would read the environment wherever settings are made by hand.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator

from app import MEGABYTE
from app.system import addresses, extras
from app.system.machine import default_child_mb, default_parse_worker_mb, default_slots
from app.system.variables import (
    PREFIX,
    ExtraMissing,
    PathThere,
    SettingSpec,
    entries_of,
    narrows_down,
    sentence,
    set_by,
    setting,
    spec_of,
    text_in,
)
from app.system.variables import SettingsError as SettingsError
from app.system.variables import variable as variable

TOKEN_ALGORITHMS = ("HS256", "RS256", "EdDSA")
YesOrNo = Literal["no", "yes"]


def default_data_dir() -> Path:
    """The user's data folder of this platform: `$XDG_DATA_HOME/timetable`, else `~/.local/share/timetable`."""
    if os.environ.get("XDG_DATA_HOME"):
        return Path(os.environ["XDG_DATA_HOME"]) / "timetable"
    if os.name == "nt" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "timetable"
    return Path.home() / ".local" / "share" / "timetable"


class Settings(BaseModel):
    """
    All settings. Raises `SettingsError` for a value outside its limits.

    Read them from the environment with `Settings.from_environment()`, or name some by hand in tests and tools.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # --- where ---
    host: str = setting("127.0.0.1", "", "address to listen on")
    port: int = setting(8001, "", "port to listen on; 0 picks a free one", low=0, high=65535)
    data_dir: PathThere = setting(default_data_dir, "path", "folder of the job store; created when missing")
    database_url: str = setting(
        "", "", "postgresql:// address of a job store for several services; empty = SQLite in data_dir", secret=True
    )
    # --- who solves ---
    queue: Literal["embedded", "celery"] = setting(
        "embedded", "", "embedded = this service solves; celery = workers do (`timetable worker`)"
    )
    broker_url: str = setting(
        "", "", "broker between services and workers: redis://, rediss://, amqp:// or amqps://", secret=True
    )
    broker_queue: str = setting("timetable", "", "queue of the workers there")
    broker_tls_ca: str = setting("", "path", "certificates that the broker is checked with; empty = system's")
    worker_port: int = setting(
        0, "", "port on TIMETABLE_HOST where a worker shows its /metrics and /health/live; 0 = none", low=0, high=65535
    )
    # --- how much at once ---
    slots: int = setting(default_slots, "children", "jobs solved at the same time", low=1, high=256)
    workers_per_job: int = setting(1, "threads", "solver threads of one job", low=1, high=64)
    portfolio_workers: int = setting(
        1, "workers", "most workers that solve one job together, each from another seed (celery)", low=1, high=64
    )
    portfolio_sessions: int = setting(
        1_000,
        "sessions",
        "jobs of fewer sessions have one worker, unless their request says more",
        low=1,
        high=1_000_000,
    )
    queue_limit: int = setting(1000, "jobs", "jobs that may wait; more are refused with 429", low=1, high=1_000_000)
    memory_limit_mb: int = setting(
        default_child_mb, "MB", "resident memory of one child before it is stopped", low=256, high=1_048_576
    )
    # --- how long ---
    context_seconds: float = setting(
        120.0, "s", "deadline of building the context", low=1, high=86_400, aliases=("CONTEXT_TIMEOUT",)
    )
    solve_seconds: float = setting(300.0, "s", "time limit of a job that names none", low=1, high=86_400)
    max_solve_seconds: float = setting(3600.0, "s", "largest time limit a request may ask for", low=1, high=86_400)
    first_answer_seconds: float = setting(
        60.0,
        "s",
        "time for a first timetable (stage construct); a child without one by then is lost",
        low=1,
        high=86_400,
    )
    stage_grace_seconds: float = setting(
        0.3, "s", "time a job may overrun its time limit before its child is told to end", low=0, high=3600
    )
    stop_grace_seconds: float = setting(0.7, "s", "time a child has to end after a stop request", low=0, high=60)
    stalled_after_seconds: float = setting(120.0, "s", "silence after which progress says stalled", low=1, high=86_400)
    # --- how often ---
    max_attempts: int = setting(3, "attempts", "child processes that may search for one job", low=1, high=100)
    retry_wait_seconds: float = setting(
        5.0,
        "s",
        "pause before an attempt after the second lost one, or after one that could not start",
        low=0,
        high=3600,
    )
    poll_seconds: float = setting(2.0, "s", "polling interval recommended to clients", low=0.1, high=3600)
    heartbeat_seconds: float = setting(4.0, "s", "pause between pings on an event stream", low=0.1, high=3600)
    # --- what is wanted ---
    num_variants: int = setting(3, "timetables", "variants of a job that names no number", low=1, high=10)
    max_variants: int = setting(10, "timetables", "most variants a request may ask for", low=1, high=10)
    quality_threshold: float = setting(
        0.8, "share", "below it a timetable is improved while time is left", low=0, high=1
    )
    # --- priority core of the rung `reduced`; nobody is removed from the result ---
    max_courses: int = setting(500, "courses", "courses of the core", low=1, high=1_000_000, aliases=("MAX_COURSES",))
    max_faculty: int = setting(300, "teachers", "teachers of the core", low=1, high=1_000_000, aliases=("MAX_FACULTY",))
    max_rooms: int = setting(200, "rooms", "rooms of the core", low=1, high=1_000_000, aliases=("MAX_ROOMS",))
    # --- what is let in ---
    keys_dir: str = setting(
        "", "path", "folder of the API keys, for several services that share them; empty = data_dir"
    )
    jwt_algorithms: str = setting(
        "", "", "algorithms of tokens (JWT) that are let in, with commas: HS256, or RS256 and EdDSA; empty = no tokens"
    )
    jwt_key_files: str = setting(
        "",
        "path",
        "files, with commas, each a public key (PEM) or, for HS256, a secret; a token's kid is the name of its file",
    )
    jwt_issuer: str = setting("", "", "iss that a token must have")
    jwt_audience: str = setting("", "", "aud that a token must have, alone or among others")
    jwt_leeway_seconds: float = setting(
        10.0, "s", "by how much the issuer's clock may differ from ours", low=0, high=60
    )
    jwt_scope_claim: str = setting("scope", "", "claim with the rights of a token: read, submit, cancel, admin")
    jwt_organisation_claim: str = setting(
        "organization_id", "", "claim with the organisation of a token, or a list of its names; * = all organisations"
    )
    trusted_proxies: str = setting(
        "",
        "",
        "addresses or networks, with commas, whose X-Forwarded-For is believed; an API key is needed behind them",
    )
    body_seconds: float = setting(30.0, "s", "time a client has to send its body; later is 408", low=0.1, high=3600)
    max_sessions: int = setting(30_000, "sessions", "sessions of a dataset; more is refused", low=1, high=1_000_000)
    max_body_mb: float = setting(16.0, "MB", "largest request body; more is refused with 413", low=0.001, high=1024)
    max_json_values: int = setting(
        1_000_000, "values", "values of a JSON body; more is refused unread", low=1_000, high=100_000_000
    )
    max_json_lists: int = setting(
        150_000, "lists", "objects and lists of a JSON body; more is refused unread", low=1_000, high=100_000_000
    )
    limit_rooms: int = setting(5_000, "rooms", "rooms of a dataset; more is refused", low=1, high=1_000_000)
    limit_people: int = setting(
        100_000, "people", "students, teachers and groups of a dataset; more is refused", low=1, high=10_000_000
    )
    limit_enrolments: int = setting(
        500_000, "enrolments", "students summed over the courses of a dataset; more is refused", low=1, high=100_000_000
    )
    limit_links: int = setting(20_000, "links", "links of a dataset; more is refused", low=1, high=1_000_000)
    limit_places: int = setting(
        2_000, "million", "estimated places (session, slot, room) of a model; more is refused", low=1, high=1_000_000
    )
    limit_pairs: int = setting(
        20, "million", "estimated pairs of courses with a common student; more is refused", low=1, high=1_000_000
    )
    readers: int = setting(2, "processes", "parse workers, which read large request bodies", low=1, high=64)
    read_seconds: float = setting(
        20.0, "s", "time to read one request body, or to wait for a free parse worker", low=0.1, high=3600
    )
    reader_memory_mb: int = setting(
        default_parse_worker_mb, "MB", "memory of one parse worker before it is ended", low=256, high=1_048_576
    )
    # --- how often one client may ask; a client is an API key, or an address where there are no keys ---
    submits_per_minute: int = setting(3_000, "requests", "jobs a client may submit; 0 = any", low=0, high=10_000_000)
    checks_per_minute: int = setting(
        3_000, "requests", "checks, exports and samples a client may ask for; 0 = any", low=0, high=10_000_000
    )
    reads_per_minute: int = setting(
        30_000, "requests", "other reads of a client, progress not counted; 0 = any", low=0, high=10_000_000
    )
    max_streams: int = setting(500, "streams", "open event streams of all clients", low=1, high=100_000)
    max_streams_per_client: int = setting(200, "streams", "open event streams of one client", low=1, high=100_000)
    # --- how long jobs are kept, and room on the disk for them ---
    keep_days: float = setting(
        30.0, "days", "ended jobs are deleted when they are older; 0 = never", low=0, high=36_500
    )
    keep_jobs: int = setting(
        10_000, "jobs", "ended jobs that are kept; the oldest go first; 0 = any number", low=0, high=10_000_000
    )
    min_free_mb: int = setting(
        200, "MB", "free disk space of data_dir, below which new jobs are refused with 507", low=0, high=1_000_000_000
    )
    min_free_inodes: int = setting(
        1_000, "files", "files that data_dir must still have room for; the same", low=0, high=1_000_000_000
    )
    reserve_mb: int = setting(
        16, "MB", "disk space held in reserve for ends and deletes when the disk is full", low=0, high=1_000_000
    )
    # --- copies of the job store ---
    backup_every_hours: float = setting(0.0, "h", "time between verified backups; 0 = none", low=0, high=8_760)
    backup_dir: str = setting("", "path", "folder of the backups; empty = `backups` in data_dir")
    backup_keep: int = setting(7, "backups", "backups that are kept; the oldest go first", low=1, high=10_000)
    backup_key_file: str = setting(
        "", "path", "file with the key that signs backups; with it, unsigned ones are refused; empty = none"
    )
    # --- what is read from the platform, and what it is told ---
    platform_database_url: str = setting("", "", "PostgreSQL of the platform; empty = none", secret=True)
    platform_source: YesOrNo = setting("no", "", "whether requests without data get theirs from that database")
    platform_connections: int = setting(
        2, "connections", "most connections that read from the platform", low=1, high=20
    )
    platform_connect_seconds: float = setting(
        15.0, "s", "time to connect there, all tries together; one that sleeps wakes in it", low=1, high=60
    )
    platform_statement_seconds: float = setting(30.0, "s", "time for one question there", low=0.1, high=600)
    platform_update: YesOrNo = setting("no", "", "whether results are written to generation_jobs of that database")
    platform_rows_seconds: float = setting(
        5.0, "s", "time between two looks at its rows there while jobs live or have just ended", low=0.05, high=3600
    )
    platform_redis_url: str = setting(
        "", "", "Redis of the platform, redis:// or rediss://, for progress; empty = none", secret=True
    )
    platform_redis_db: int = setting(-1, "", "database index there; -1 = as the address says", low=-1, high=1_000_000)
    platform_redis_seconds: float = setting(
        1.0, "s", "least time between two writes of the progress of one job", low=0.05, high=60
    )
    platform_celery: Literal["off", "inline", "committed"] = setting(
        "off",
        "",
        "task sent to the platform's workers: inline = with the variants, committed = after the database has them",
    )
    platform_broker_url: str = setting(
        "", "", "broker of these workers, Redis or AMQP, also with TLS; empty = platform_redis_url", secret=True
    )
    platform_broker_db: int = setting(-1, "", "database index there; -1 = as the address says", low=-1, high=1_000_000)
    platform_celery_queue: str = setting("celery", "", "queue of these workers")
    platform_tls_ca: str = setting("", "path", "certificates that Redis and broker are checked with; empty = system's")
    platform_tls_verify: Literal["required", "none"] = setting(
        "required", "", "whether certificates of Redis and broker are checked"
    )
    platform_callback_url: str = setting(
        "", "", "address of the platform that gets results by POST; empty = none", secret=True
    )
    webhook_url: str = setting("", "", "https address that is told of every end, signed; empty = none", secret=True)
    webhook_secrets: str = setting(
        "",
        "",
        "keys that sign it (whsec_...), separated by blanks; the old one stays while it is replaced",
        secret=True,
    )
    webhook_private: YesOrNo = setting("no", "", "whether it may go to private and loopback addresses, and by http")
    delivery_tries: int = setting(40, "tries", "tries of a delivery before it is put aside", low=1, high=10_000)
    delivery_first_wait_seconds: float = setting(
        1.0, "s", "pause before the second try; each later one is twice as long", low=0.01, high=3600
    )
    delivery_longest_wait_seconds: float = setting(300.0, "s", "longest such pause", low=0.01, high=86_400)
    # --- alarms shown by /health; they never make the service unhealthy ---
    alarm_cpu_percent: float = setting(80.0, "%", "processor load that raises an alarm", low=0, high=100)
    alarm_memory_percent: float = setting(85.0, "%", "memory use that raises an alarm", low=0, high=100)
    alarm_disk_percent: float = setting(90.0, "%", "disk use that raises an alarm", low=0, high=100)
    alarm_hold_seconds: float = setting(
        60.0, "s", "a threshold is crossed for so long before an alarm is raised, or lowered again", low=0, high=86_400
    )
    alarm_queue_seconds: float = setting(
        1800.0, "s", "waiting time of the oldest queued job that raises an alarm", low=1, high=31_536_000
    )
    # --- what operators are told ---
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "", "least urgent log lines that are written"
    )
    log_format: Literal["auto", "json", "text"] = setting(
        "auto", "", "log lines as text or JSON; auto = text on a terminal"
    )
    log_file: str = setting("", "path", "file that gets the log as JSON, too; empty = none")
    log_file_mb: float = setting(10.0, "MB", "size at which the log file is rotated", low=0.01, high=10_000)
    log_files: int = setting(5, "files", "rotated log files that are kept", low=1, high=1_000)
    slow_seconds: float = setting(10.0, "s", "an operation that takes longer is warned of", low=0.001, high=3600)
    alert_webhook_url: str = setting(
        "", "", "https address that gets alerts by POST; http on loopback only; empty = none", secret=True
    )
    alert_command: str = setting(
        "", "", "program, with arguments, that gets alerts as JSON on its standard input; empty = none"
    )
    alert_urls: str = setting(
        "",
        "",
        "addresses by which people are told, separated by blanks: slack://, mailtos://, twilio:// ...; empty = none",
        secret=True,
    )
    alert_hold_seconds: float = setting(
        900.0, "s", "the same alert is told once in this time, with a count", low=1, high=31_536_000
    )

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, given: Any, made: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """All that is wrong at once, in our words. The context, when there is one, says which variable was read."""
        try:
            settings = made(given)
        except ValidationError as error:
            raise SettingsError("; ".join(sentence(one, ROWS, info.context or {}) for one in error.errors())) from None
        if lacking := settings._lacking():  # the rest is looked at with what is lacking
            raise ExtraMissing(lacking)
        if problems := settings._problems():
            raise SettingsError("; ".join(problems))
        return settings

    def _problems(self) -> list[str]:
        problems = []
        for smaller, larger in (("solve_seconds", "max_solve_seconds"), ("num_variants", "max_variants")):
            if getattr(self, smaller) > getattr(self, larger):
                low, high = getattr(self, smaller), getattr(self, larger)
                problems.append(f"{variable(smaller)}={low}: expected at most {variable(larger)}, which is {high}")
        problems += [
            f"{variable('trusted_proxies')}: {name!r} is not the address or network of a proxy"
            for name in self.proxies
            if not narrows_down(name)
        ]
        return problems + self._unfit_texts() + self._missing() + self._unfit_algorithms()

    def _lacking(self) -> dict[str, str]:
        """Settings whose extra is not installed, each with a sentence about it."""
        needed = {name: extra for name, extra in extras.OF_SETTINGS.items() if getattr(self, name)}
        return {name: said for name, extra in needed.items() if (said := extras.problem(variable(name), extra))}

    def _unfit_texts(self) -> list[str]:
        """Addresses, keys, paths and names that cannot be used; no value is quoted, it may hold a password."""
        checks: dict[str, tuple[addresses.Check, ...]] = {
            name: (addresses.text_problem, *([addresses.path_problem] if row.unit == "path" else []))
            for name, row in ROWS.items()
            if row.kind in (str, Path)
        }
        for name, check in addresses.CHECKS.items():
            checks[name] = (*checks[name], check)
        private = self.webhook_private == "yes"
        checks["webhook_url"] = (*checks["webhook_url"], lambda url: addresses.url_problem(url, private=private))
        found = []
        for name, looks in checks.items():
            text = str(getattr(self, name))
            problem = next((said for look in looks if text and (said := look(text))), None)
            if problem:
                found.append(f"{variable(name)}: {problem}")
        return found

    def _missing(self) -> list[str]:
        """Settings that are of no use without another."""
        celery = []
        if self.platform_celery != "off" and not self.platform_redis_url:
            celery.append("platform_broker_url")
        if self.platform_celery == "committed" and self.platform_update == "no":
            celery.append("platform_update")
        of_tokens = ("key_files", "issuer", "audience", "scope_claim", "organisation_claim")
        needs: Mapping[str, Sequence[str]] = {
            "queue": ["database_url", "broker_url"] if self.queue == "celery" else [],
            "platform_source": ["platform_database_url"] if self.platform_source == "yes" else [],
            "platform_update": ["platform_database_url"] if self.platform_update == "yes" else [],
            "platform_celery": celery,
            "webhook_url": ["webhook_secrets"] if self.webhook_url else [],
            "jwt_algorithms": [f"jwt_{name}" for name in of_tokens] if self.jwt_algorithms else [],
        }
        missing = ((one, other) for one, others in needs.items() for other in others)
        return [
            f"{variable(one)} needs {variable(other)}" for one, other in missing if getattr(self, other) in ("", "no")
        ]

    def _unfit_algorithms(self) -> list[str]:
        """With a secret and public keys at once, a public key could be passed off as the secret."""
        named = self.token_algorithms
        unknown = [name for name in named if name not in TOKEN_ALGORITHMS]
        if unknown or ("HS256" in named and len(named) > 1):
            return [f"{variable('jwt_algorithms')}={self.jwt_algorithms!r}: expected HS256, or RS256 and EdDSA"]
        return []

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ, /, **given: object) -> Settings:
        """
        Reads every setting from `env`; `given` settings (command-line options) win over it.

        Raises
        ------
        SettingsError
            Some variable has a value that cannot be used; all of them are named.
        """
        rows = {name: row for name, row in ROWS.items() if name not in given}
        read = {name: by for name, row in rows.items() if (by := set_by(name, row, env)) is not None}
        values = {name: text_in(rows[name], env[by]) for name, by in read.items()}
        return cls.model_validate({**values, **given}, context=read)

    @classmethod
    def with_what_is_here(cls, env: Mapping[str, str] = os.environ, /) -> tuple[Settings, str]:
        """The settings without those whose extra is not installed, and a sentence about these. Raises SettingsError."""
        try:
            return cls.from_environment(env), ""
        except ExtraMissing as error:
            left_out = {set_by(name, ROWS[name], env) for name in error.sentences}
            rest = {name: text for name, text in env.items() if name not in left_out}
            return cls.from_environment(rest), str(error)

    def changed(self, **changes: object) -> Self:
        """The same settings but for these, checked again. Raises SettingsError."""
        return self.model_validate({**dict(self), **changes})

    @property
    def max_body_bytes(self) -> int:
        """`max_body_mb` in bytes; a MB has 10^6 of them."""
        return int(self.max_body_mb * MEGABYTE)

    @property
    def proxies(self) -> tuple[str, ...]:
        """The entries of `trusted_proxies`."""
        return entries_of(self.trusted_proxies)

    @property
    def token_algorithms(self) -> tuple[str, ...]:
        """The entries of `jwt_algorithms`."""
        return entries_of(self.jwt_algorithms)

    @property
    def alert_addresses(self) -> tuple[str, ...]:
        """The entries of `alert_urls`."""
        return tuple(self.alert_urls.split())

    @property
    def keys_folder(self) -> Path:
        """The folder of the API keys."""
        return Path(self.keys_dir).expanduser() if self.keys_dir else self.data_dir


ROWS: Mapping[str, SettingSpec] = {name: spec_of(field) for name, field in Settings.model_fields.items()}
"""Every setting, in the order of the table."""


def unknown_variables(env: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Variables with our prefix that name no setting, each with the name that was probably meant."""
    known = {variable(name) for name in ROWS}
    strangers = [name for name in env if name.startswith(PREFIX) and name not in known]
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), None) for name in strangers}
