"""The applications of `make demo-stack`: one whose driver is killed midway, and its successor."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.services.kafka import Broker
from demo import application, digest, steps
from demo.application import Setup
from harness import memory, process, spark
from harness.spark import ApplicationError

MASTER = "local-cluster[2,1,2048]"
JOB = "flight-features"
"""The tag `job` of the series; the applications' names contain a comma and a number."""
RUN_ID = "flights-2013"
FIRST, COUNTER = "labels", "in"
PATIENCE_S = 300
EXIT_S = 60
Event = dict[str, object]


@dataclass(frozen=True)
class Killed:
    """The state when the driver was killed. `owed`: events of its log that were not in Kafka; `left`: processes that survived it."""

    application: str
    counted: int
    owed: int
    executors: int
    ended_after_s: float
    left: list[int]
    finished: bool


@contextlib.contextmanager
def started(setup: Setup, name: str, words: list[str]) -> Iterator[spark.Application]:
    """An application in its own folder. After the `with` block all of its processes have ended, and their logs are in `<name>.log`."""
    folder = setup.work / name
    shutil.rmtree(folder, ignore_errors=True)
    app = spark.Application(words, spark.environment(setup.built.home), folder)
    try:
        yield app
    finally:
        app.end()
        shutil.copy(app.log_file, setup.work / f"{name}.log")
        application.keep_logs(setup.built.home / "work" / app.name, setup.work / f"{name}.log")


class Logs:
    """The ship logs, read by the command `andiron`."""

    def __init__(self, setup: Setup) -> None:
        self._command, self._folder = setup.command, setup.log_dir

    def events(self, name: str) -> list[Event]:
        """Every event of an application, each with its `place`; empty before the log exists."""
        lines = self._run("events", name, "--numbered").splitlines() if name and (self._folder / name).is_dir() else []
        return [json.loads(body) | {"place": int(place)} for place, body in (line.split(maxsplit=1) for line in lines)]

    def shipped(self, name: str) -> int:
        """The place up to which the log is in Kafka."""
        try:
            return int((self._folder / name / "position-kafka").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0

    def owed(self, name: str) -> int:
        return sum(int(str(event["place"])) > self.shipped(name) for event in self.events(name))

    def ship(self, servers: str) -> str:
        return self._run("ship", "--conf", f"spark.andiron.kafka.bootstrap.servers={servers}")

    def _run(self, *words: str) -> str:
        done = subprocess.run([str(self._command), *words, "--log-dir", str(self._folder)], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode != 0:
            raise ApplicationError(f"andiron {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return done.stdout


def counted(events: list[Event], step: str, counter: str) -> int:
    """The step's counter once all of the step's partitions have reported; 0 before."""
    found = [event for event in events if event["kind"] == "Metric" and event.get("step") == step and event.get("acc") == counter and event.get("final")]
    return int(str(max(found, key=lambda event: int(str(event["revision"]))).get("committed") or 0)) if found else 0


def words(setup: Setup, name: str, table: Path, servers: str, atlas: str) -> list[str]:
    """The command of an application that ships to Kafka and publishes to Atlas."""
    folder = setup.work / name
    conf = application.settings(folder) | application.with_andiron(setup, folder, steps.BUDGET) | {
        "spark.andiron.run.id": RUN_ID, "spark.andiron.kafka.bootstrap.servers": servers,
        # The second stage has one task per partition, so that it still runs when the driver is killed.
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.andiron.atlas.uri": atlas, "spark.andiron.atlas.step": "1s", "spark.andiron.atlas.tags": f"job={JOB}",
    }
    options = {"data": setup.data, "versions": setup.data / "versions", "table": table, "lost": steps.RUNS[0].lost_in_million}
    return application.command(setup, "andiron.demo.Pipeline", conf, options, MASTER)


def killed(setup: Setup, command: list[str], table: Path, broker: Broker, logs: Logs) -> Killed:
    """Runs the pipeline. Kills the broker once Kafka has the first event, and the driver once the first step has counted all of its
    rows and the log has events that are not in Kafka: between the two stages of the job."""
    with started(setup, "killed", command) as driver:
        driver.wait_until("Kafka has its first event", lambda: logs.shipped(driver.name) > 0)
        broker.kill()
        driver.wait_until(f"{FIRST} has counted", lambda: counted(logs.events(driver.name), FIRST, COUNTER) > 0 and logs.owed(driver.name) > 0)
        executors = memory.executors(driver.pid)
        process.kill([driver.pid])
        driver.process.wait()
        at = time.monotonic()
        left = driver.left()
        after = round(time.monotonic() - at, 1)
        events = logs.events(driver.name)
        finished = any(event.get("ended_ms") for event in events if event["kind"] == "Application") or (table / "_SUCCESS").exists()
        return Killed(driver.name, counted(events, FIRST, COUNTER), logs.owed(driver.name), len(executors), after, left, finished)


def published(setup: Setup, table: Path) -> digest.Digest:
    """The digest of the table, read by Spark without Andiron."""
    out = setup.work / "lines"
    conf = application.settings(setup.work / "published")
    with started(setup, "published", application.command(setup, "andiron.demo.Published", conf, {"table": table, "out": out}, "local[2]")) as driver:
        driver.finish(PATIENCE_S)
    return digest.of_output(out)
