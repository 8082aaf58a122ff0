"""Runs checks/cluster/scala by spark-submit, as a user brings the jar: `--jars`, or `--packages` from a Maven repository in a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.cluster.content import Content
from harness import memory
from harness.process import kill, processes

TIMEOUT_S = 900
WAIT_S = 300
EXIT_S = 60
Record = dict[str, Any]


class ApplicationError(Exception):
    """The application failed, hung, or did not do what a check expects."""


@dataclass(frozen=True)
class Setup:
    """What `make build` and `make dist` have left."""

    home: Path
    jar: Path
    program: Path
    repository: Path
    coordinates: str
    work: Path

    @property
    def spark(self) -> str:
        return (self.home / "RELEASE").read_text().split()[1]

    @property
    def scala(self) -> str:
        return self.coordinates.split("_")[1].split(":")[0]


@dataclass(frozen=True)
class Job:
    """What the program is told; see ClusterJob.scala."""

    content: Content
    rows: int = 400
    partitions: int = 8
    rounds: int = 1
    pause: int = 0
    read: str = "cells"
    executors: int = 2
    hold: bool = False
    idle: bool = False
    by: str = "--jars"
    settings: Mapping[str, object] = field(default_factory=dict)


class Application:
    """A running application in a folder of its own; ended, whatever happens, by leaving the `with`."""

    def __init__(self, setup: Setup, master: str, job: Job, folder: Path, roots: Callable[[], list[int]] | None = None) -> None:
        self.setup, self.job, self.folder = setup, job, folder
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("marks", "tmp"):
            (folder / name).mkdir(parents=True)
        job.content.write(folder / "versions")
        environment = os.environ | {"SPARK_HOME": str(setup.home), "SPARK_LOCAL_IP": "127.0.0.1"}
        with (folder / "driver.out").open("wb") as out, (folder / "driver.err").open("wb") as err:
            self.process = subprocess.Popen(
                command(setup, master, job, folder), stdout=out, stderr=err, env=environment, cwd=folder, start_new_session=True)
        # Executors descend from the workers, or in `local-cluster` from the driver.
        self._roots = roots or (lambda: [self.process.pid])

    def __enter__(self) -> Application:
        return self

    def __exit__(self, *_: object) -> None:
        kill(processes(self.process.pid))
        self.process.wait()
        shutil.rmtree(self.folder / "versions", ignore_errors=True)

    @property
    def id(self) -> str:
        """Known once the context is there."""
        self.wait_until("application id", lambda: "application: " in self._printed())
        return re.findall(r"^application: (\S+)$", self._printed(), re.MULTILINE)[0]

    def _printed(self) -> str:
        return (self.folder / "driver.out").read_text(errors="replace")

    def executors(self) -> list[int]:
        """Process ids of its executors."""
        found = {pid for root in self._roots() for pid in memory.executors(root)}
        return sorted(pid for pid in found if self.id in _words(pid))

    def wait_until(self, what: str, condition: Callable[[], bool], seconds: float = WAIT_S) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None and not condition():
                raise ApplicationError(f"no {what}: the application ended with {self.process.returncode}\n{self.tail()}")
            if time.monotonic() > end:
                raise ApplicationError(f"no {what} within {seconds:.0f} s\n{self.tail()}")
            time.sleep(0.02)

    def await_mark(self, name: str) -> None:
        self.wait_until(f"mark {name}", lambda: self.has(name))

    def has(self, name: str) -> bool:
        return (self.folder / "marks" / name).exists()

    def go(self) -> None:
        (self.folder / "marks/go").touch()

    def tail(self) -> str:
        return "\n".join((self.folder / "driver.err").read_text(errors="replace").splitlines()[-25:])

    def results(self) -> list[Record]:
        file = self.folder / "results.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def downloads(self) -> float:
        """How many whole versions were read from their sources."""
        file = self.folder / "reads"
        read = sum(int(line.split()[2]) for line in file.read_text().splitlines()) if file.exists() else 0
        return read / self.job.content.bytes

    def finish(self) -> Record:
        """Waits for the end. An error unless all digests are the right one and nothing is leased, waited for or resident."""
        try:
            status = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ApplicationError(f"the application took more than {TIMEOUT_S} s\n{self.tail()}") from None
        if status != 0:
            raise ApplicationError(f"the application ended with {status}\n{self.tail()}")
        *rounds, end = self.results()
        truth = self.job.content.digest(self.job.rows, self.job.read)
        wrong = [str(one["round"]) for one in rounds if one["digest"] != truth]
        if wrong or len(rounds) != self.job.rounds:
            raise ApplicationError(f"of {self.job.rounds} rounds {len(rounds)} ended; wrong digests in: {', '.join(wrong) or 'none'}")
        if left := {name: end[name] for name in ("leases", "waiting", "attempts", "resident_after_close") if end[name]}:
            raise ApplicationError(f"left behind in executors: {left}")
        return end


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def command(setup: Setup, master: str, job: Job, folder: Path) -> list[str]:
    settings: dict[str, object] = {
        "spark.plugins": "andiron.AndironPlugin",
        "spark.andiron.cache.dir": folder / "cache",
        "spark.andiron.cache.budgetBytes": "64m",
        "spark.andiron.log.dir": folder / "log",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder / "local",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.executor.memory": "1g",
        "spark.executor.cores": "2",
        "spark.shuffle.io.retryWait": "200ms",
        "spark.hadoop.fs.counted.impl": "andiron.cluster.CountedFileSystem",
        "spark.hadoop.fs.counted.log": folder / "reads",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder}/tmp",
        "spark.executor.extraJavaOptions": f"-Djava.io.tmpdir={folder}/tmp -XX:+UseSerialGC",
    } | dict(job.settings)
    if job.by == "--packages":
        # The repository is the only one: nothing is asked of the network.
        (folder / "ivysettings.xml").write_text(
            '<ivysettings><settings defaultResolver="none"/><resolvers><chain name="none"/></resolvers></ivysettings>')
        settings |= {"spark.jars.ivy": folder / "ivy", "spark.jars.ivySettings": folder / "ivysettings.xml"}
        brought = ["--packages", setup.coordinates, "--repositories", setup.repository.as_uri()]
    else:
        brought = ["--jars", str(setup.jar)]
    options = {
        "folder": folder, "versions": ",".join(job.content.names), "rows": job.rows, "partitions": job.partitions, "rounds": job.rounds,
        "pause": job.pause, "read": job.read, "executors": job.executors, "hold": str(job.hold).lower(), "idle": str(job.idle).lower(),
    }
    return [
        str(setup.home / "bin/spark-submit"), "--master", master, "--driver-memory", "1g", *brought,
        "--class", "andiron.cluster.ClusterJob",
        *(word for key, value in settings.items() if value is not None for word in ("--conf", f"{key}={value}")),
        str(setup.program), *(f"{key}={value}" for key, value in options.items()),
    ]
