"""
The audit of dependencies: what is installed, against what is known of it.

Advisories come from a service that cannot be reached from everywhere. Where it cannot, this says so and does what can
be done with the package index alone: every package that we need is at least at the version that has the known fixes,
none is a release that was withdrawn, they fit together, and the one that breaks the solver is not there.

Exit code 1 when something is wrong; advisories that could not be checked are a loud warning, or an error with
`--strict`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

OURS = "timetable"
SECONDS = 300.0
BANNED = {"pyarrow": "a second copy of abseil in one process: solving with two threads hangs"}


class Fixed(NamedTuple):
    """The first version with all known fixes, and what the last of them was."""

    version: str
    advisory: str


LEAST = {
    "certifi": Fixed("2024.7.4", "CVE-2024-39689"),
    "click": Fixed("8.1", "last line that is maintained"),
    "filelock": Fixed("3.20.1", "CVE-2025-68146"),
    "flask-cors": Fixed("6.0.0", "CVE-2024-6839"),
    "h11": Fixed("0.16.0", "CVE-2025-43859"),
    "idna": Fixed("3.7", "CVE-2024-3651"),
    "jinja2": Fixed("3.1.6", "CVE-2025-27516"),
    "protobuf": Fixed("6.31.1", "CVE-2025-4565"),
    "pydantic": Fixed("2.4.0", "CVE-2024-3772"),
    "pygments": Fixed("2.15.0", "CVE-2022-40896"),
    "python-socketio": Fixed("5.14.0", "CVE-2025-61765"),
    "requests": Fixed("2.32.4", "CVE-2024-47081"),
    "starlette": Fixed("0.49.1", "CVE-2025-62727"),
    "urllib3": Fixed("2.6.0", "CVE-2025-66471"),
    "uvicorn": Fixed("0.11.7", "CVE-2020-7694"),
    "werkzeug": Fixed("3.1.4", "CVE-2025-66221"),
}
"""Known here without asking anybody; a package may be newer, and may be missing."""


def main(arguments: list[str]) -> int:
    installed = dict(closure(OURS, {"test"}))
    running = dict(closure(OURS, {"all"}))
    print(f"audit: {len(running)} packages run, {len(installed)} with those for tests")
    problems = [*too_old(installed), *banned(), *inconsistent(), *withdrawn(running)]
    vulnerable, unchecked = advisories(installed)
    problems += vulnerable
    if unchecked:
        print(
            f"\n  ADVISORIES COULD NOT BE CHECKED: {unchecked}\n  Known minimum versions and withdrawn releases were.\n"
        )
        problems += ["advisories could not be checked"] * ("--strict" in arguments)
    for problem in problems:
        print(f"audit: {problem}")
    print("audit: " + ("FAILED" if problems else "nothing wrong was found"))
    return 1 if problems else 0


def closure(name: str, extras: set[str]) -> Iterator[tuple[str, Version]]:
    """Everything that `name` needs here, and what that needs; itself left out."""
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        try:
            found = distribution(package)
        except PackageNotFoundError:
            continue
        if package != OURS:
            yield canonicalize_name(package), Version(found.version)
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed.name, wanted) for wanted in ("", *needed.extras)]


def too_old(installed: dict[str, Version]) -> Iterator[str]:
    for name, fixed in LEAST.items():
        if name in installed and installed[name] < Version(fixed.version):
            yield f"{name} {installed[name]} is older than {fixed.version} ({fixed.advisory})"


def banned() -> Iterator[str]:
    for name, reason in BANNED.items():
        if importlib.util.find_spec(name) is not None:
            yield f"{name} is installed: {reason}"


def inconsistent() -> Iterator[str]:
    done = pip("check")
    if done.returncode:
        yield f"pip check: {done.stdout.strip()}"


def withdrawn(running: dict[str, Version]) -> Iterator[str]:
    """The index marks a release that its authors have withdrawn, and pip warns of it; nothing is installed."""
    pinned = [f"{name}=={version}" for name, version in sorted(running.items())]
    done = pip("install", "--dry-run", "--ignore-installed", "--no-deps", *pinned)
    if done.returncode:
        yield f"the index does not have what is installed: {done.stderr.strip().splitlines()[-1]}"
    for name in re.findall(r"yanked version: '?([\w.-]+)", done.stderr):
        yield f"the installed release of {name} was withdrawn by its authors"


def advisories(installed: dict[str, Version]) -> tuple[list[str], str]:
    """What pip-audit finds, and why it could not find anything out, empty when it could."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return [], f"pip-audit gave no report, and said {said[:200]}"
    found = [
        f"{row['name']} {row['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version'}"
        for row in rows
        for flaw in row.get("vulns", ())
        if canonicalize_name(row["name"]) in installed
    ]
    # An index that does not know a package has no advisories of it either; pip-audit skips it and ends well.
    skipped = [row["name"] for row in rows if row.get("skip_reason") and canonicalize_name(row["name"]) in installed]
    told = f"{len(skipped)} of {len(installed)} packages are not known to the advisory source" if skipped else ""
    return found, told


def pip(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
