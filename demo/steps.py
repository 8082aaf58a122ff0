"""Two runs of the main job as three steps with a gate on the second: one with few lost flights, one with many.

The first run writes a table. The second run would overwrite it and fails at its gate: its process ends with 1, and the table of
the first run stays unchanged. The figures of both reports are compared with counts that are made here without Spark.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demo import application, digest, reading
from demo.features import Lookup, lines
from demo.sources import NONE, Flight
from harness.spark import ApplicationError, Place

MILLION = 1_000_000
NAME = "steps"
GATED = "history"
MOST_SAMPLES = 500
BUDGET = 256 * 2**20
PLANE_YEAR = 4
"""The index of the plane's year in Facts."""


@dataclass(frozen=True)
class Run:
    name: str
    lost_in_million: int
    exit_code: int
    outcome: str

    @property
    def title(self) -> str:
        return f"labels, history, features: {self.lost_in_million / 10_000:g} % lost"


RUNS = (Run("steps-passing", 1_000, 0, "PASSED"), Run("steps-failing", 200_000, 1, "ENDED AT ITS GATE"))


@dataclass(frozen=True)
class Truth:
    """The expected counts of a run: rows in, out and dropped by step, and user counters."""

    steps: dict[str, tuple[int, int, int, dict[str, int]]]
    published: digest.Digest
    lost: int


@dataclass(frozen=True)
class Ran:
    """The end of a run and its report. `breaches` has one sentence per deviation."""

    run: Run
    exit_code: int
    application: str
    whole_s: float
    text: str
    page: Path
    told: reading.Report
    breaches: list[str] = field(default_factory=list)


def is_lost(id: int, in_million: int) -> bool:
    return zlib.crc32(b"lost:%d" % id) % MILLION < in_million


def truth(flights: list[Flight], lookups: dict[int, Lookup], run: Run) -> Truth:
    kept = [flight for flight in flights if not is_lost(flight.id, run.lost_in_million)]
    all_, left = len(flights), len(kept)
    cancelled = sum(flight.dep_delay == NONE for flight in flights)
    unknown = sum(lookups[flight.month].facts(flight)[PLANE_YEAR] == NONE for flight in kept)
    return Truth(
        {
            "labels": (all_, all_, 0, {"cancelled": cancelled}),
            GATED: (all_, left, all_ - left, {"cache-misses": all_ - left}),
            "features": (left, left, 0, {"unknown-plane": unknown}),
        },
        digest.of_lines(lines(kept, lookups)),
        all_ - left,
    )


def runs(place: Place, flights: list[Flight], lookups: dict[int, Lookup], versions: Path) -> list[Ran]:
    """Both runs in sequence, on the same table."""
    table = place.folder / "features"
    known = [truth(flights, lookups, run) for run in RUNS]
    passing = one(place, RUNS[0], versions, table)
    passing.breaches.extend(told_wrong(passing, known[0]))
    if not (table / "_SUCCESS").exists():
        passing.breaches.append(f"{RUNS[0].name}: no _SUCCESS in {table}")
    # A consumer that waits for the table deletes the mark, so a mark found later is that of the second run.
    (table / "_SUCCESS").unlink(missing_ok=True)
    before = contents(table)
    failing = one(place, RUNS[1], versions, table)
    failing.breaches.extend(told_wrong(failing, known[1]))
    failing.breaches.extend(f"{RUNS[1].name}: the table's {change}" for change in changes(before, contents(table)))
    found = application.published(place, table)
    if found != known[0].published:
        failing.breaches.append(f"{RUNS[1].name}: the table is {found}, not the first run's {known[0].published}")
    return [passing, failing]


def one(place: Place, run: Run, versions: Path, table: Path) -> Ran:
    """Runs the pipeline once and reads its report."""
    options = {"data": place.folder / "data", "versions": versions, "table": table, "lost": run.lost_in_million}
    words = application.command(place, run.name, "Pipeline", options, BUDGET, {"spark.andiron.run.id": run.name})
    app, whole_s, _ = application.submit(place, run.title, run.name, words)
    exit_code = app.process.returncode
    if not app.name:
        raise application.failure(place, run.title, run.name, exit_code)
    page = place.folder / f"report-{run.name}.html"
    text = place.andiron("report", app.name, "--html", page)
    try:
        told = reading.report(text)
    except (reading.ReportError, IndexError, KeyError, StopIteration, ValueError) as error:
        raise ApplicationError(f"the report of {run.title} cannot be read: {error!r}\n{text}") from error
    ran = Ran(run, exit_code, app.name, whole_s, text, page, told)
    if exit_code != run.exit_code:
        ran.breaches.append(f"{run.name} ended with {exit_code}, not with {run.exit_code}; its log is {place.folder / run.name}.log")
    print(f"  {run.title}: exit code {exit_code} after {whole_s:.1f} s", flush=True)
    return ran


def told_wrong(ran: Ran, known: Truth) -> Iterator[str]:
    """The differences between the report and the expected counts."""
    told, name = ran.told, ran.run.name
    if told.outcome != ran.run.outcome:
        yield f"{name}: the report says {told.outcome}, not {ran.run.outcome}"
    if sorted(told.steps) != sorted(known.steps):
        yield f"{name}: the report has the steps {sorted(told.steps)}, not {sorted(known.steps)}"
        return
    for step, counts in known.steps.items():
        row = told.steps[step]
        if (row.rows_in, row.rows_out, row.dropped, row.own, row.exact) != (*counts, True):
            yield f"{name}: {step} is {row}, not exactly (in, out, dropped, counters) {counts}"
    sampled = {GATED: (min(known.lost, MOST_SAMPLES), known.lost)}
    if told.sampled != sampled:
        yield f"{name}: samples (kept, failed) are {told.sampled}, not {sampled}"
    html = ran.page.read_text(encoding="utf-8")
    listed = html.count('<details class="sample"')
    if listed != sampled[GATED][0]:
        yield f"{name}: {ran.page} lists {listed} samples, not {sampled[GATED][0]}"


def contents(table: Path) -> dict[str, str]:
    """The digest and the modification time of every file below the table, including hidden files, by path."""
    return {
        str(path.relative_to(table)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(table.rglob("*")) if path.is_file()
    }


def changes(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    if not before:
        yield "first run has left no file"
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            yield f"{path} was " + ("added" if path not in before else "removed" if path not in after else "changed")


def as_json(ran: Ran, root: Path) -> dict[str, object]:
    """The run's object in build/demo.json. in, out, dropped, ratio and exact belong to the step with the gate."""
    row = ran.told.steps[GATED]
    kept, failed = ran.told.sampled.get(GATED, (0, 0))
    return {
        "approach": ran.run.name, "lost_in_million": ran.run.lost_in_million, "application": ran.application,
        "exit_code": ran.exit_code, "outcome": ran.told.outcome, "gates": [gate.strip() for gate in ran.told.gates],
        "in": row.rows_in, "out": row.rows_out, "dropped": row.dropped, "ratio": row.dropped / max(row.rows_in, 1), "exact": row.exact,
        "samples_listed": kept, "rows_failed": failed, "whole_s": ran.whole_s, "page": str(ran.page.relative_to(root)),
        "steps": {
            name: {"in": step.rows_in, "out": step.rows_out, "dropped": step.dropped, "exact": step.exact, "counters": step.own}
            for name, step in ran.told.steps.items()
        },
    }
