"""Zip files of the CSV set, each spoilt in one seeded way: none of them can be used."""

from __future__ import annotations

import base64
import io
import random
import zipfile
from collections.abc import Callable

from solver.formats.zipped_csv import MAX_MEMBERS
from tests.solver.formats.test_platform_csv import CLEAN


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # of no date: the same bytes every time
    return content.getvalue()


SET = {name: text.encode() for name, text in CLEAN.items()}
SOUND = packed(SET)
BOMB = packed({**SET, "students.csv": b"0" * 4_000_000})
CROWD = packed({f"{n}.csv": b"" for n in range(MAX_MEMBERS + 1)})
TWICE = packed({**SET, "other/students.csv": SET["students.csv"]})
NEEDED = ("classrooms.csv", "subjects.csv")


def cut(chance: random.Random) -> bytes:
    """The list of what an archive holds stands at its end."""
    return SOUND[: chance.randrange(len(SOUND) - 1)]


def without_a_table(chance: random.Random) -> bytes:
    missing = chance.choice(NEEDED)
    return packed({name: text for name, text in SET.items() if name != missing})


def of_another_kind(chance: random.Random) -> bytes:
    return packed({f"{chance.randrange(100)}.exe": chance.randbytes(chance.randrange(2_000))})


def wrong_bytes(chance: random.Random) -> bytes:
    """Within what is packed; a check sum tells."""
    spoilt = bytearray(SOUND)
    begin = len("classrooms.csv") + 60
    for place in range(begin, begin + 20):
        spoilt[place] ^= chance.randrange(1, 256)
    return bytes(spoilt)


def workbook(chance: random.Random) -> bytes:
    return packed({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": chance.randbytes(chance.randrange(2_000))})


def damaged_text(chance: random.Random) -> bytes:
    """UTF-8 with a byte in it that stands in none, or bytes that stand in no text at all."""
    names = "".join(chance.choice("äöüßéñłшф漢") for _ in range(30))
    wrong = chance.choice([names.encode() + b"\xff", b"\x00\xfe" + chance.randbytes(100), names.encode("utf-16-le")])
    return packed({**SET, chance.choice(NEEDED): SET["subjects.csv"] + wrong})


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    cut,
    without_a_table,
    of_another_kind,
    wrong_bytes,
    workbook,
    damaged_text,
    lambda chance: BOMB,
    lambda chance: CROWD,
    lambda chance: TWICE,
    lambda chance: chance.randbytes(chance.randrange(500)),
)


def spoilt_content(chance: random.Random) -> str:
    """For the field `content` of a request whose `format` is `csv_zip`."""
    text = base64.b64encode(chance.choice(KINDS)(chance)).decode()
    return text if chance.random() < 0.9 else f"{text}!"
