"""`timetable doctor`: what is wrong with this machine and what to do, and every setting with its source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.operations.startup import Finding, examine
from app.settings import SettingRow, Settings, describe

STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def run(console: Console, settings: Settings, lacking: str, *, as_json: bool) -> int:
    """
    Prints all findings and settings; 1 when some check is an error, as it is where settings ask for what is `lacking`.
    """
    findings, rows = list(examine(settings)), describe(settings)
    if lacking:
        findings.insert(0, Finding("extras", "error", lacking, "install it, or unset the variable"))
    if as_json:
        document = {"findings": [asdict(finding) for finding in findings], "settings": [_wire(row) for row in rows]}
        console.out(json.dumps(document, ensure_ascii=False), highlight=False)
    else:
        _print(console, findings, rows)
    return 1 if any(finding.verdict == "error" for finding in findings) else 0


def _wire(row: SettingRow) -> dict[str, str]:
    return {
        "name": row.name,
        "value": str(row.value),
        "default": str(row.default),
        "unit": row.unit,
        "source": row.source,
    }


def _print(console: Console, findings: Sequence[Finding], rows: Sequence[SettingRow]) -> None:
    table = Table(title="checks", title_justify="left")
    for column in ("check", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        told = (escape(finding.found), escape(finding.advice))  # names of extras stand in brackets
        table.add_row(finding.check, finding.verdict, *told, style=STYLES[finding.verdict])
    console.print(table)
    listing = Table(title="settings", title_justify="left")
    for column in ("variable", "value", "unit", "source", "meaning"):
        listing.add_column(column, overflow="fold")
    for row in rows:
        listing.add_row(row.variables[0], escape(str(row.value)), row.unit, row.source, row.help)
    console.print(listing)
