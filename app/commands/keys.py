"""The commands `timetable keys ...`: making, listing and revoking API keys of the data folder in use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from app.access import Scope
from app.gate.keys import KeyFile, KeysDamaged, key_view
from app.settings import Settings, SettingsError

EXIT_OUR_FAULT, EXIT_BAD_INPUT = 1, 2

commands = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")
_out = Console()
_err = Console(stderr=True)


@commands.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="who uses the key, for people")],
    scope: Annotated[list[Scope], typer.Option(help="a right; repeat for several; admin holds all others")],
    days: Annotated[float | None, typer.Option(min=0.0, max=36_500.0, help="days until it expires; never")] = None,
) -> None:
    """Make a key and print it once."""
    try:
        key, text = _file().add(name, scope, days)
    except ValueError as error:
        _fail(str(error), EXIT_BAD_INPUT)
    except (KeysDamaged, OSError) as error:
        _fail(str(error), EXIT_OUR_FAULT)
    _err.print(
        f"key {key.id} for {key.name!r} with {', '.join(key.scopes)}; it is not shown again:",
        markup=False,
        soft_wrap=True,
    )
    typer.echo(text)


@commands.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False) -> None:
    """List all keys with their rights and last use."""
    file = _file()
    try:
        keys, uses = file.all(), file.uses()
    except KeysDamaged as error:
        _fail(str(error), EXIT_OUR_FAULT)
    views = [key_view(key, uses.get(key.id)) for key in keys]
    if as_json:
        typer.echo(json.dumps({"keys": views}, ensure_ascii=False))
        return
    table = Table()
    for column in ("id", "name", "rights", "state", "made", "expires", "last used"):
        table.add_column(column)
    for view in views:
        times = (_day(view[name]) for name in ("created_at", "expires_at", "last_used_at"))
        table.add_row(view["id"], view["name"], ", ".join(view["scopes"]), view["state"], *times)
    _out.print(table)


@commands.command("revoke")
def revoke_command(id: Annotated[str, typer.Argument(help="id of the key, as `keys list` shows it")]) -> None:
    """Revoke a key at once; a running service notices within a second."""
    try:
        key = _file().revoke(id)
    except (KeysDamaged, OSError) as error:
        _fail(str(error), EXIT_OUR_FAULT)
    if key is None:
        _fail(f"there is no key {id!r}; `timetable keys list` shows all", EXIT_BAD_INPUT)
    typer.echo(f"key {key.id} of {key.name!r} is revoked")


def _file() -> KeyFile:
    try:
        return KeyFile(Settings.from_environment().data_dir)
    except SettingsError as error:
        _fail(str(error), EXIT_BAD_INPUT)


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _fail(message: str, code: int) -> NoReturn:
    _err.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)
