"""
How results look on a terminal. Draws the wire form of `app.views.variants`, from HTTP or from a local solve alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from solver.errors import Issue
from solver.labels import NO_ROOM
from solver.names import counted

View = Mapping[str, Any]

MAX_LISTED = 12
MAX_NOTES = 5
MAX_VALUE = 40
METRICS = (
    ("score", "", "overall_score"),
    ("days without gaps", "%", "student_compactness_score"),
    ("teachers' wishes met", "%", "faculty_satisfaction"),
    ("even workload", "%", "faculty_workload_balance_score"),
    ("seats filled", "%", "seat_fill"),
    ("rooms used", "%", "rooms_used"),
)
MAX_CELL = 80
ENDED = {
    "proved": "ended because nothing better exists",
    "deadline": "ended at its time limit",
    "stalled": "ended because it no longer improved",
    "cancelled": "cancelled",
    "finished_early": "finished early, as asked",
    "memory": "ended for lack of memory",
    "crash": "ended by a crash",
}
EVIDENCE = {
    "certificate": "proved by counting",
    "two_solves": "two different exact searches agree",
    "one_solve": "one exact search says so",
    None: "not proved",
}
QUALITY = {
    "optimal": ("the best possible, proved", "bold green"),
    "feasible": ("every hard rule is kept", "green"),
    "relaxed": ("some hard rules are bent", "yellow"),
    "partial": ("some sessions have no place", "red"),
}
"""What a result is, and its colour."""


def progress_bar(console: Console) -> Progress:
    """A bar with stage, rung, cost and bound; feed it with `advance`."""
    return Progress(
        TextColumn("[bold]{task.fields[stage]:<10}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("rung [cyan]{task.fields[rung]:<8}"),
        TextColumn("placed {task.fields[placed]}"),
        TextColumn("cost [yellow]{task.fields[cost]}"),
        TextColumn("bound {task.fields[bound]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def bar_fields(
    *,
    stage: str,
    rung: object = None,
    placed: object = None,
    total: object = None,
    cost: object = None,
    bound: object = None,
) -> dict[str, Any]:
    """The texts of `progress_bar`; a dash where nothing is known yet."""
    return {
        "stage": stage,
        "rung": _known(rung),
        "placed": f"{_known(placed)}/{_known(total)}",
        "cost": _known(cost),
        "bound": _known(bound),
    }


def _known(value: object) -> str:
    return "-" if value is None else str(value)


def verdict(view: View) -> RenderableType:
    """What we hold, by which promise, and why the search ended."""
    best = view["variants"][0]
    levels, statistics = best["levels"], best["statistics"]
    quality = Text(*QUALITY[best["quality"]])
    bound, gap = view.get("lower_bound"), view.get("gap")
    proved = (
        "no bound proved"
        if bound is None
        else f"proved bound {bound}" + (f", gap {100 * gap:.1f}%" if gap is not None else "")
    )
    lines = [
        Text.assemble(quality, f"   {ENDED[view['stopped_by']]}   rung {best['rung']}"),
        Text(str(best["promise"]), style="italic"),
        Text(
            f"{statistics['scheduled_sessions']} of {statistics['total_sessions']} sessions placed, "
            f"{counted(hard_breaches(best), 'hard breach', 'hard breaches')}"
        ),
        Text(f"soft cost {levels['soft']} ({proved})"),
    ]
    return Panel(Group(*lines), title="verdict", title_align="left", expand=False)


def hard_breaches(variant: View) -> int:
    """Units broken over the hard rules, as the verifier counted them."""
    return sum(rule["count"] for rule in variant["rules"] if rule["tier"] == "hard")


def ledger(view: View) -> RenderableType:
    """What was given up, and why not everything could hold."""
    parts: list[RenderableType] = []
    concessions = view["variants"][0]["concessions"]
    if not concessions and not view["variants"][0]["unplaced"]:
        return Text("nothing was given up", style="green")
    if concessions:
        table = Table(title="rules given up, counted on the original data", title_justify="left")
        for column in ("rule", "how much", "price", "for example"):
            table.add_column(column, overflow="fold")
        for row in concessions:
            example = row["offences"][0]["message"] if row["offences"] else ""
            table.add_row(row["name"], counted(row["count"], row["unit"], row["units"]), str(row["cost"]), example)
        parts.append(table)
    parts.extend(_work_list(view["variants"][0]["unplaced"]))
    parts.extend(_diagnosis(view.get("diagnosis", {})))
    return Group(*parts)


def _work_list(unplaced: Sequence[View]) -> Iterable[RenderableType]:
    if not unplaced:
        return
    table = Table(title=f"work list: {counted(len(unplaced), 'open session')}", title_justify="left")
    for column in ("session", "blocked by", "repair"):
        table.add_column(column, overflow="fold")
    for row in unplaced[:MAX_LISTED]:
        repair = row["repairs"][0]["sentence"] if row["repairs"] else "none was found"
        table.add_row(row["name"], "; ".join(row["reasons"]), repair)
    if len(unplaced) > MAX_LISTED:
        table.add_row(f"... and {len(unplaced) - MAX_LISTED} more", "", "")
    yield table


def _diagnosis(diagnosis: View) -> Iterable[RenderableType]:
    sentences = [proof["sentence"] for proof in diagnosis.get("proofs", ())]
    for conflict in diagnosis.get("conflicts", ()):
        smallest = ", and dropping any one of them would help" if conflict["minimal"] else ""
        sentences.append(f"These demands cannot all be met{smallest}: " + " | ".join(conflict["sentences"]))
    if sentences:
        shown = [Text(f"- {sentence}") for sentence in sentences[:MAX_LISTED]]
        yield Panel(
            Group(*shown),
            title=f"why not every hard rule can be kept: {EVIDENCE[diagnosis.get('evidence')]}",
            title_align="left",
            expand=False,
        )


def variants(view: View) -> RenderableType:
    """The variants side by side."""
    table = Table(title="variants", title_justify="left")
    table.add_column("")
    for variant in view["variants"]:
        table.add_column(str(variant["label"]), justify="right")
    for title, unit, key in METRICS:
        cells = [f"{variant['quality_metrics'][key]:g}{unit}" for variant in view["variants"]]
        table.add_row(title, *cells)
    table.add_row("soft cost", *(str(variant["cost"]) for variant in view["variants"]))
    table.add_row("hard breaches", *(str(hard_breaches(variant)) for variant in view["variants"]))
    table.add_row("differs from first", *(_distance(view["variants"][0], variant) for variant in view["variants"]))
    better = (
        [Text(_strength(variant), style="dim") for variant in view["variants"]] if len(view["variants"]) > 1 else []
    )
    return Group(table, *better)


def _strength(variant: View) -> str:
    """What a variant is best at; one that is best at nothing is an alternative, and is called that."""
    if not variant["better_at"]:
        return f"{variant['label']} is an alternative that is best at no single rule"
    return f"{variant['label']} is best at\n" + "\n".join(f"  - {line}" for line in variant["better_at"])


def _distance(first: View, variant: View) -> str:
    share = variant["distances"].get(first["emphasis"])
    return "-" if share is None else f"{100 * share:.0f}%"


def busiest_group(entries: Sequence[View]) -> str | None:
    """Id of the group with the most entries, the first one in a tie; None when no entry names a group."""
    counts = Counter(group for entry in entries for group in entry["batch_ids"])
    return counts.most_common(1)[0][0] if counts else None


def week(entries: Sequence[View], group: str | None) -> RenderableType:
    """One group's week (everybody's when None) as a grid of days and periods."""
    mine = [entry for entry in entries if group is None or group in entry["batch_ids"]]
    periods = {entry["period"]: entry["start_time"] for entry in sorted(entries, key=lambda entry: entry["period"])}
    days = {entry["day"]: entry["day_name"] for entry in sorted(entries, key=lambda entry: entry["day"])}
    cells: dict[tuple[int, int], list[str]] = {}
    for entry in mine:
        for k in range(entry["duration_slots"]):
            text = f"{entry['subject_code']}\n[dim]{entry['room_id'] or NO_ROOM}[/dim]" if k == 0 else "[dim]  ⋮[/dim]"
            cells.setdefault((entry["day"], entry["period"] + k), []).append(text)
    alone = next((entry["batch_name"] for entry in mine if entry["batch_ids"] == [group]), group)
    title = f"one week of {alone}" if group is not None else "the week"
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column("")
    for name in days.values():
        table.add_column(name[:3], overflow="fold")
    for period, start in periods.items():
        table.add_row(start, *("\n".join(cells.get((day, period), ())) for day in days))
    return table


_NOTES = (
    ("warnings", "please confirm", "bold yellow"),
    ("decisions", "read as", "cyan"),
    ("unusable", "not used", "red"),
    ("repairs", "corrected", "yellow"),
)
"""The kinds of notes on an import in the order of their weight: field, word, style."""


def imported(account: View) -> RenderableType:
    """How a CSV set was read: counts, and the first notes of each kind, those first that are to be confirmed."""
    lines = [
        Text(
            f"{sum(account['rows'].values())} rows read, {counted(len(account['repairs']), 'cell')} corrected, "
            f"{counted(len(account['unusable']), 'row')} could not be used"
        )
    ]
    for kind, told, style in _NOTES:
        notes = account[kind]
        lines += [Text(f"{told}  {_note(note)}", style=style) for note in notes[:MAX_NOTES]]
        if len(notes) > MAX_NOTES:
            more = f"{told}  ... and {len(notes) - MAX_NOTES} more; --json and -o x.json have all of them"
            lines.append(Text(more, style=style))
    return Panel(Group(*lines), title="import", title_align="left", expand=False)


def _note(note: View) -> str:
    place = f"{note['file']}.csv:{note['line']}"
    if not note["column"]:
        value = f" ({note['value'][:MAX_VALUE]})" if note["value"] else ""
        return f"{place}  {note['message']}{value}"
    return f"{place}  {note['column']} {note['value'][:MAX_VALUE]!r}: {note['message']}"


def advice(found: Sequence[Issue]) -> RenderableType:
    """What of a usable dataset is worth a second look."""
    lines = [Text(f"- {issue.pointer}: {issue.message}", style="yellow") for issue in found[:MAX_LISTED]]
    if len(found) > MAX_LISTED:
        lines.append(Text(f"... and {len(found) - MAX_LISTED} more; --json has all of them"))
    return Panel(Group(*lines), title="worth a second look", title_align="left", expand=False)


def rules(found: Sequence[View]) -> RenderableType:
    """Every rule with its count and cost."""
    table = Table(title="rules", title_justify="left")
    for column, justify in (
        ("rule", "left"),
        ("tier", "left"),
        ("count", "right"),
        ("cost", "right"),
        ("counted in", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for rule in found:
        style = "red" if rule["tier"] == "hard" and rule["count"] else "dim" if rule["tier"] == "off" else ""
        table.add_row(rule["name"], rule["tier"], str(rule["count"]), str(rule["cost"]), rule["units"], style=style)
    return table


def _cell(value: object) -> str:
    """A value as the file has it, empty where it has none; a whole document in the wrong place is cut."""
    text = "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}..."


def issues(found: Sequence[View]) -> RenderableType:
    """What is wrong with an input: where, what, which value."""
    table = Table(title=f"{counted(len(found), 'problem')} in the input", title_justify="left")
    for column in ("where", "code", "problem", "value"):
        table.add_column(column, overflow="fold")
    for issue in found:
        table.add_row(issue["pointer"], issue["code"], issue["message"], _cell(issue["value"]))
    return table
