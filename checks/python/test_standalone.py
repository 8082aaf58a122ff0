import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import standalone_job as job
from environment import FACTS, ROOT, VERSION, Environment, wheel
from support import eventually, records

sys.path.append(str(ROOT))

from checks.cluster.standalone import Standalone  # noqa: E402
from checks.faults.application import processes  # noqa: E402

ENVIRONMENT = Environment.of(os.environ["ANDIRON_SPARK"])
REPOSITORY = ROOT / "build/repo"
TIMEOUT_S = 900


class OnStandalone(unittest.TestCase):
    """A master with two workers, and applications that spark-submit brings there, with the package by --py-files."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="andiron-python"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.package = cls.folder / "andiron.zip"
        wheel(cls.folder).rename(cls.package)
        cls.cluster = Standalone(ENVIRONMENT.home, cls.folder / "cluster")
        cls.addClassCleanup(cls.cluster.end)

    def gives_what_plain_python_gives(self, *brought):
        work = self.folder / self.id().rsplit(".", 1)[-1]
        work.mkdir()
        content = {name: records(seed, job.COUNT, job.LENGTH) for seed, name in enumerate(job.VERSIONS)}
        for name, version in content.items():
            (work / name).write_bytes(version)
        conf = {
            "spark.plugins": "andiron.AndironPlugin", "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "1g", "spark.executor.cores": "2", "spark.executorEnv.PYTHONPATH": ENVIRONMENT.libraries,
            "spark.executor.extraJavaOptions": "-XX:+UseSerialGC", "spark.local.dir": work / "local", "spark.sql.warehouse.dir": work / "warehouse",
            "spark.andiron.cache.budgetBytes": "64m", "spark.andiron.cache.reportInterval": "200ms", "spark.andiron.log.dir": work / "log",
            # The repository is the only one: nothing is asked of the network.
            "spark.jars.ivy": work / "ivy", "spark.jars.ivySettings": work / "ivysettings.xml"}
        (work / "ivysettings.xml").write_text('<ivysettings><settings defaultResolver="none"/><resolvers><chain name="none"/></resolvers></ivysettings>')
        words = [ENVIRONMENT.home / "bin/spark-submit", "--master", self.cluster.url, *brought, "--py-files", self.package]
        words += [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")] + [Path(job.__file__), work]
        variables = ENVIRONMENT.variables() | {"PYTHONPATH": ENVIRONMENT.libraries}
        ended = subprocess.run(list(map(str, words)), env=variables, cwd=work, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
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
        """No executor, no Python worker, and no file of a version but its source."""

        def left():
            found = [pid for worker in self.cluster.workers for pid in processes(worker.pid) if pid != worker.pid]
            return found + [file for folder in (self.cluster.folder, work) for file in folder.rglob("*.bytes")]

        eventually(left, lambda: not left())

    def test_by_jars(self):
        self.gives_what_plain_python_gives("--jars", ENVIRONMENT.jar)

    def test_by_packages(self):
        self.assertTrue(REPOSITORY.is_dir(), "build/repo is missing: gradle dist")
        told = subprocess.run([sys.executable, "-m", "andiron"], env=ENVIRONMENT.variables(), capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(told, f"{FACTS['group']}:andiron_{ENVIRONMENT.scala}:{VERSION}")
        self.gives_what_plain_python_gives("--packages", told, "--repositories", REPOSITORY.as_uri())
