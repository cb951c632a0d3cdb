"""`timetable doctor`: what is wrong with this machine and what to do, and every setting with its source."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.operations.startup import CheckResult, examine
from app.settings import ROWS, Settings, SettingsError, variable
from app.system.variables import set_by, text_in

STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


class SettingRow(NamedTuple):
    """One line of the listing. `source` is the variable read, "default", or "given" by a caller."""

    name: str
    variables: tuple[str, ...]
    value: object
    default: object
    unit: str
    help: str
    source: str


def describe(settings: Settings, env: Mapping[str, str] = os.environ) -> list[SettingRow]:
    """Every setting with its value and where it came from, in the order of the table."""
    return [_describe(name, settings, env) for name in ROWS]


def _describe(name: str, settings: Settings, env: Mapping[str, str]) -> SettingRow:
    row, value = ROWS[name], getattr(settings, name)
    read = set_by(name, row, env)
    default = Settings.model_fields[name].get_default(call_default_factory=True, validated_data={})
    if read is not None and _would_be_the_same(settings, name, text_in(row, env[read])):
        source = read
    else:
        source = "default" if value == default else "given"
    shown = "(set, not shown)" if row.secret and value else value
    return SettingRow(name, (variable(name), *row.aliases), shown, default, row.unit, row.help, source)


def _would_be_the_same(settings: Settings, name: str, text: str) -> bool:
    try:
        return settings.changed(**{name: text}) == settings
    except SettingsError:
        return False


def run(console: Console, settings: Settings, lacking: str, *, as_json: bool) -> int:
    """
    Prints all findings and settings; 1 when some check is an error, as it is where settings ask for what is `lacking`.
    """
    findings, rows = list(examine(settings)), describe(settings)
    if lacking:
        findings.insert(0, CheckResult("extras", "error", lacking, "install it, or unset the variable"))
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


def _print(console: Console, findings: Sequence[CheckResult], rows: Sequence[SettingRow]) -> None:
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
