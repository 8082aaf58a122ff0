import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import standalone_job as job
from checks.cluster.application import from_repository
from checks.cluster.standalone import Standalone
from checks.python.environment import Environment, wheel
from harness import spark
from harness.facts import BUILD
from harness.process import processes
from support import eventually, records

ENVIRONMENT = Environment.named(os.environ["ANDIRON_SPARK"])
TIMEOUT_S = 900


class OnStandalone(unittest.TestCase):
    """Applications on a master with two workers, submitted with the package in --py-files."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="andiron-python")))
        cls.package = cls.folder / "andiron.zip"
        wheel(cls.folder).rename(cls.package)
        cls.cluster = cls.enterClassContext(Standalone(ENVIRONMENT.home, cls.folder / "cluster"))

    def gives_what_plain_python_gives(self, *brought):
        work = self.folder / self.id().rsplit(".", 1)[-1]
        work.mkdir()
        content = {name: records(seed, job.COUNT, job.LENGTH) for seed, name in enumerate(job.VERSIONS)}
        for name, version in content.items():
            (work / name).write_bytes(version)
        more, by_packages = from_repository(ENVIRONMENT.coordinates, work)
        # Without a configured cache directory the executors use Spark's local directories.
        conf = spark.settings(work) | spark.andiron(work) | more | {
            "spark.andiron.cache.dir": None, "spark.executor.memory": "1g", "spark.executor.cores": "2", "spark.executorEnv.PYTHONPATH": ENVIRONMENT.libraries,
            "spark.executor.extraJavaOptions": "-XX:+UseSerialGC", "spark.andiron.cache.budgetBytes": "64m", "spark.andiron.cache.reportInterval": "200ms"}
        words = spark.submit(ENVIRONMENT.home, Path(job.__file__), [work], conf, *(brought or by_packages), "--py-files", self.package, master=self.cluster.url)
        variables = ENVIRONMENT.variables() | {"PYTHONPATH": ENVIRONMENT.libraries}
        ended = subprocess.run(words, env=variables, cwd=work, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        problems = "\n".join(line for line in (ended.stdout + ended.stderr).splitlines() if " INFO " not in line)
        self.assertEqual(ended.returncode, 0, problems[-3000:])
        told = json.loads((work / "told.json").read_text())
        truth = job.digest((i, content[version][at : at + job.LENGTH]) for i, version, at in job.ROWS)
        self.assertEqual((told["master"], told["rows"], told["digest"]), (self.cluster.url, len(job.ROWS), truth))
        self.assertEqual(len(told["loads"]), job.EXECUTORS)
        self.assertTrue(all(0 < loads <= len(job.VERSIONS) for loads in told["loads"].values()), told)
        self.assertTrue(all(re.fullmatch(f"{self.cluster.folder}/work-worker-.*/andiron.zip/andiron/__init__.py", file) for file in told["packages"]), told)
        self.nothing_left(work)

    def nothing_left(self, work):
        """Requires that no executor, no Python worker and no file of a version except its source is left."""

        def left():
            found = [pid for worker in self.cluster.workers for pid in processes(worker.pid) if pid != worker.pid]
            return found + [file for folder in (self.cluster.folder, work) for file in folder.rglob("*.bytes")]

        eventually(left, lambda: not left())

    def test_by_jars(self):
        self.gives_what_plain_python_gives("--jars", ENVIRONMENT.jar())

    def test_by_packages(self):
        self.assertTrue((BUILD / "repo").is_dir(), "build/repo is missing: gradle dist")
        told = subprocess.run([sys.executable, "-m", "andiron"], env=ENVIRONMENT.variables(), capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(told, ENVIRONMENT.coordinates)
        self.gives_what_plain_python_gives()
