"""A client that `openapi-python-client` makes from our description, at work on a real service, with typed objects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
from fastapi import FastAPI

from tests.app.http.test_examples import address

__all__ = ["address"]
STORY = """
import sys, time
from timetable_service_client import Client
from timetable_service_client.api.datasets import list_samples
from timetable_service_client.api.jobs import generate_variants, get_progress
from timetable_service_client.api.results import get_variant_file, get_variants
from timetable_service_client.models import GenerateRequest

client = Client(sys.argv[1], raise_on_unexpected_status=True)
job = generate_variants.sync(client=client, body=GenerateRequest(dataset_name="tiny", time_limit_seconds=3))
while (progress := get_progress.sync(job.job_id, client=client)).status in ("queued", "running"):
    time.sleep(progress.metadata.failed_attempts + 0.2)
best = get_variants.sync(job.job_id, client=client).variants[0]
files = {kind: get_variant_file.sync(job.job_id, 1, client=client, format_=kind) for kind in ("xlsx", "csv")}

assert [sample.name for sample in list_samples.sync(client=client).datasets][0] == "tiny"
assert best.verified and best.quality_metrics.placed_percent == 100.0
assert {type(entry.day) for entry in best.timetable_entries} == {int}
for kind, file in files.items():
    open(f"week.{kind}", "wb").write(file.payload.read())
unknown = get_progress.sync("nobody", client=client)
assert (unknown.code, unknown.errors) == ("job_not_found", []), unknown
undated = get_variant_file.sync(job.job_id, 1, client=client, format_="ics")
assert (undated.status, [error.pointer for error in undated.errors]) == (422, ["/term_start", "/term_end"]), undated
"""


def test_a_client_made_from_the_description_gets_typed_objects_and_files(
    application: FastAPI, address: str, tmp_path: Path
) -> None:
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(application.openapi()))
    made = tmp_path / "made"
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(description)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, "--output-path", str(made), "--fail-on-warning"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0 and "Warning" not in done.stdout, done.stdout + done.stderr
    subprocess.run(
        [sys.executable, "-c", STORY, address], cwd=tmp_path, env={**environment, "PYTHONPATH": str(made)}, check=True
    )
    assert openpyxl.load_workbook(tmp_path / "week.xlsx").sheetnames[:2] == ["Index", "Sessions"]
    header, *rows = (tmp_path / "week.csv").read_text(encoding="utf-8-sig").splitlines()
    assert "course" in header and len(rows) == 31
