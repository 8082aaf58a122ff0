"""The conditions on the measurements, and on the whole chain. Each function gives one sentence per breach."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from checks.services.hive import Answer
from demo.application import ANDIRON_BYTES, BASELINE, EXECUTORS, SORTED_CLOSURE, Measured
from demo.digest import Digest
from demo.stack_atlas import Graph
from demo.stack_drivers import Event, Killed
from demo.steps import Truth

LEAST_RATIO = 1.8


def same_features(measured: Sequence[Measured], truth: Digest) -> list[str]:
    """All approaches have all rows and the digest that is computed without Spark."""
    return [
        f"{m.approach} ({m.version_mb} MB): {m.rows} rows with digest {m.digest}, not {truth.rows} with {truth.sha256}"
        for m in measured
        if (m.rows, m.digest) != (truth.rows, truth.sha256)
    ]


def nothing_left(measured: Sequence[Measured]) -> list[str]:
    return [f"{m.approach} ({m.version_mb} MB): {m.leases_left} leases left" for m in measured if m.leases_left]


def within_budget(measured: Sequence[Measured], budget: int) -> list[str]:
    """Andiron never held more bytes than the budget."""
    return [
        f"{m.approach} ({m.version_mb} MB): {m.max_resident_bytes} bytes resident, the budget is {budget}"
        for m in measured
        if m.approach == ANDIRON_BYTES.name and m.max_resident_bytes > budget
    ]


def ratio(measured: Sequence[Measured], figure: str) -> float:
    """The closure's peak above the baseline divided by Andiron's; infinite if Andiron's peak is not above the baseline."""
    peak = {m.approach: getattr(m, figure) for m in measured}
    andiron = peak[ANDIRON_BYTES.name] - peak[BASELINE.name]
    closure = peak[SORTED_CLOSURE.name] - peak[BASELINE.name]
    return closure / andiron if andiron > 0 else float("inf")


def saves_memory(measured: Sequence[Measured]) -> list[str]:
    return [
        f"{figure}: the closure's peak over the baseline is {ratio(measured, figure):.2f} x Andiron's, less than {LEAST_RATIO} x"
        for figure in ("peak_rss_bytes", "peak_pss_bytes")
        if ratio(measured, figure) < LEAST_RATIO
    ]


def killed_in_the_middle(killed: Killed, flights: int) -> Iterator[str]:
    if killed.finished:
        yield "the driver had finished before it was killed"
    if killed.counted != flights:
        yield f"its first step had counted {killed.counted} rows, not {flights}"
    if not killed.owed:
        yield "Kafka had all of its log, so that there was nothing to ship later"
    if killed.executors != EXECUTORS:
        yield f"it had {killed.executors} executors, not {EXECUTORS}"


def same_table(found: Digest, wanted: Digest) -> Iterator[str]:
    if found != wanted:
        yield f"{found.rows} rows with digest {found.sha256}, not {wanted.rows} with {wanted.sha256}"


def steps_as_counted(told: Answer, own: Answer, truth: Truth) -> Iterator[str]:
    """Compares the answers of the queries for steps and for user counters with the counts of Python."""
    found = {str(row["step"]): (row.get("rows_in"), row.get("rows_out"), row.get("dropped"), row.get("exact")) for row in told}
    wanted = {step: (*rows[:3], True) for step, rows in truth.steps.items()}
    for step in sorted(found.keys() | wanted.keys()):
        if found.get(step) != wanted.get(step):
            yield f"step {step} has (in, out, dropped, exact) {found.get(step)}, not {wanted.get(step)}"
    counters = {(str(row["step"]), str(row["acc"])): row.get("committed") for row in own}
    known = {(step, counter): value for step, rows in truth.steps.items() for counter, value in rows[3].items()}
    for at in sorted(counters.keys() | known.keys()):
        if counters.get(at) != known.get(at):
            yield f"counter {at[1]} of {at[0]} is {counters.get(at)}, not {known.get(at)}"


def last_revisions(events: Iterable[Event]) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in events:
        id, revision = str(event["event_id"]), int(str(event["revision"]))
        found[id] = max(found.get(id, 0), revision)
    return found


def each_event_once(told: Answer, logged: list[Event]) -> Iterator[str]:
    """The rows of Hive's view `events` are the last revisions of the logs' events, each once."""
    times = Counter(str(row["event_id"]) for row in told)
    twice = [id for id, count in times.items() if count > 1]
    if twice:
        yield f"{len(twice)} event ids are there more than once: {twice[:3]}"
    wanted, found = last_revisions(logged), last_revisions(told)
    for what, ids in (
        ("are missing", wanted.keys() - found.keys()), ("are in no log", found.keys() - wanted.keys()),
        ("have another revision than the log's last", {id for id in wanted.keys() & found.keys() if wanted[id] != found[id]}),
    ):
        if ids:
            yield f"{len(ids)} events {what}: {sorted(ids)[:3]}"


def shipped(messages: list[Event], logged: list[Event]) -> Iterator[str]:
    """Every revision of a log is among the topics' values."""
    there = {(value["event_id"], value["revision"]) for value in messages}
    missing = [event["event_id"] for event in logged if (event["event_id"], event["revision"]) not in there]
    if missing:
        yield f"{len(missing)} of {len(logged)} revisions are not in Kafka: {missing[:3]}"
    if not logged:
        yield "the log is empty"


def gone_on(told: Answer, killed: str, after: str) -> Iterator[str]:
    """The query for runs that never ended names the killed application and its successor."""
    found = [(row["app_id"], row.get("went_on_as")) for row in told]
    if found != [(killed, after)]:
        yield f"runs that never ended, and who went on with them, are {found}, not {[(killed, after)]}"


def every_graph(graphs: list[Graph]) -> Iterator[str]:
    empty = [graph.name for graph in graphs if not graph.points]
    if empty or not graphs:
        yield f"without a point: {', '.join(empty) or 'there is no graph'}"
