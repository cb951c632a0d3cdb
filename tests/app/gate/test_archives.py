"""A zip of CSV files is read, and nothing else that calls itself one."""

from __future__ import annotations

import base64
import io
import zipfile

import pytest

from app.gate import archives
from app.gate.archives import MAX_FILES, csv_texts
from solver.errors import InputError


def packed(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> str:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return base64.b64encode(content.getvalue()).decode()


def refusal(content: str) -> str:
    with pytest.raises(InputError) as caught:
        csv_texts(content)
    (issue,) = caught.value.issues
    return issue.code


def test_csv_files_are_read_from_any_folder_and_everything_else_is_passed_over() -> None:
    files = {"set/rooms.csv": b"\xef\xbb\xbfid\n1\n", "__MACOSX/set/rooms.csv": b"\x00", "readme.txt": b"hello"}
    assert csv_texts(packed(files)) == {"rooms.csv": "id\n1\n"}


def test_names_lead_nowhere() -> None:
    assert csv_texts(packed({"../../etc/passwd.csv": b"x"})) == {"passwd.csv": "x"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("?", "not_base64"),
        ("", "not_a_zip"),
        (base64.b64encode(b"PK\x03\x04 and nothing more").decode(), "not_a_zip"),
        (packed({"a.txt": b""}), "empty"),
        (packed({f"{i}.csv": b"" for i in range(MAX_FILES + 1)}), "too_large"),
        (packed({"a.csv": b"\xff\xfe\x00"}), "bad_utf8"),
    ],
)
def test_what_is_no_such_zip_is_refused(content: str, code: str) -> None:
    assert refusal(content) == code


def test_a_small_zip_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = packed({f"{i}.csv": bytes(600_000) for i in range(2)})
    assert len(bomb) < 5_000 and refusal(bomb) == "too_large"


def test_a_damaged_zip_is_refused() -> None:
    data = bytearray(base64.b64decode(packed({"a.csv": b"id\n" * 500})))
    data[45] ^= 0xFF
    assert refusal(base64.b64encode(bytes(data)).decode()) == "not_a_zip"
