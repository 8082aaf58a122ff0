"""Runs the approaches and the other programs of the demo as spark-submit applications and samples the memory of their executors."""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from demo import digest
from demo.digest import Digest
from harness import memory, spark
from harness.process import tail
from harness.spark import ApplicationError, Place

MASTER = "local-cluster[2,2,2048]"
EXECUTORS = 2
TIMEOUT_S = 300
SHOW_EVERY_S = 4.0

# JVM options of the executors in all approaches, including the baseline. The serial collector with a young generation of fixed size keeps
# the size of the heap steady: by default the collector takes free memory before it collects, and the amount varies by hundreds of megabytes
# from run to run, which would be charged to the approach. The heap is not touched in advance, so that objects and copies on it count when
# they are made. The jobs last for seconds: the second compiler would take cores from the tasks for longer than its code runs.
EXECUTOR_JVM = "-XX:+UseSerialGC -Xmn128m -XX:TieredStopAtLevel=1 -XX:-UsePerfData -XX:MaxDirectMemorySize=4g"
DRIVER_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


@dataclass(frozen=True)
class Approach:
    """`name` identifies the approach in the application and in build/demo.json. `andiron`: the approach needs the plugin and its jar."""

    name: str
    title: str
    andiron: bool = False


BASELINE = Approach("baseline", "baseline: facts in the rows, no metadata")
SORTED_CLOSURE = Approach("sorted-closure", "closure, sorted within partitions")
ANDIRON_BYTES = Approach("andiron-bytes", "Andiron, sorted within partitions", andiron=True)

INFLATED = (BASELINE, SORTED_CLOSURE, ANDIRON_BYTES)
"""The approaches of the second table."""
ALL = (BASELINE, Approach("join", "plain Spark join"), SORTED_CLOSURE, ANDIRON_BYTES)
"""All approaches, in the order of their runs. The benchmark has the other approaches of the talk."""


@dataclass(frozen=True)
class Measured:
    """One row of the tables. `wall_s` is the time of the job without the start of Spark; `whole_s` is the time of the application."""

    approach: str
    version_mb: int
    wall_s: float
    whole_s: float
    peak_rss_bytes: int
    peak_pss_bytes: int
    loads: int
    max_resident_versions: int
    max_resident_bytes: int
    leases_left: int
    rows: int
    digest: str
    spark_version: str


def command(place: Place, name: str, program: str, options: dict[str, object], budget: int | None = None, more: dict[str, object] | None = None,
            master: str = MASTER) -> list[str]:
    """The command of the application `name`, which has its folder below the place. Without a budget it runs without Andiron."""
    folder = place.folder / name
    conf = spark.settings(folder) | {
        "spark.executor.memory": "1g", "spark.executor.memoryOverhead": "1g", "spark.executor.extraJavaOptions": EXECUTOR_JVM,
        "spark.executorEnv.MALLOC_ARENA_MAX": "2", "spark.sql.shuffle.partitions": "16",
        # One partition per file.
        "spark.sql.files.openCostInBytes": "128m", "spark.sql.files.maxPartitionBytes": "128m",
    }
    if budget is not None:
        conf |= spark.andiron(folder) | {
            "spark.jars": place.built.jar(), "spark.andiron.cache.budgetBytes": budget, "spark.andiron.log.dir": place.log_dir}
    return spark.submit(place.built.home, place.built.jar("demo"), spark.pairs(options), conf | (more or {}), "--driver-java-options", DRIVER_JVM,
                        main=f"andiron.demo.{program}", master=master)


@contextlib.contextmanager
def started(place: Place, name: str, words: list[str]) -> Iterator[spark.Application]:
    """An application in a new folder. After the `with` block all of its processes have ended, and the logs of driver and executors are in `<name>.log`."""
    folder, log = place.folder / name, place.folder / f"{name}.log"
    shutil.rmtree(folder, ignore_errors=True)
    app = spark.Application(words, spark.environment(place.built.home), folder)
    try:
        yield app
    finally:
        app.end()
        shutil.copy(app.log_file, log)
        # Spark writes the executors' logs to its home.
        work = place.built.home / "work" / app.name
        if app.name and work.is_dir():
            with log.open("ab") as all_:
                for errors in sorted(work.glob("*/stderr")):
                    all_.write(f"---- executor {errors.parent.name}\n".encode() + errors.read_bytes())
            shutil.rmtree(work)


def submit(place: Place, title: str, name: str, words: list[str]) -> tuple[spark.Application, float, memory.Sampler]:
    """Runs an application to its end and shows its progress. Gives the ended application, its seconds, and the sampled memory of its executors."""
    begun = time.monotonic()
    with started(place, name, words) as app:
        with memory.Sampler(app.pid, EXECUTORS) as sampler:
            while app.is_running:
                try:
                    app.process.wait(SHOW_EVERY_S)
                except TimeoutExpired:
                    seconds = time.monotonic() - begun
                    state = re.findall(r"^progress: (.*)$", app.out, re.MULTILINE) or ["starting Spark"]
                    print(f"  {title}: {seconds:4.0f} s, {sampler.last_rss >> 20:5d} MB, {state[-1]}", flush=True)
                    if seconds > TIMEOUT_S:
                        raise ApplicationError(f"{title} took more than {TIMEOUT_S} s; {app.tail()}") from None
        app.left()
    return app, round(time.monotonic() - begun, 3), sampler


def failure(place: Place, title: str, name: str, exit_code: int) -> ApplicationError:
    log = place.folder / f"{name}.log"
    return ApplicationError(f"{title} ended with {exit_code}; the end of {log}:\n{tail(log, 40)}")


def run(place: Place, approach: Approach, versions: Path, version_mb: int, budget: int) -> Measured:
    """Runs the approach to its end. Its log stays in the work folder; its output is removed after its digest is computed."""
    name = f"{approach.name}-{version_mb}"
    folder = place.folder / name
    options = {
        "approach": approach.name, "data": place.folder / "data", "versions": versions, "out": folder / "features", "result": folder / "result",
    }
    app, whole_s, sampler = submit(place, approach.title, name, command(place, name, "Demo", options, budget if approach.andiron else None))
    result = spark.records(folder / "result")
    if app.process.returncode != 0 or not result:
        raise failure(place, approach.title, name, app.process.returncode)
    peak = sampler.peak
    if sampler.error is not None or peak.samples == 0:
        raise ApplicationError(f"the memory of {approach.title} could not be sampled: {sampler.error}")
    found = digest.of_output(folder / "features")
    shutil.rmtree(folder)
    print(f"  {approach.title}: done, job {result[0]['wall_s']:.1f} s of {whole_s:.1f} s", flush=True)
    return Measured(approach=approach.name, version_mb=version_mb, whole_s=whole_s, peak_rss_bytes=peak.rss, peak_pss_bytes=peak.pss,
                    rows=found.rows, digest=found.sha256, **result[0])


def published(place: Place, table: Path) -> Digest:
    """The digest of a table of the pipeline, read by Spark without Andiron."""
    out = place.folder / "published" / "lines"
    with started(place, "published", command(place, "published", "Published", {"table": table, "out": out}, master="local[2]")) as app:
        app.finish(TIMEOUT_S)
    return digest.of_output(out)
