"""Runs one approach: a spark-submit application of its own, with its executors' memory sampled."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from demo import digest
from harness import memory
from demo.approaches import Approach

MASTER = "local-cluster[2,2,2048]"
EXECUTORS = 2
TIMEOUT_S = 300
SHOW_EVERY_S = 4.0

# The executors of all approaches, the baseline too. The serial collector with a young generation of fixed size keeps what
# the heap takes steady: left to itself the collector takes free memory before it collects, by hundreds of megabytes more
# or less from run to run, and that would be read as the approach's. Nothing is touched in advance, so that objects and
# copies on the heap are counted when they are made. The jobs last for seconds: the second compiler would take cores from
# the tasks for longer than its code runs.
EXECUTOR_JVM = "-XX:+UseSerialGC -Xmn128m -XX:TieredStopAtLevel=1 -XX:-UsePerfData -XX:MaxDirectMemorySize=4g"
EXECUTOR_HEAP = "1g"
EXECUTOR_OVERHEAD = "1g"
DRIVER_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


class ApplicationError(Exception):
    """The application failed, hung, or wrote no result."""


@dataclass(frozen=True)
class Setup:
    """What all applications share."""

    spark_home: Path
    andiron_jar: Path | None
    demo_jar: Path
    command: Path
    data: Path
    work: Path

    @property
    def log_dir(self) -> Path:
        """Where the applications' metrics are logged."""
        return self.work / "log"


@dataclass(frozen=True)
class Measured:
    """One row of the tables. `wall_s` is the job alone, without starting Spark; `whole_s` is all of the application."""

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
    """How an application has ended. `name` is Spark's id of it, "" if unknown."""

    exit_code: int
    name: str
    whole_s: float
    sampler: memory.Sampler


def settings(folder: Path) -> dict[str, object]:
    """The settings of all applications that run in `folder`."""
    return {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder / "local",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.executor.memory": EXECUTOR_HEAP,
        "spark.executor.memoryOverhead": EXECUTOR_OVERHEAD,
        "spark.executor.extraJavaOptions": EXECUTOR_JVM,
        "spark.executorEnv.MALLOC_ARENA_MAX": "2",
        "spark.sql.shuffle.partitions": "16",
        # One partition per file: a file fills a partition by itself.
        "spark.sql.files.openCostInBytes": "128m",
        "spark.sql.files.maxPartitionBytes": "128m",
    }


def with_andiron(setup: Setup, folder: Path, budget: int) -> dict[str, object]:
    """The settings that Andiron adds."""
    if setup.andiron_jar is None:
        raise ApplicationError("there is no Andiron jar: run `make build`")
    return {
        "spark.jars": setup.andiron_jar,
        "spark.plugins": "andiron.AndironPlugin",
        "spark.andiron.cache.dir": folder / "cache",
        "spark.andiron.cache.budgetBytes": budget,
        "spark.andiron.log.dir": setup.log_dir,
    }


def command(setup: Setup, main_class: str, conf: dict[str, object], options: dict[str, object], master: str = MASTER) -> list[str]:
    return [
        str(setup.spark_home / "bin" / "spark-submit"), "--master", master, "--driver-memory", "1g",
        "--driver-java-options", DRIVER_JVM, "--class", main_class,
        *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
        str(setup.demo_jar), *(f"{key}={value}" for key, value in options.items()),
    ]


def submit(setup: Setup, title: str, words: list[str], folder: Path, log: Path) -> Ended:
    """Runs a command of `command` to its end, in `folder`, which is made anew. What it and its executors log goes to `log`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    environment = os.environ | {"SPARK_HOME": str(setup.spark_home), "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("wb") as errors, subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd=folder, text=True,
    ) as process:
        with memory.Sampler(process.pid, EXECUTORS) as sampler:
            application = watch(process, sampler, title, started)
    keep_logs(setup.spark_home / "work" / application, log)
    return Ended(process.returncode, application, round(time.monotonic() - started, 3), sampler)


def failure(title: str, exit_code: int, log: Path) -> ApplicationError:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
    return ApplicationError(f"{title} ended with {exit_code}; the end of {log}:\n{tail}")


def run(setup: Setup, approach: Approach, versions: Path, version_mb: int, budget: int) -> Measured:
    """Runs the approach to its end. Its log stays in the work folder; what it wrote is digested and removed."""
    folder = setup.work / f"{approach.name}-{version_mb}"
    log = setup.work / f"{approach.name}-{version_mb}.log"
    conf = settings(folder) | (with_andiron(setup, folder, budget) if approach.andiron else {})
    options = {
        "approach": approach.name, "data": setup.data, "versions": versions, "out": folder / "features",
        "scratch": folder / "scratch", "result": folder / "result",
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


def watch(process: subprocess.Popen[str], sampler: memory.Sampler, title: str, started: float) -> str:
    """Shows progress until the application ends; ends it when it takes too long. Returns Spark's id of it, "" if unknown."""
    state, application = ["starting Spark"], [""]

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("progress: "):
                state[0] = line.removeprefix("progress: ").strip()
            elif line.startswith("application: "):
                application[0] = line.removeprefix("application: ").strip()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while True:
        try:
            process.wait(SHOW_EVERY_S)
            break
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - started
            print(f"  {title}: {seconds:4.0f} s, {sampler.last_rss >> 20:5d} MB, {state[0]}", flush=True)
            if seconds > TIMEOUT_S:
                process.kill()
                process.wait()
                raise ApplicationError(f"{title} took more than {TIMEOUT_S} s") from None
    reader.join()
    return application[0]


def keep_logs(work: Path, log: Path) -> None:
    """Adds what the executors have logged to the application's log; Spark leaves it in its home."""
    if work.name != "work" and work.is_dir():
        with log.open("ab") as all_:
            for errors in sorted(work.glob("*/stderr")):
                all_.write(f"---- executor {errors.parent.name}\n".encode() + errors.read_bytes())
        shutil.rmtree(work)
