"""Facts of the tree: versions from gradle.properties, files that Gradle writes to build/, pip packages, the commit."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PROPERTIES = dict(line.split("=", 1) for line in (ROOT / "gradle.properties").read_text().splitlines() if "=" in line[:20])
GROUP, VERSION, SCALA, SPARK = (PROPERTIES[name] for name in ("group", "version", "scalaVersion", "sparkVersion"))
GRADLE = [os.environ.get("GRADLE", "gradle"), "--no-daemon"]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


class BuildError(Exception):
    """The build has not written a file that is needed."""


@dataclass(frozen=True)
class Built:
    """A Spark home, and the jars that Gradle has built for its Scala."""

    home: Path
    spark: str
    scala: str

    @classmethod
    def of(cls, spark: str = SPARK, scala: str = SCALA) -> Self:
        return cls(BUILD / f"spark-{spark}_{scala}", spark, scala)

    @classmethod
    def located(cls, *programs: str, scala: str = SCALA) -> Self:
        """The Spark home of HARNESS_SPARK_HOME, else the build's. Raises unless it, the jar and the programs' jars exist."""
        built = cls.of(scala=scala)
        if home := os.environ.get("HARNESS_SPARK_HOME"):
            core = next(Path(home).glob("jars/spark-core_*.jar"), Path("spark-core_none-none"))
            scala, _, spark = core.stem.partition("_")[2].partition("-")
            built = cls(Path(home).absolute(), spark, scala)
        for needed in (built.home / "bin/spark-submit", built.jar(), *map(built.jar, programs)):
            if not needed.exists():
                raise BuildError(f"{needed} is missing: run `make build`, or set HARNESS_SPARK_HOME")
        return built

    @property
    def out(self) -> Path:
        return BUILD / f"scala-{self.scala}"

    def jar(self, program: str = "") -> Path:
        """Andiron's jar, or the jar of a program such as `faults`."""
        return self.out / f"libs/andiron{'-' if program else ''}{program}_{self.scala}-{VERSION}.jar"

    def classpath(self, service: str) -> list[str]:
        """The jars that `gradle <service>Classpath` has listed."""
        file = self.out / f"services/{service}.classpath"
        if not file.is_file():
            raise BuildError(f"{file} is missing: run gradle {service}Classpath")
        return file.read_text().split()

    @property
    def coordinates(self) -> str:
        return f"{GROUP}:andiron_{self.scala}:{VERSION}"


def gradle(*tasks: str, scala: str = SCALA, spark: str = SPARK) -> None:
    """Runs Gradle tasks for this Scala and this Spark."""
    subprocess.run([*GRADLE, "--quiet", *tasks, f"-PscalaVersion={scala}", f"-PtestSpark={spark}"], cwd=ROOT, check=True)


def install(folder: Path, pinned: Path) -> None:
    subprocess.run([*PIP, "install", "--root-user-action=ignore", "--no-deps", "--require-hashes", "--target", folder, "-r", pinned], check=True)


def installed(folder: Path, pinned: Path, fill: Callable[[Path, Path], None] = install) -> Path:
    """`folder` with the packages that `pinned` lists by hash; fetches them if they are missing. A copy of the list in the folder marks it as complete."""
    done = folder / "requirements.txt"
    if not done.exists() or done.read_text() != pinned.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fill(folder, pinned)
        shutil.copy(pinned, done)
    return folder


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def commit() -> str:
    return git("rev-parse", "HEAD") or "unknown"


def is_set(variable: str) -> bool:
    """Whether an environment variable is switched on."""
    return os.environ.get(variable, "") not in ("", "0")
