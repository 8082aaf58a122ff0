"""Runs one approach as a spark-submit application and samples the memory of its executors."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from demo import digest
from demo.approaches import Approach
from harness import memory, spark
from harness.facts import Built
from harness.process import tail
from harness.spark import ApplicationError

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
class Setup:
    """The setup of all applications: the built files, the command `andiron`, and a work folder."""

    built: Built
    command: Path
    work: Path

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def log_dir(self) -> Path:
        """The folder of the ship logs."""
        return self.work / "log"


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


@dataclass(frozen=True)
class Ended:
    """An application that has ended. `name` is Spark's application id; the executors were sampled until the end."""

    exit_code: int
    name: str
    whole_s: float
    sampler: memory.Sampler


def settings(folder: Path) -> dict[str, object]:
    """Settings of every application; `folder` belongs to this application."""
    return spark.settings(folder) | {
        "spark.executor.memory": "1g", "spark.executor.memoryOverhead": "1g", "spark.executor.extraJavaOptions": EXECUTOR_JVM,
        "spark.executorEnv.MALLOC_ARENA_MAX": "2", "spark.sql.shuffle.partitions": "16",
        # One partition per file.
        "spark.sql.files.openCostInBytes": "128m", "spark.sql.files.maxPartitionBytes": "128m",
    }


def with_andiron(setup: Setup, folder: Path, budget: int) -> dict[str, object]:
    """The settings of an application with Andiron."""
    return spark.andiron(folder) | {
        "spark.jars": setup.built.jar(), "spark.andiron.cache.budgetBytes": budget, "spark.andiron.log.dir": setup.log_dir}


def command(setup: Setup, main_class: str, conf: dict[str, object], options: dict[str, object], master: str = MASTER) -> list[str]:
    return spark.submit(setup.built.home, setup.built.jar("demo"), spark.pairs(options), conf, "--driver-java-options", DRIVER_JVM, main=main_class, master=master)


def submit(setup: Setup, title: str, words: list[str], folder: Path, log: Path) -> Ended:
    """Runs spark-submit to its end in a new `folder` and shows the progress. The logs of driver and executors go to `log`."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    with spark.Application(words, spark.environment(setup.built.home), folder) as app:
        with memory.Sampler(app.pid, EXECUTORS) as sampler:
            while app.is_running:
                try:
                    app.process.wait(SHOW_EVERY_S)
                except TimeoutExpired:
                    seconds = time.monotonic() - started
                    state = re.findall(r"^progress: (.*)$", app.out, re.MULTILINE) or ["starting Spark"]
                    print(f"  {title}: {seconds:4.0f} s, {sampler.last_rss >> 20:5d} MB, {state[-1]}", flush=True)
                    if seconds > TIMEOUT_S:
                        raise ApplicationError(f"{title} took more than {TIMEOUT_S} s; {app.tail()}") from None
        app.left()
    shutil.copy(app.log_file, log)
    keep_logs(setup.built.home / "work" / app.name, log)
    return Ended(app.process.returncode, app.name, round(time.monotonic() - started, 3), sampler)


def failure(title: str, exit_code: int, log: Path) -> ApplicationError:
    return ApplicationError(f"{title} ended with {exit_code}; the end of {log}:\n{tail(log, 40)}")


def run(setup: Setup, approach: Approach, versions: Path, version_mb: int, budget: int) -> Measured:
    """Runs the approach to its end. Its log stays in the work folder; its output is removed after its digest is computed."""
    folder = setup.work / f"{approach.name}-{version_mb}"
    log = setup.work / f"{approach.name}-{version_mb}.log"
    conf = settings(folder) | (with_andiron(setup, folder, budget) if approach.andiron else {})
    options = {
        "approach": approach.name, "data": setup.data, "versions": versions, "out": folder / "features", "result": folder / "result",
    }
    ended = submit(setup, approach.title, command(setup, "andiron.demo.Demo", conf, options), folder, log)
    result = folder / "result"
    if ended.exit_code != 0 or not result.exists():
        raise failure(approach.title, ended.exit_code, log)
    sampler = ended.sampler
    if sampler.error is not None or sampler.peak.samples == 0:
        raise ApplicationError(f"the memory of {approach.title} could not be sampled: {sampler.error}")
    facts = dict(line.split("=", 1) for line in result.read_text().splitlines())
    found = digest.of_output(folder / "features")
    shutil.rmtree(folder)
    return Measured(
        approach.name, version_mb, float(facts["wall_s"]), ended.whole_s, sampler.peak.rss,
        sampler.peak.pss, int(facts["loads"]), int(facts["max_resident_versions"]), int(facts["max_resident_bytes"]),
        int(facts["leases_left"]), found.rows, found.sha256, facts["spark"],
    )


def keep_logs(work: Path, log: Path) -> None:
    """Appends the executors' logs, which Spark writes to its home, to the application's log."""
    if work.name != "work" and work.is_dir():
        with log.open("ab") as all_:
            for errors in sorted(work.glob("*/stderr")):
                all_.write(f"---- executor {errors.parent.name}\n".encode() + errors.read_bytes())
        shutil.rmtree(work)
