"""The pipeline's applications of `make demo-stack`: one whose driver is killed in the middle, and the one that goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from demo import application, digest, steps
from harness import memory
from demo.application import ApplicationError, Setup
from harness.process import kill, processes
from checks.services.kafka import Broker

MASTER = "local-cluster[2,1,2048]"
JOB = "flight-features"
"""The tag `job` of the series; the applications' name has a comma and a number in it."""
RUN_ID = "flights-2013"
FIRST, COUNTER = "labels", "in"
PATIENCE_S = 300
EXIT_S = 60
Event = dict[str, object]


@dataclass(frozen=True)
class Killed:
    """What there was when the driver was killed. `owed`: events of its log that Kafka had not; `left`: processes that outlived it."""

    application: str
    counted: int
    owed: int
    executors: int
    ended_after_s: float
    left: list[int]
    finished: bool


class Driver:
    """One application, in a session of its own."""

    def __init__(self, setup: Setup, name: str, words: list[str]) -> None:
        self._setup, self._folder, self.log = setup, setup.work / name, setup.work / f"{name}.log"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._out = self._folder / "out"
        environment = os.environ | {"SPARK_HOME": str(setup.spark_home), "SPARK_LOCAL_IP": "127.0.0.1"}
        with self._out.open("wb") as out, self.log.open("wb") as err:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=self._folder, start_new_session=True)

    @property
    def pid(self) -> int:
        """The driver's: spark-submit becomes it."""
        return self._process.pid

    @property
    def output(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def name(self) -> str:
        """Spark's id of the application, "" before it has one."""
        return next((line.removeprefix("application: ").strip() for line in self.output.splitlines() if line.startswith("application: ")), "")

    def await_(self, what: str, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not until():
            if self._process.poll() is not None or time.monotonic() > end:
                raise ApplicationError(f"the application has ended, or {PATIENCE_S} s are over, before {what}; the end of {self.log}:\n{self._tail()}")
            time.sleep(0.05)

    def finish(self) -> str:
        """Waits for its end, which must be good; what it printed."""
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ApplicationError(f"not done after {PATIENCE_S} s; the end of {self.log}:\n{self._tail()}") from None
        if status != 0:
            raise ApplicationError(f"exit status {status}; the end of {self.log}:\n{self._tail()}\n{self.output[-2000:]}")
        return self.output

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()

    def left(self) -> list[int]:
        """Waits until nothing of its session runs; what still does after EXIT_S."""
        end = time.monotonic() + EXIT_S
        while (found := processes(self.pid)) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def end(self) -> None:
        kill(processes(self.pid))
        self._process.wait()
        application.keep_logs(self._setup.spark_home / "work" / self.name, self.log)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


@contextlib.contextmanager
def started(setup: Setup, name: str, words: list[str]) -> Iterator[Driver]:
    """All of its processes have ended when this is left."""
    driver = Driver(setup, name, words)
    try:
        yield driver
    finally:
        driver.end()


class Logs:
    """The ship logs, as the command andiron reads them."""

    def __init__(self, setup: Setup) -> None:
        self._command, self._folder = setup.command, setup.log_dir

    def events(self, name: str) -> list[Event]:
        """Every event of an application, each with its `place`; none while it has no log."""
        lines = self._run("events", name, "--numbered").splitlines() if name and (self._folder / name).is_dir() else []
        return [json.loads(body) | {"place": int(place)} for place, body in (line.split(maxsplit=1) for line in lines)]

    def shipped(self, name: str) -> int:
        """Up to which place Kafka has the log."""
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
    """What the step's counter has counted once all of its partitions have reported; 0 before that."""
    found = [event for event in events if event["kind"] == "Metric" and event.get("step") == step and event.get("acc") == counter and event.get("final")]
    return int(str(max(found, key=lambda event: int(str(event["revision"]))).get("committed") or 0)) if found else 0


def words(setup: Setup, name: str, table: Path, servers: str, atlas: str) -> list[str]:
    """The command of an application that ships to Kafka and publishes to Atlas."""
    folder = setup.work / name
    conf = application.settings(folder) | application.with_andiron(setup, folder, steps.BUDGET) | {
        "spark.andiron.run.id": RUN_ID, "spark.andiron.kafka.bootstrap.servers": servers,
        # The second stage in as many tasks as there are partitions, so that it lasts when it is to be interrupted.
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.andiron.atlas.uri": atlas, "spark.andiron.atlas.step": "1s", "spark.andiron.atlas.tags": f"job={JOB}",
    }
    options = {"data": setup.data, "versions": setup.data / "versions", "table": table, "lost": steps.RUNS[0].lost_in_million}
    return application.command(setup, "andiron.demo.Pipeline", conf, options, MASTER)


def killed(setup: Setup, command: list[str], table: Path, broker: Broker, logs: Logs) -> Killed:
    """Runs the pipeline. Once Kafka has its first event the broker is killed, and the driver when the first step has counted all of its
    rows and the log has events that Kafka has not: between the two stages of the job."""
    with started(setup, "killed", command) as driver:
        driver.await_("Kafka has its first event", lambda: logs.shipped(driver.name) > 0)
        broker.kill()
        driver.await_(f"{FIRST} has counted", lambda: counted(logs.events(driver.name), FIRST, COUNTER) > 0 and logs.owed(driver.name) > 0)
        executors = memory.executors(driver.pid)
        driver.kill()
        at = time.monotonic()
        left = driver.left()
        after = round(time.monotonic() - at, 1)
        events = logs.events(driver.name)
        finished = any(event.get("ended_ms") for event in events if event["kind"] == "Application") or (table / "_SUCCESS").exists()
        return Killed(driver.name, counted(events, FIRST, COUNTER), logs.owed(driver.name), len(executors), after, left, finished)


def published(setup: Setup, table: Path) -> digest.Digest:
    """Of the table, as Spark without Andiron reads it."""
    out = setup.work / "lines"
    conf = application.settings(setup.work / "published")
    with started(setup, "published", application.command(setup, "andiron.demo.Published", conf, {"table": table, "out": out}, "local[2]")) as driver:
        driver.finish()
    return digest.of_output(out)
