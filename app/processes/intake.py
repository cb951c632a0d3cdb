"""
From the bytes of a request body to checked work. Everything here is blocking and free of HTTP: it runs in a thread.

A request names one source of data. A source that brings its own time grid keeps it; the platform's `time_config` is
used only where there is none, and the answer says which of the two happened.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from app.domain.exceptions import SourceNotConfigured
from app.domain.fingerprint import fingerprint
from app.domain.issues import below, wire_issue
from app.domain.jobs import MIN_SOLVE_SECONDS, JobRequest
from app.domain.messages import pack_text
from app.domain.options import SolveOptions
from app.domain.portfolio import ASKED
from app.domain.requests import (
    ADDED_FIELDS,
    MAY_BE_MISSING,
    META_FIELDS,
    TIME_CONFIG_FIELDS,
    GenerateRequest,
    RuleOverride,
    Source,
    SourceFormat,
    TimeConfig,
)
from app.domain.samples import load_sample
from app.domain.source import AWAITED, IMPORT, Query
from app.domain.unknown_fields import strangers_of, unused_note
from app.processes.size_limits import check_document, check_model
from app.processes.size_prescan import check_amount
from app.settings import Settings
from app.views.import_report import MAX_KEPT, account_of, told, warnings_of
from solver.advice import advice_on, notes_on
from solver.errors import InputError, Issue
from solver.formats.ctt import load_ctt
from solver.formats.issues import kind_of, pointer, raise_if_any
from solver.formats.json_text import parse_json, read_json
from solver.formats.native import SCHEMA, dump_dataset, load_dataset
from solver.formats.platform_csv import UNNAMED, Imported
from solver.formats.tim import load_tim
from solver.formats.zipped_csv import load_zipped_csv
from solver.model import Dataset
from solver.rules import RULE_IDS

_LONG_TEXTS = {("/content", "too_large"), ("/solution", "too_large")}


class Loaded(NamedTuple):
    """
    The data of a request: as an object, as native JSON, and a sentence about the time grid, if any.

    `document` is what was sent, where that was native already: writing out what it leaves to the defaults would cost as
    much as reading it, and the defaults of a schema never change.
    """

    dataset: Dataset
    document: dict[str, Any]
    note: str | None = None
    imported: Imported | None = None
    """How a CSV set was read."""


class _Load(NamedTuple):
    """
    What the store gets of the data of a job, a name for people, and sentences about the data, if any.

    `sent_text` is the canonical text of `dataset`, where the request has that and it is kept as it was sent.
    """

    packed: bytes
    name: str
    notes: tuple[str, ...]
    sent_text: str | None = None
    imported: Imported | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    A checked request. `notes` are sentences for the answer; `adjusted` maps a field to what was asked and given.

    A field that nobody knows, and that is close to one of ours, was given nothing; `meant` is that of ours. `warnings`
    are what people have to confirm about a CSV set, then what is odd about the data, in the form of issues.
    """

    request: JobRequest
    notes: tuple[str, ...]
    adjusted: Mapping[str, Mapping[str, object]]
    warnings: tuple[Mapping[str, Any], ...] = ()


def read_object(body: bytes, settings: Settings) -> dict[str, Any]:
    """
    A request body as a JSON object.

    Raises
    ------
    InputError
        The body is no JSON, or JSON that no honest client sends: too deep, repeated keys, NaN, broken Unicode.
    """
    check_amount(body, settings)
    document, issues = read_json(body)
    # A whole file travels as one text; every other text has a limit, and the body as a whole has one anyway.
    raise_if_any(issue for issue in issues if (issue.pointer, issue.code) not in _LONG_TEXTS)
    if not isinstance(document, dict):
        message = f"the body must be a JSON object, got {kind_of(document)}"
        raise InputError([Issue(pointer="", code="wrong_type", message=message, value=document)])
    return document


def read_order(
    body: bytes,
    settings: Settings,
    default_job_id: str | None = None,
    default_organization_id: str | None = None,
    *,
    has_platform: bool = False,
) -> Order:
    """
    The job that the body of `POST /generate_variants` asks for; a body without a job id gets the default, or a new one.

    A body without an organisation is read as if it named the default. `has_platform` says that a body without data may
    have it fetched later; its job then holds the query as a ticket.

    Raises
    ------
    InputError, pydantic.ValidationError
        The request or its data cannot be used; every problem has a pointer into the body.
    SourceNotConfigured, DatasetNotFound
        The request names no data, or a sample that does not exist.
    """
    document = read_object(body, settings)
    if default_organization_id is not None and document.get("organization_id") is None:
        document["organization_id"] = default_organization_id
    strangers = strangers_of(document)
    asked = GenerateRequest.model_validate(document)
    check_rules(asked.rules)
    awaited = has_platform and not asked.named
    loaded = _ticket(asked) if awaited else _inline(asked, load_source(asked, settings, asked.time_config))
    given, adjusted = _clamped(asked, settings)
    request = JobRequest(
        job_id=asked.job_id or default_job_id or str(uuid.uuid4()),
        body_hash=fingerprint_of(asked, loaded.sent_text),
        packed=loaded.packed,
        meta=_told(asked, loaded, given, awaited=awaited),
        options=SolveOptions(
            num_variants=int(given["num_variants"]),
            time_limit_seconds=given["time_limit_seconds"],
            seed=asked.seed,
            workers=int(given["workers"]) if asked.workers is not None else None,
            rules={name: rule.model_dump(exclude_none=True) for name, rule in asked.rules.items()},
        ),
    )
    notes = (*_notes(loaded, adjusted), *_notes_on(strangers), *filter(None, [unused_note(document)]))
    return Order(request=request, notes=notes, adjusted={**adjusted, **strangers}, warnings=loaded.warnings)


def _notes_on(strangers: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    for name, change in strangers.items():
        yield f"{name} is no known field and was not used; did you mean {change['meant']}?"


def _told(asked: GenerateRequest, loaded: _Load, given: Mapping[str, float], *, awaited: bool) -> dict[str, Any]:
    """The metadata of the job: what the request tells about itself, and what others must know of its data."""
    meta = {**_meta(asked), "dataset": loaded.name or asked.dataset_name or ""}
    if awaited:
        meta[AWAITED] = True
    if loaded.imported is not None:
        meta[IMPORT] = account_of(loaded.imported, MAX_KEPT)
    if asked.portfolio_workers is not None:
        meta[ASKED] = int(given["portfolio_workers"])
    return meta


def _notes(loaded: _Load, adjusted: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    changes = (
        f"{name} was set to {change['given']:g} instead of {change['asked']:g}." for name, change in adjusted.items()
    )
    return (*loaded.notes, *changes)


def _inline(asked: GenerateRequest, loaded: Loaded) -> _Load:
    text = canonical(loaded.document)
    sent = text if loaded.document is asked.dataset else None
    notes = tuple(filter(None, (loaded.note, *notes_on(loaded.dataset))))
    warnings = (*warnings_of(loaded.imported), *oddities_of(loaded.dataset, asked))
    return _Load(pack_text(text), loaded.dataset.name, notes, sent, loaded.imported, warnings)


def oddities_of(dataset: Dataset, asked: Source) -> list[dict[str, object]]:
    """What is odd about the data, with pointers into the body."""
    place = "/content" if asked.content is not None else "/dataset"
    return [wire_issue(issue) for issue in below(place, InputError(advice_on(dataset))).issues]


def _ticket(asked: GenerateRequest) -> _Load:
    """The query behind a request without data. Raises InputError when it does not say whose data it wants."""
    if not (asked.organization_id or "").strip():
        message = "a request without data must name the organisation whose data the platform database holds"
        raise InputError([Issue(pointer="/organization_id", code="missing", message=message)])
    try:
        grid, shortened = (None, None) if asked.time_config is None else _checked_grid(asked.time_config)
    except InputError as error:
        raise _grid_pointers(error, "") from error
    query = Query(
        organization_id=(asked.organization_id or "").strip(),
        semester=asked.semester,
        academic_year=asked.academic_year,
        time_grid=grid,
    )
    notes = ("Its data is fetched from the platform database.", *([f"{shortened}."] if shortened else []))
    return _Load(pack_text(canonical(asdict(query))), query.organization_id, notes)


def _checked_grid(time_config: object) -> tuple[dict[str, object], str | None]:
    """The native grid of a `time_config`, checked with the least dataset there can be; why its days are short."""
    grid = _time_grid(time_config)
    least = {"schema": SCHEMA, "time_grid": grid, "rooms": [{"id": "r", "capacity": 1}], "courses": [{"id": "c"}]}
    return grid, load_dataset(least).time_grid.shortened


def _clamped(asked: GenerateRequest, settings: Settings) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """The numbers a job gets, and those of them that differ from what was asked."""
    wanted = {
        "num_variants": asked.num_variants,
        "time_limit_seconds": asked.time_limit_seconds,
        "workers": asked.workers,
        "portfolio_workers": asked.portfolio_workers,
    }
    given = {
        "num_variants": min(asked.num_variants or settings.num_variants, settings.max_variants),
        "time_limit_seconds": min(
            max(asked.time_limit_seconds or settings.solve_seconds, MIN_SOLVE_SECONDS), settings.max_solve_seconds
        ),
        "workers": min(asked.workers or settings.workers_per_job, settings.workers_per_job),
        "portfolio_workers": min(asked.portfolio_workers or 1, settings.portfolio_workers),
    }
    adjusted = {
        name: {"asked": value, "given": given[name]}
        for name, value in wanted.items()
        if value is not None and value != given[name]
    }
    return given, adjusted


def canonical(document: object) -> str:
    """The one JSON text of a document: keys sorted, no blanks, ASCII only."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def fingerprint_of(asked: GenerateRequest, dataset_text: str | None = None) -> str:
    """
    What a repetition of this request is known by, see `app.domain.fingerprint`.

    `dataset_text` is the canonical text of `asked.dataset` for those who have it: nearly all of a body, which need not
    be encoded again.
    """
    texts = _texts(asked, dataset_text)
    if not (asked.organization_id or "").strip():
        return fingerprint(_hash_of(texts))
    optional = {name: texts[name] for name in MAY_BE_MISSING if texts[name] not in _SAYS_NOTHING}
    fixed = {name: text for name, text in texts.items() if name not in MAY_BE_MISSING}
    return fingerprint(_hash_of(texts), _joined(fixed), optional)


_SAYS_NOTHING = frozenset({"null", "[]", "{}", '""'})


def body_hash(asked: GenerateRequest, dataset_text: str | None = None) -> str:
    """
    SHA-256 of what a request asks for, in hex: every field we know, in canonical JSON, without the job id.

    Unknown fields, the order of keys and two spellings of one semester make no other job.
    """
    return _hash_of(_texts(asked, dataset_text))


def _texts(asked: GenerateRequest, dataset_text: str | None) -> dict[str, str]:
    # A field added later must not change the hash of a body that does not name it: jobs are resent after upgrades.
    left_out = {"job_id", "dataset", *(name for name in ADDED_FIELDS if getattr(asked, name) is None)}
    texts = {name: canonical(value) for name, value in asked.model_dump(mode="json", exclude=left_out).items()}
    return {**texts, "dataset": canonical(asked.dataset) if dataset_text is None else dataset_text}


def _hash_of(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(_joined(texts).encode()).hexdigest()


def _joined(texts: Mapping[str, str]) -> str:
    whole = ",".join(f'"{name}":{texts[name]}' for name in sorted(texts))
    return f"{{{whole}}}"


def check_rules(rules: Mapping[str, RuleOverride]) -> None:
    """Raises `InputError` with every rule name that does not exist."""
    unknown = [name for name in rules if name not in RULE_IDS]
    if unknown:
        raise InputError(
            Issue(
                pointer=pointer(("rules", name)),
                code="unknown_rule",
                message=f"there is no rule {name[:100]!r}; there are {', '.join(RULE_IDS)}",
                value=name,
            )
            for name in unknown
        )


def load_source(source: Source, settings: Settings, time_config: object = None) -> Loaded:
    """The data that a request names, checked; pointers lead into the request body."""
    named = source.named
    if not named:
        raise SourceNotConfigured(
            "No platform database is configured. Send the data with the request: as `dataset`, as `content` with "
            "`format`, or name a sample in `dataset_name`."
        )
    if len(named) > 1:
        message = f"exactly one source is wanted, got {' and '.join(named)}"
        raise InputError([Issue(pointer=f"/{named[1]}", code="too_many_sources", message=message)])
    if source.dataset_name is not None:
        dataset, document = load_sample(source.dataset_name, 0)
        loaded = Loaded(dataset, document, _grid_note(time_config))
    elif source.content is not None:
        loaded = _load_content(source, settings, time_config)
    else:
        loaded = _load_inline(source.dataset, settings, time_config)
    check_model(loaded.dataset, settings, "/content" if source.content is not None else "/dataset")
    return loaded


def _load_content(source: Source, settings: Settings, time_config: object) -> Loaded:
    """`content` with `format`. Only a native document can lack a grid, so only there `time_config` can apply."""
    if source.format is None:
        issue = Issue(
            pointer="/format", code="missing", message=f"content needs a format: {' or '.join(get_args(SourceFormat))}"
        )
        raise InputError([issue])
    content = source.content or ""
    if source.format == "json":
        try:
            check_amount(content.encode(errors="surrogatepass"), settings)
            document = parse_json(content)
        except InputError as error:
            raise below("/content", error) from error
        return _load_inline(document, settings, time_config, "/content")
    if source.format == "csv_zip":
        name = getattr(source, "organization_id", None) or UNNAMED
        return _load_csv_set(content, name, settings, time_config)
    try:
        dataset = _TEXT_READERS[source.format](content)
    except InputError as error:
        raise below("/content", error) from error
    document = dump_dataset(dataset)
    check_document(document, settings, "/content")
    return Loaded(dataset, document, _grid_note(time_config))


def _load_csv_set(content: str, name: str, settings: Settings, time_config: object) -> Loaded:
    """A CSV set knows neither whose it is nor a time grid, so both are those of the request."""
    try:
        imported = load_zipped_csv(_bytes_of(content), name)
    except InputError as error:
        raise below("/content", error) from error
    document = dump_dataset(imported.dataset)
    if time_config is not None:
        del document["time_grid"]
    loaded = _load_inline(document, settings, time_config, "/content")
    note = " ".join(filter(None, (told(imported), loaded.note)))
    return loaded._replace(note=note, imported=imported)


def _bytes_of(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise InputError([Issue(pointer="", code="bad_value", message=f"this is no base64: {error}")]) from error


_TEXT_READERS: Mapping[str, Callable[[str], Dataset]] = {"ctt": load_ctt, "tim": load_tim}


def _load_inline(document: object, settings: Settings, time_config: object, prefix: str = "/dataset") -> Loaded:
    if not isinstance(document, dict):
        message = f"a dataset must be an object, got {kind_of(document)}"
        raise InputError([Issue(pointer=prefix, code="wrong_type", message=message, value=document)])
    check_document(document, settings, prefix)
    note = _grid_note(time_config)
    uses_time_config = time_config is not None and document.get("time_grid") is None
    if uses_time_config:
        document = {**document, "time_grid": _time_grid(time_config)}
        note = "The time grid is that of time_config, because the dataset has none of its own."
    try:
        dataset = load_dataset(document, values_checked=True)
    except InputError as error:
        placed = below(prefix, error)
        raise (_grid_pointers(placed, prefix) if uses_time_config else placed) from error
    return Loaded(dataset, document, note)


def _time_grid(time_config: object) -> dict[str, object]:
    """The native grid of a `time_config`; pydantic's complaints get their pointers below `/time_config`."""
    return _Wrapped.model_validate({"time_config": time_config}).time_config.grid()


class _Wrapped(BaseModel):
    time_config: TimeConfig


def _grid_pointers(error: InputError, prefix: str) -> InputError:
    """Issues of a grid that came from `time_config` point there, under the names of that form."""
    here = f"{prefix}/time_grid/"

    def moved(issue: Issue) -> Issue:
        if not issue.pointer.startswith(here):
            return issue
        field = issue.pointer.removeprefix(here)
        place = pointer(("time_config", TIME_CONFIG_FIELDS.get(field, field)))
        return Issue(pointer=place, code=issue.code, message=issue.message, value=issue.value)

    return InputError(map(moved, error.issues))


def _grid_note(time_config: object) -> str | None:
    return None if time_config is None else "The dataset's own time grid is used; time_config was not applied."


def _meta(asked: GenerateRequest) -> dict[str, object]:
    """What a job keeps of the request besides its work, without what was not sent."""
    return {name: value for name in META_FIELDS if (value := getattr(asked, name)) is not None}
