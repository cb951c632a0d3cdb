"""
Malformed request bodies without end: real bodies of `POST /generate_variants`, each spoilt in one seeded way.

Every body of `bodies(seed)` is malformed: the service must answer it with a 4xx problem document, quickly. A mutation
knows the grammar of what it spoils, so that most bodies are wrong in one place deep inside and right everywhere else,
which is where readers fail. The same seed gives the same bodies.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.malformed.corpus import VALID
from tests.malformed.zips import spoilt_content

CTT = "Name: x\nCourses: 1\nRooms: 1\nDays: 1\nPeriods_per_day: 1\nCurricula: 0\nConstraints: 0\n"
MAX_BODY = 100_000
"""Bytes; larger attacks are few and have tests of their own."""

NOT_JSON = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"9007199254740993",
    b"9" * 400,
    b"tru",
    b"'x'",
    b"0x1",
)
"""Values that parse with some reader or other, and that no honest client writes."""
BROKEN_TEXTS = (
    b'"\\ud800"',
    b'"\\udfff x"',
    b'"\\uZZZZ"',
    b'"\\x41"',
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b'"a\x00b"',
    b'"\n"',
)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "cp037")
CONTAINERS: tuple[Any, ...] = ([], [[]], {}, {"x": {}}, None, "", "x", 0, -1, 1.5, True, [None], [1, "a", {}])
HUGE = (2**53 + 1, -(2**53) - 1, 10**18, 2**63, 2**64, 10**100, 10**399)
JOB_IDS = (
    "../../etc/passwd",
    "a\tb",
    "-x",
    "x" * 129,
    "a\u0000b",
    "a\nb",
    "ä",
    "a/b",
    "\u202eabc",
    "%2e%2e",
    "'; drop table jobs; --",
)


class Wrong(NamedTuple):
    """A malformed body, and the name of what was done to it."""

    how: str
    body: bytes


def bodies(seed: int) -> Iterator[bytes]:
    """Malformed bodies, all of them, for ever."""
    return (wrong.body for wrong in named(seed))


def named(seed: int) -> Iterator[Wrong]:
    """The same, with the names of the mutations."""
    chance = random.Random(seed)
    while True:
        spoil = chance.choice(MUTATIONS)
        body = spoil(chance)
        if len(body) <= MAX_BODY:
            yield Wrong(spoil.__name__, body)


def request(chance: random.Random) -> dict[str, Any]:
    """A sound request, with the platform's fields in some of their forms."""
    return {
        "job_id": f"fuzz-{chance.randrange(10**9)}",
        "organization_id": chance.choice(["Banaras Hindu University", "0b5e", 7]),
        "semester": chance.choice([1, 2, "odd", "even"]),
        "academic_year": "2025-26",
        "batch_ids": ["b1", "b2"],
        "num_variants": chance.randint(1, 5),
        "time_limit_seconds": chance.choice([1, 2.5, 60]),
        "seed": chance.randrange(2**31),
        "rules": {"group_gap": {"tier": "soft", "weight": 2}},
        "dataset": copy.deepcopy(VALID),
    }


def written(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of every value in a document, itself left out."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    at(document, path[:-1])[path[-1]] = value
    return document


MARK = "@@here@@"


def spliced(chance: random.Random, raw: bytes) -> bytes:
    """A request with the given bytes in the place of some value of its dataset."""
    body = request(chance)
    path = ("dataset", *chance.choice(list(places(body["dataset"]))))
    return written(put(body, path, MARK)).replace(json.dumps(MARK).encode(), raw)


# --- texts that are no JSON ------------------------------------------------------------------------------------------


def truncated(chance: random.Random) -> bytes:
    text = written(request(chance))
    return text[: chance.randrange(len(text))]


def doubled(chance: random.Random) -> bytes:
    text = written(request(chance))
    return text + chance.choice([text, b",", b"}", b"]", b"x", b"\x00", b"{}"])


def wrong_byte(chance: random.Random) -> bytes:
    """One of the characters that hold the document together is another one."""
    text = bytearray(written(request(chance)))
    holds = [i for i, byte in enumerate(text) if byte in b'{}[]:"']
    text[chance.choice(holds)] = chance.choice(b"\x00\x07\xff\x80<;(|")
    return bytes(text)


def wrong_encoding(chance: random.Random) -> bytes:
    return json.dumps(request(chance)).encode(chance.choice(ENCODINGS)) if chance.random() < 0.9 else b"\xff\xfe"


def noise(chance: random.Random) -> bytes:
    return bytes([chance.choice(b"\x00\x01\x80\xff<%-")]) + chance.randbytes(chance.randrange(2_000))


def no_value(chance: random.Random) -> bytes:
    return spliced(chance, chance.choice(NOT_JSON))


def broken_text(chance: random.Random) -> bytes:
    return spliced(chance, chance.choice(BROKEN_TEXTS))


def deep(chance: random.Random) -> bytes:
    depth = chance.choice([33, 40, 100, 1_000, 30_000])
    opening, closing = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return spliced(chance, opening * depth + b"1" + closing * (depth if chance.random() < 0.8 else 0))


def repeated_key(chance: random.Random) -> bytes:
    body = request(chance)
    key = chance.choice(list(body))
    return b"{" + json.dumps(key).encode() + b": " + written(body[key]) + b", " + written(body)[1:]


def repeated_key_inside(chance: random.Random) -> bytes:
    return spliced(chance, b'{"id": "X1", "id": "X1", "capacity": 1}')


def other_document(chance: random.Random) -> bytes:
    return written(chance.choice([[], None, 1, "text", [request(chance)], True, -0.0]))


def too_long_text(chance: random.Random) -> bytes:
    body = request(chance)
    return written(put(body, ("dataset", "courses", 0, chance.choice(["id", "name", "code"])), "x" * 66_000))


# --- requests that say the wrong thing -------------------------------------------------------------------------------


def huge_number(chance: random.Random) -> bytes:
    body = request(chance)
    path = chance.choice([path for path in places(body) if isinstance(at(body, path), int)])
    return written(put(body, path, chance.choice(HUGE)))


def negative_number(chance: random.Random) -> bytes:
    fields = [
        ("rooms", 0, "capacity"),
        ("groups", 0, "size"),
        ("courses", 0, "sessions_per_week"),
        ("courses", 0, "session_slots"),
    ]
    body = request(chance)
    path = chance.choice(
        [*(("dataset", *field) for field in fields), ("seed",), ("num_variants",), ("time_limit_seconds",)]
    )
    return written(put(body, path, -chance.randint(1, 10**6)))


def wrong_type(chance: random.Random) -> bytes:
    """A field of the dataset holds a value of a type that it never has."""
    body = request(chance)
    path = ("dataset", *chance.choice([path for path in places(body["dataset"]) if path not in LENIENT]))
    return written(put(body, path, chance.choice(OTHERS[type(at(body, path))])))


def wrong_type_of_request(chance: random.Random) -> bytes:
    body = request(chance)
    field = chance.choice(
        ["job_id", "batch_ids", "num_variants", "time_limit_seconds", "seed", "rules", "dataset", "organization_id"]
    )
    wrong: dict[str, tuple[Any, ...]] = {
        "job_id": (1, [], {}, True),
        "batch_ids": ("b", {}, 5, [[]], [{}], [None]),
        "organization_id": ([], {}, True, "x" * 301),
        "dataset": ([], "x", 5, True, [[]]),
        "rules": ([], "x", 5, None, {"group_gap": []}, {"group_gap": {"tier": "holy"}}, {"group_gap": {"weight": "2"}}),
    }
    numbers = ("five", [], {}, "", True, "1")
    return written({**body, field: chance.choice(wrong.get(field, numbers))})


def left_out(chance: random.Random) -> bytes:
    """Something is missing that must be there."""
    body = request(chance)
    dataset = body["dataset"]
    path = chance.choice(
        [
            ("schema",),
            ("rooms",),
            ("courses",),
            ("rooms", 0, "id"),
            ("rooms", 1, "capacity"),
            ("courses", 1, "id"),
            ("faculty", 0, "id"),
            ("groups", 0, "id"),
            ("links", 0, "type"),
            ("links", 0, "sessions"),
            ("history", 0, "slot"),
        ]
    )
    del at(dataset, path[:-1])[path[-1]]
    return written(body)


def dangling(chance: random.Random) -> bytes:
    """A name that nobody has."""
    body, ghost = request(chance), f"ghost-{chance.randrange(10**6)}"
    change = chance.choice(
        [
            ("courses", 0, "faculty_ids", 0),
            ("courses", 0, "group_ids", 0),
            ("courses", 1, "prerequisites", 0),
            ("courses", 0, "fixed", 0, "room_id"),
            ("links", 0, "sessions", 0, 0),
            ("history", 0, "faculty_id"),
        ]
    )
    return written(put(body, ("dataset", *change), ghost))


def same_id_twice(chance: random.Random) -> bytes:
    body = request(chance)
    entries = body["dataset"][chance.choice(["rooms", "courses", "faculty", "groups"])]
    entries.append(copy.deepcopy(chance.choice(entries)))
    return written(body)


def unknown_field(chance: random.Random) -> bytes:
    body = request(chance)
    path = chance.choice(
        [(), ("rooms", 0), ("courses", 0), ("faculty", 0), ("groups", 0), ("time_grid",), ("links", 0)]
    )
    at(body["dataset"], path)[f"x{chance.randrange(10**6)}"] = chance.choice(CONTAINERS)
    return written(body)


def unknown_rule(chance: random.Random) -> bytes:
    body = request(chance)
    target = body if chance.random() < 0.5 else body["dataset"]
    target["rules"] = {f"rule-{i}": {"tier": "hard"} for i in range(chance.choice([1, 5, 101, 2_000]))}
    return written(body)


def bad_job_id(chance: random.Random) -> bytes:
    return written({**request(chance), "job_id": chance.choice(JOB_IDS)})


def bad_slot(chance: random.Random) -> bytes:
    body, slot = request(chance), chance.choice([-1, 30, 336, 10**6])
    path = chance.choice(
        [
            ("courses", 0, "allowed_slots", 0),
            ("faculty", 0, "unavailable", 0),
            ("rooms", 1, "unavailable", 0),
            ("courses", 0, "fixed", 0, "slot"),
            ("history", 0, "slot"),
        ]
    )
    return written(put(body, ("dataset", *path), slot))


def bad_grid(chance: random.Random) -> bytes:
    body = request(chance)
    field, value = chance.choice(
        [
            ("working_days", 0),
            ("working_days", 8),
            ("slots_per_day", 0),
            ("slots_per_day", 49),
            ("start_time", "soon"),
            ("start_time", "25:00"),
            ("end_time", "07:00"),
            ("slot_minutes", 0),
        ]
    )
    return written(put(body, ("dataset", "time_grid", field), value))


def bad_zip(chance: random.Random) -> bytes:
    body = request(chance)
    del body["dataset"]
    return written({**body, "content": spoilt_content(chance), "format": "csv_zip"})


def bad_source(chance: random.Random) -> bytes:
    body = request(chance)
    del body["dataset"]
    return written({**body, **chance.choice(SOURCES)})


def many_faults(chance: random.Random) -> bytes:
    """More faults than an answer lists."""
    kind = chance.choice(["rooms", "courses", "faculty", "groups", "links", "history"])
    body = request(chance)
    entry = chance.choice([{}, [], 1, None, {"id": 1}, {"id": "same"}])
    return written(put(body, ("dataset", kind), [entry] * chance.choice([3, 200, 1_500])))


LENIENT = {
    ("courses", 0, "credits"),
    ("rooms", 1, "department_id"),
    ("links", 0, "sessions", 1, 1),
    ("links", 0, "value"),
    ("time_grid", "lunch"),
}
"""Places of VALID that take values of several types; `wrong_type` leaves them alone."""
OTHERS: dict[type, tuple[Any, ...]] = {
    str: ([], {}, 5, True, [["x"]]),
    int: ([], {}, "five", True, 1.5, "5"),
    float: ([], {}, "half", True),
    list: ({}, "x", 5, True, {"0": "x"}),
    dict: ([], "x", 5, True, [{}]),
    type(None): ([], {}),
}
SOURCES: tuple[dict[str, Any], ...] = (
    {},
    {"dataset": None},
    {"dataset_name": "oxford"},
    {"dataset_name": ""},
    {"dataset_name": "x" * 200},
    {"dataset_name": 5},
    {"dataset_name": ["tiny"]},
    {"dataset_name": "../tiny"},
    {"content": CTT},
    {"content": CTT, "format": "ctt"},
    {"content": "", "format": "ctt"},
    {"content": "{", "format": "json"},
    {"content": "[]", "format": "json"},
    {"content": "[" * 5_000, "format": "json"},
    {"content": CTT, "format": "xlsx"},
    {"content": CTT, "format": None},
    {"content": 5, "format": "ctt"},
    {"content": "\x00", "format": "ctt"},
    {"dataset": VALID, "dataset_name": "tiny"},
    {"dataset": VALID, "content": CTT, "format": "ctt"},
)
MUTATIONS: tuple[Callable[[random.Random], bytes], ...] = (
    truncated,
    doubled,
    wrong_byte,
    wrong_encoding,
    noise,
    no_value,
    broken_text,
    deep,
    repeated_key,
    repeated_key_inside,
    other_document,
    too_long_text,
    huge_number,
    negative_number,
    wrong_type,
    wrong_type_of_request,
    left_out,
    dangling,
    same_id_twice,
    unknown_field,
    unknown_rule,
    bad_job_id,
    bad_slot,
    bad_grid,
    bad_source,
    bad_zip,
    many_faults,
)
