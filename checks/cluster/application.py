"""Runs checks/cluster/scala by spark-submit, with the jar from `--jars`, or from `--packages` with a Maven repository in a folder."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.cluster.content import Content
from checks.faults import application
from harness import memory, process, spark
from harness.facts import BUILD, Built
from harness.spark import ApplicationError, Record

TIMEOUT_S = 900
ONLY_OURS = '<ivysettings><settings defaultResolver="none"/><resolvers><chain name="none"/></resolvers></ivysettings>'
"""Ivy settings without a default resolver: only the repository on the command line is used, and no network."""


@dataclass(frozen=True)
class Setup:
    """The files of `make build` and `make dist`, and a folder for the applications."""

    built: Built
    work: Path


@dataclass(frozen=True)
class Job:
    """The options of the program; see ClusterJob.scala."""

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


class Application(spark.Application):
    """A running application in its own folder."""

    def __init__(self, setup: Setup, master: str, job: Job, folder: Path, roots: Callable[[], list[int]] | None = None) -> None:
        self.job = job
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("marks", "tmp"):
            (folder / name).mkdir(parents=True)
        job.content.write(folder / "versions")
        super().__init__(command(setup, master, job, folder), spark.environment(setup.built.home), folder)
        # Executors are descendants of the workers, or of the driver in `local-cluster`.
        self._roots = roots or (lambda: [self.pid])

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        shutil.rmtree(self.folder / "versions", ignore_errors=True)

    @property
    def id(self) -> str:
        """Spark's application id, known once the context exists."""
        self.wait_until("application id", lambda: self.name)
        return self.name

    def executors(self) -> list[int]:
        """The process ids of the executors."""
        found = {pid for root in self._roots() for pid in memory.executors(root)}
        return sorted(pid for pid in found if self.id in process.command(pid))

    def await_mark(self, name: str) -> None:
        self.wait_until(f"mark {name}", lambda: self.has(name))

    def has(self, name: str) -> bool:
        return (self.folder / "marks" / name).exists()

    def go(self) -> None:
        (self.folder / "marks/go").touch()

    def results(self) -> list[Record]:
        return spark.records(self.folder / "results.jsonl")

    def downloads(self) -> float:
        """The bytes read from sources, in whole versions."""
        file = self.folder / "reads"
        read = sum(int(line.split()[2]) for line in file.read_text().splitlines()) if file.exists() else 0
        return read / self.job.content.bytes

    def finished(self) -> Record:
        """Waits for the end. Raises unless all digests are right and there are no leases, waiting tasks or resident versions."""
        self.finish(TIMEOUT_S)
        *rounds, end = self.results()
        truth = self.job.content.digest(self.job.rows, self.job.read)
        wrong = [str(one["round"]) for one in rounds if one["digest"] != truth]
        if wrong or len(rounds) != self.job.rounds:
            raise ApplicationError(f"of {self.job.rounds} rounds {len(rounds)} ended; wrong digests in: {', '.join(wrong) or 'none'}")
        if left := {name: end[name] for name in ("leases", "waiting", "attempts", "resident_after_close") if end[name]}:
            raise ApplicationError(f"left behind in executors: {left}")
        return end


def from_repository(coordinates: str, folder: Path) -> tuple[dict[str, object], list[str]]:
    """Settings and options that make `--packages` take the jar from build/repo."""
    (folder / "ivysettings.xml").write_text(ONLY_OURS)
    settings = {"spark.jars.ivy": folder / "ivy", "spark.jars.ivySettings": folder / "ivysettings.xml"}
    return settings, ["--packages", coordinates, "--repositories", (BUILD / "repo").as_uri()]


def command(setup: Setup, master: str, job: Job, folder: Path) -> list[str]:
    built, brought = setup.built, ["--jars", str(setup.built.jar())]
    settings = application.settings(folder) | {
        "spark.andiron.cache.budgetBytes": "64m", "spark.shuffle.io.retryWait": "200ms",
        "spark.hadoop.fs.counted.impl": "andiron.cluster.CountedFileSystem", "spark.hadoop.fs.counted.log": folder / "reads",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder}/tmp", "spark.executor.extraJavaOptions": f"-Djava.io.tmpdir={folder}/tmp -XX:+UseSerialGC",
    } | dict(job.settings)
    if job.by == "--packages":
        more, brought = from_repository(built.coordinates, folder)
        settings |= more
    options = {name: getattr(job, name) for name in ("rows", "partitions", "rounds", "pause", "read", "executors", "hold", "idle")}
    arguments = spark.pairs({"folder": folder, "versions": ",".join(job.content.names)} | options)
    return spark.submit(built.home, built.jar("cluster"), arguments, settings, *brought, main="andiron.cluster.ClusterJob", master=master)
