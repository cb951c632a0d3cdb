"""CSV sets spoilt in seeded ways: each is refused with issues or read, every row accounted for, and nothing else."""

from __future__ import annotations

import random

import pytest

from solver.errors import InputError
from solver.formats.platform_csv import Imported, load_platform_csv
from tests.solver.formats.test_platform_csv import CLEAN

SETS = 300
CELLS = (
    *("", " ", "C", "C++", "c#", "S1", "Optics", "optics", "Óptica", "हिन्दी", "a, b", "a;b|c", '"', '""', "sep=;"),
    *("=1+1", "\u202e", "\x07", "x" * 300, "1,5", "1.000", "-1", "1e400", "nan", "∞", "٣", "B.Tech", "D1", "lab", "P1"),
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "cp1250", "cp1251", "gb18030", "cp932")


def spoilt(chance: random.Random) -> dict[str, bytes]:
    """The clean set with other cells, rows twice, another separator, another encoding, and some bytes of noise."""
    files: dict[str, bytes] = {}
    separator, encoding = chance.choice([",", ",", ";", "\t", "|"]), chance.choice(ENCODINGS)
    for name, text in CLEAN.items():
        header, *rows = [line.split(",") for line in text.splitlines()]
        more = [[f"{rows[0][0]}{n}" if chance.random() < 0.9 else "", *rows[0][1:]] for n in range(chance.randrange(8))]
        for n, row in enumerate(more):
            row[1] += f" {n}" if name == "subjects.csv" and chance.random() < 0.9 else ""
            for _ in range(chance.randrange(3)):
                row[chance.randrange(len(row))] = chance.choice(CELLS)
        rows += more + chance.sample(more, len(more) // 3)
        lines = [separator.join(cells) for cells in (header, *rows)]
        data = bytearray("\r\n".join(lines).encode(encoding, "replace"))
        for _ in range(chance.choice([0] * 20 + [1, 5])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        files[name] = bytes(data)
    return files


def read(files: dict[str, bytes]) -> Imported | None:
    try:
        return load_platform_csv(files)
    except InputError as error:
        assert error.issues and all(issue.message and issue.code for issue in error.issues)
        return None


@pytest.mark.parametrize("part", range(3))
def test_every_spoilt_set_is_refused_or_read_with_every_row_accounted_for(part: int) -> None:
    chance = random.Random(part)
    found = [imported for _ in range(SETS // 3) if (imported := read(spoilt(chance)))]
    assert len(found) > SETS // 12, "nothing is tested by sets that are all refused"
    for imported in found:
        lost: dict[str, set[int]] = {}
        for note in imported.unusable:
            assert note.line not in lost.setdefault(note.file, set()), "a row is told once"
            lost[note.file].add(note.line)
        dataset = imported.dataset
        assert imported.rows["faculty"] - len(lost.get("faculty", ())) == len(dataset.faculty)
        assert imported.rows["batches"] - len(lost.get("batches", ())) == len(dataset.groups)
        assert imported.rows["subjects"] - len(lost.get("subjects", ())) == len({c.code for c in dataset.courses})
        joined = any(note.code == "joined_rows" for note in imported.decisions)
        used = imported.rows["students"] - len(lost.get("students", ()))
        assert used == len(dataset.student_ids) or (joined and used > len(dataset.student_ids))


def test_the_same_set_gives_the_same_dataset_and_account() -> None:
    files = spoilt(random.Random(7))
    assert read(files) == read(dict(files))
