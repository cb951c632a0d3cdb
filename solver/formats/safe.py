"""Names come from strangers: what makes a text harmless in a spreadsheet and in a browser, and fit for XML."""

from __future__ import annotations

import re

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""For all that browsers show: nothing is loaded, nothing runs."""

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"[\t\r\n\0]|\s*[{_SIGNS}]")
_BEHIND_A_SPLIT = re.compile(rf'([;|\t\r\n][\s"]*)(?=[{_SIGNS}])')
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def inert(cell: str) -> str:
    """
    The cell as a spreadsheet shows it without running it.

    One that begins like a formula gets an apostrophe in front (OWASP, "CSV Injection"); some spreadsheets also take
    the wide forms of the signs, and some take no notice of blanks before them.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def inert_in_csv(cell: str) -> str:
    """
    The same for a cell of a CSV file.

    Where a comma stands in numbers, spreadsheets split such a file at semicolons instead, so a formula may begin
    behind any of them.
    """
    return _BEHIND_A_SPLIT.sub(r"\1'", inert(cell))


def printable(text: str) -> str:
    """The text with a replacement character for each that XML 1.0 has no place for: controls, half surrogate pairs."""
    return _NOT_IN_XML.sub("\ufffd", text)


def shortened(text: str, most: int) -> str:
    """At most `most` characters, the last one an ellipsis where something was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
