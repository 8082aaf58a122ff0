"""PySpark in build/, pinned by hash: the Python files of its source archive, for the Spark home that Gradle assembles.

    python3 -m checks.python.environment [SCALA:]SPARK ...     fetches the missing packages for these
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Self

from harness import spark
from harness.facts import BUILD, PIP, ROOT, SPARK, Built, installed

HERE = Path(__file__).resolve().parent
CONNECT = ("deps/jars/spark-connect_", "deps/jars/spark-pipelines_")
"""The jars of a Spark Connect server, which a Spark home from Maven lacks; the second is not in every mirror."""


class Environment(Built):
    """A Spark home with the PySpark of the same version."""

    @classmethod
    def named(cls, name: str) -> Self:
        """The environment for `3.5.4`, or, with a Scala version, for `2.12:3.5.4`."""
        *scala, version = name.split(":")
        return cls.of(version, *scala)

    @property
    def path(self) -> str:
        """The PYTHONPATH of driver and workers."""
        return f"{ROOT / 'python'}{os.pathsep}{self.libraries}"

    @property
    def libraries(self) -> str:
        """The PYTHONPATH without the andiron package."""
        return os.pathsep.join(map(str, (BUILD / f"python-spark-{self.spark}", BUILD / "python-workers")))

    @property
    def has_connect(self) -> bool:
        """Whether the checks start a Spark Connect server; they do so on Spark 4."""
        return not self.spark.startswith("3.")

    @property
    def connect_jars(self) -> list[Path]:
        return sorted((BUILD / f"python-spark-{self.spark}/deps/jars").glob("*.jar"))

    def variables(self) -> dict[str, str]:
        """The environment variables of a driver."""
        return spark.environment(self.home) | {
            "PYTHONPATH": self.path, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_SCALA_VERSION": self.scala}

    def fetch(self) -> None:
        """Fetches the missing packages. Raises if Gradle has not built the Spark home and the jar."""
        for built in (self.home, self.jar()):
            if not built.exists():
                raise FileNotFoundError(f"{built.relative_to(ROOT)} is missing: gradle assemble sparkHome -PscalaVersion={self.scala} -PtestSpark={self.spark}")
        installed(BUILD / f"python-spark-{self.spark}", HERE / f"pyspark-{self.spark}.txt", pyspark)
        installed(BUILD / "python-workers", HERE / "requirements.txt")
        installed(BUILD / "python-build", HERE / "requirements-build.txt")
        installed(BUILD / "python-types", HERE / "requirements-types.txt")
        if self.has_connect:
            installed(BUILD / "python-connect", HERE / "requirements-connect.txt")


def wheel(folder: Path) -> Path:
    """The wheel of the package, made in `folder` from a copy of python/ by a user's command, without network."""
    source = folder / "source"
    shutil.copytree(ROOT / "python", source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    words = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, source]
    subprocess.run(words, env=os.environ | {"PYTHONPATH": str(BUILD / "python-build")}, check=True)
    made, = folder.glob("*.whl")
    return made


def pyspark(folder: Path, pinned: Path) -> None:
    """Fetches the packages of a list that includes PySpark into `folder`; PySpark's archive also has the jars of a whole Spark."""
    with tempfile.TemporaryDirectory(dir=BUILD) as fetched:
        subprocess.run([*PIP, "download", "--no-deps", "--require-hashes", "--dest", fetched, "-r", pinned], check=True)
        with tarfile.open(next(Path(fetched).glob("pyspark-*.tar.gz"))) as archive:
            for member in archive:
                _, _, path = member.name.partition("/")
                content = archive.extractfile(member)
                if content is not None and (path.startswith("pyspark/") or path.startswith(CONNECT)) and ".." not in path:
                    to = folder / path
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(content.read())
        wheel = next(Path(fetched).glob("py4j-*.whl"))
        subprocess.run([*PIP, "install", "--root-user-action=ignore", "--no-deps", "--no-index", "--target", folder, wheel], check=True)


if __name__ == "__main__":
    for version in sys.argv[1:] or [SPARK]:
        Environment.named(version).fetch()
