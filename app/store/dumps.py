"""
`pg_dump` and `pg_restore` as we drive them: a dump of our tables made, and read back down to the last row.

Their versions follow the server's: a `pg_dump` that is older than the server refuses to work. So the newest of what is
on the PATH and in Debian's folders is taken, and what is missing or too old is told in a sentence. Where the server is,
and the password, they learn from their environment; a command line can be read by everybody on the machine.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess  # nosec B404 - fixed programs without a shell
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.store import StoreDamaged, StoreError, StoreUnavailable
from app.store.manifests import NoTools

COPIED = (
    *("alembic_version", "identity", "datasets", "jobs", "attempts", "incumbents", "results", "outbox"),
    *("portfolio", "turns", "cancels"),
)
"""Tables that are in a dump, each behind those that it refers to."""
PASSING = ("services", "leases", "messages")
"""Who is there, who works on what, what was sent: true of a moment only, and found out anew by whoever starts next."""
FOLDERS = "/usr/lib/postgresql/*/bin"
LOCK_MILLISECONDS = 10_000
DUMP_SECONDS = 3600.0
LOOK_SECONDS = 0.2
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_COPY = re.compile(rb"COPY (?:\S+\.)?(\w+) \((.*)\) FROM stdin;\n")
_TABLE = re.compile(rb"CREATE TABLE (?:\S+\.)?(\w+) \(\n")
_COLUMN = re.compile(rb" {4}(\w+) (\w+)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_KEPT = ("PATH", "HOME", "TMPDIR")


class Tool(NamedTuple):
    """A program of PostgreSQL on this machine, and its major version."""

    path: str
    version: int


def tool(name: str, least: int = 0) -> Tool:
    """The newest program of this name, of version `least` or later. Raises NoTools."""
    named = [shutil.which(name), *sorted(glob.glob(f"{FOLDERS}/{name}"))]  # noqa: PTH207 - a pattern from the root
    found = [Tool(path, version) for path in named if path and (version := _version_of(path)) is not None]
    if not found:
        raise NoTools(
            f"the job store is a PostgreSQL database, and {name} is not installed here, so it cannot be {_USE[name]}; "
            f"install PostgreSQL's client programs, version {least or 'of the server'} or later"
        )
    newest = max(found, key=lambda one: one.version)
    if newest.version < least:
        raise NoTools(
            f"{name} here is of version {newest.version} and PostgreSQL of version {least}, so the job store cannot be "
            f"{_USE[name]}; install PostgreSQL's client programs, version {least} or later"
        )
    return newest


_USE = {"pg_dump": "backed up", "pg_restore": "read from a backup"}


def _version_of(path: str) -> int | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)  # nosec B603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said.stdout)
    return int(found[1]) if found else None


def environment_of(conninfo: str) -> dict[str, str]:
    """What libpq's programs must have in their environment to connect as `conninfo` says; and no secrets of ours."""
    variables = {option.keyword.decode(): option.envvar for option in psycopg.pq.Conninfo.get_defaults()}
    given = conninfo_to_dict(conninfo)
    told = {name.decode(): str(given[word]) for word, name in variables.items() if name and given.get(word) is not None}
    return {**_plain(), **told}


def _plain() -> dict[str, str]:
    """Of our own environment what these programs may need; messages in English, which we read."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def write_dump(
    target: Path, conninfo: str, tables: Sequence[str], snapshot: str, server: int, give_up: Callable[[], bool]
) -> None:
    """
    Dumps `tables` (quoted names) as they are in the exported `snapshot` into a new file.

    Raises
    ------
    NoTools
        There is no `pg_dump` that is new enough for the `server`.
    StoreUnavailable
        It failed, took longer than `DUMP_SECONDS`, or `give_up` said so meanwhile.
    """
    command = [tool("pg_dump", server).path, "--format=custom", "--compress=1", "--no-owner", "--no-privileges"]
    command += [
        "--no-password",
        f"--lock-wait-timeout={LOCK_MILLISECONDS}",
        f"--snapshot={snapshot}",
        f"--file={target}",
    ]
    command += [f"--table={table}" for table in tables]
    target.touch(mode=0o600)
    process = subprocess.Popen(  # nosec B603 - a fixed program; names of ours and of a file
        command,
        env=environment_of(conninfo),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + DUMP_SECONDS
    while True:
        try:
            _, said = process.communicate(timeout=LOOK_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if give_up() or time.monotonic() > until:
                process.kill()
                process.communicate()
                raise StoreUnavailable(
                    "the backup was given up: the store is being closed, or it took too long"
                ) from None
    if process.returncode:
        raise StoreUnavailable(f"no backup was made: {_last_line(said)}")


def _last_line(said: bytes) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it failed without a word"


class Dump:
    """
    One dump that is read. Every method raises StoreDamaged when it cannot be read to its end, and NoTools.

    Rows are streamed, so that a large dump takes time and not memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._program = tool("pg_restore").path

    def copies(self, table: str) -> Iterator[tuple[tuple[str, ...], bytes]]:
        """Every row of a table as PostgreSQL's COPY writes it, a line with its end; and the columns that it is of."""
        for _, columns, line in self._lines({}, "--data-only", f"--table={table}"):
            yield columns, line

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every row of every table: the table, and the row by column in the values that the driver would give."""
        kinds: dict[str, dict[str, str]] = {}
        for table, columns, line in self._lines(kinds):
            try:
                fields = line.rstrip(b"\n").split(b"\t")
                yield (
                    table,
                    {name: _value(kinds[table][name], text) for name, text in zip(columns, fields, strict=True)},
                )
            except (ValueError, KeyError, UnicodeDecodeError) as error:
                raise StoreDamaged(f"{self.path}: a row of {table} cannot be read") from error

    def _lines(self, kinds: dict[str, dict[str, str]], *options: str) -> Iterator[tuple[str, tuple[str, ...], bytes]]:
        """Table, columns and text of each row; the types of columns, as far as they are told, come into `kinds`."""
        made, filled = "", ""
        columns: tuple[str, ...] = ()
        for line in self._output(*options):
            if filled and line == b"\\.\n":
                filled = ""
            elif filled:
                yield filled, columns, line
            elif begins := _COPY.fullmatch(line):
                filled, columns = begins[1].decode(), tuple(name.strip(' "') for name in begins[2].decode().split(","))
            elif begins := _TABLE.fullmatch(line):
                made = begins[1].decode()
            elif made and (column := _COLUMN.match(line)):
                kinds.setdefault(made, {})[column[1].decode()] = column[2].decode()
            else:
                made = ""

    def _output(self, *options: str) -> Iterator[bytes]:
        command = [self._program, "--no-owner", "--file=-", *options, str(self.path)]
        with subprocess.Popen(  # nosec B603 - a fixed program and the name of a file
            command, env=_plain(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            try:
                yield from process.stdout
                said = process.stderr.read()
            except BaseException:
                process.kill()  # whoever reads no further lets it go
                raise
        if said.strip() or process.returncode:
            raise _unread(self.path, said)


def _unread(path: Path, said: bytes) -> StoreError:
    """`pg_restore` warns of nothing that a sound dump of ours has; what it says is why it cannot go on."""
    line = _last_line(said)
    if "unsupported version" in line:
        return NoTools(f"{path} was made by a later pg_dump than the pg_restore here can read: install a later one")
    return StoreDamaged(f"{path} cannot be read: {line}")


def _value(kind: str, text: bytes) -> Any:
    if text == rb"\N":
        return None
    plain = _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text) if b"\\" in text else text
    if kind == "bytea":
        return bytes.fromhex(plain[2:].decode("ascii"))
    word = plain.decode()
    return int(word) if kind in ("bigint", "integer") else float(word) if kind == "double" else word
