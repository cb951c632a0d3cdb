"""Answers about data, the service and its machine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.http.answers.common import Answer, Diagnosis, Levels, Notice, OpenSession, Seconds, TierName
from app.http.answers.results import QualityMetrics, RuleCount, Statistics


class SampleName(Answer):
    """A sample, and where it is to be had."""

    name: str
    description: str
    href: str


class SampleList(Answer):
    """All samples."""

    datasets: list[SampleName]


class SampleBody(Answer):
    """A body for `POST /generate_variants` with a whole sample in it."""

    organization_id: str
    semester: int
    num_variants: int
    time_limit_seconds: Seconds
    seed: int
    dataset: dict[str, Any]


class Size(Answer):
    """How much there is of everything."""

    name: str
    courses: int
    sessions: int
    faculty: int
    rooms: int
    groups: int
    students: int
    enrolments: int
    links: int
    time_slots: int


class ImportNote(Answer):
    """What was done with one cell of a file, or why its row could not be used."""

    file: str
    line: int
    column: str
    value: str
    message: str
    code: str


class ImportAccount(Answer):
    """What came of the rows of a CSV set: counts, and the first notes of each kind."""

    rows: dict[str, int]
    counts: dict[str, int]
    warnings: list[ImportNote]
    decisions: list[ImportNote]
    unusable: list[ImportNote]
    repairs: list[ImportNote]


class Validation(Answer):
    """A usable dataset; `feasible` is false with a proof, else null for "not known"."""

    valid: bool
    feasible: bool | None
    summary: Size
    warnings: list[Notice]
    diagnosis: Diagnosis
    import_account: Annotated[ImportAccount | None, Field(alias="import")] = None


class ScoreReport(Answer):
    """Every rule counted on a timetable that was made elsewhere."""

    verified: bool
    complete: bool
    score: float
    cost: int
    levels: Levels
    placed: int
    total: int
    distance_to_feasibility: int
    quality_metrics: QualityMetrics
    statistics: Statistics
    rules: list[RuleCount]
    unplaced: list[OpenSession]
    warnings: list[Notice]


class Amount(Answer):
    """So many entries, and their bytes together."""

    entries: int
    bytes: int


class AnswersKept(Amount):
    """The finished answers in memory, and the bytes that they may take."""

    most_bytes: int


class ReadersNow(Answer):
    """The parse workers, and how much each keeps in memory; `ready` ones have started."""

    processes: int
    ready: int
    results_kept_by_each: int
    samples_kept_by_each: int


class CacheStats(Answer):
    """What is kept between requests."""

    answers: AnswersKept
    readers: ReadersNow
    platform_data: dict[str, Amount]


class CacheDropped(Answer):
    """What was dropped of the data of an organisation, and what is still kept."""

    organization_id: str
    resource_type: str
    semester: int | str | None
    invalidated: Amount
    message: str
    kept: CacheStats


class CacheWarmed(Answer):
    """How much was fetched or read, so that the next requests find it in memory."""

    organization_id: str
    resource_type: str
    semester: int | str | None
    warmed: int
    message: str
    kept: CacheStats


class Backup(Answer):
    """The manifest of a verified backup, and where it lies."""

    data_dir: str
    path: str
    product: str
    service_version: str
    sqlite_version: str | None = None
    postgres_version: str | None = None
    schema_version: Annotated[int, Field(alias="schema")]
    made_at: Seconds
    file: str
    bytes: int
    sha256: str
    store_id: str
    commits: int | None = None
    rows: dict[str, int]
    jobs: dict[str, int]
    verified: bool
    signature: str | None


class Children(Answer):
    """The processes that solve; `quarantined` ones could not be ended and hold their slot."""

    running: int
    slots: int
    quarantined: int


class Resources(Answer):
    """How full the machine is, in percent."""

    cpu_percent: float
    memory_percent: float
    disk_percent: float
    disk_free_bytes: int


class Signs(Answer):
    """By what the state of the service is judged; ages and lags are seconds."""

    queued: int
    oldest_queued_seconds: Seconds
    supervisor_beat_age_seconds: Seconds
    beat_age_seconds: Seconds | None
    loop_lag_seconds: Seconds
    store_available: bool
    rows_set_aside: int


class Alert(Answer):
    """A condition that is on since an instant, and what to do about it."""

    alert: str
    severity: str
    sentence: str
    advice: str
    since: str


class Health(Answer):
    """Status, resources, signs and standing alerts, for people and for both platform versions."""

    service: str
    status: Literal["healthy", "degraded"]
    version: str
    timestamp: str
    redis: Literal["connected", "disconnected"]
    thread_pools: dict[str, int]
    children: Children
    resources: Resources
    alarms: list[str]
    ready: bool
    reasons: list[str]
    signs: Signs
    queue: dict[str, Any]
    platform: dict[str, Any]
    alerts: list[Alert]


class Alive(Answer):
    """The process answers; nothing else is said."""

    status: Literal["alive"]


class Ready(Answer):
    """The service takes jobs; `notes` say what does not work all the same."""

    status: Literal["ready"]
    ready: bool
    notes: list[str] | None = None


class Hardware(Answer):
    """What the machine offers, and how much of it is used."""

    platform: str
    architecture: str
    python_version: str
    cpu_cores: int
    usable_cores: int
    total_memory_gb: float
    available_memory_gb: float
    has_gpu: bool
    in_container: bool
    processor_quota: float | None
    tier: str
    slots: int
    workers_per_job: int
    memory_limit_mb: int


class PreviewSize(Answer):
    """How much there would be to plan."""

    courses: int
    faculty: int
    rooms: int
    time_slots: int
    students: int
    sessions: int
    groups: int


class Estimation(Answer):
    """How long a job of that size takes on this machine."""

    time_minutes: int
    strategy: str
    hardware_tier: str


class Preview(Answer):
    """How large a job would be, and how long it may take."""

    organization_id: str | None
    semester: int
    data: PreviewSize
    message: str | None
    estimation: Estimation


class Worker(Answer):
    """Somebody who runs jobs of this store."""

    id: str
    role: Literal["service", "worker"]
    host: str
    pid: int
    version: str
    slots: int
    busy: int
    jobs: list[str]
    assisting: list[str]
    started_at: str
    last_beat_seconds: Seconds
    silent: bool


class Workers(Answer):
    """Who solves jobs; `queue` is that of the messages to them."""

    queue: dict[str, Any]
    slots: int
    busy: int
    workers: list[Worker]


class RuleOption(Answer):
    """`price` is the cost per unit of a hard rule that may bend, null for one that is never broken, or soft."""

    id: str
    tier: TierName
    unit: str
    units: str
    name: str
    sentence: str
    weight: int
    price: int | None
    value: int | None
    rigid: bool
    on_top_of: str | None


class WholeRange(Answer):
    """What a job gets that asks for nothing, and the most that it may ask for."""

    default: int
    most: int


class SecondsRange(Answer):
    """The same in seconds."""

    default: Seconds
    most: Seconds


class Options(Answer):
    """What a job may ask for."""

    rules: list[RuleOption]
    num_variants: WholeRange
    time_limit_seconds: SecondsRange
    max_body_mb: float
    poll_seconds: Seconds
    stalled_after_seconds: Seconds
    formats: list[str]
    version: str


class ServiceName(Answer):
    """What answers here, and where to read on."""

    service: str
    version: str
    status: Literal["operational"]
    docs: str
    health: str
    datasets: str
    page: str
