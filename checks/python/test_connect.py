import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from checks.python.environment import Environment
from harness import spark
from harness.facts import BUILD
from harness.process import free_port
from support import eventually

HERE = Path(__file__).resolve().parent
ENVIRONMENT = Environment.named(os.environ["ANDIRON_SPARK"])


if ENVIRONMENT.has_connect:

    class RealConnect(unittest.TestCase):
        """A Spark Connect server with the plugin, and a client in its own process."""

        @classmethod
        def setUpClass(cls):
            cls.folder = Path(tempfile.mkdtemp(prefix="andiron-connect"))
            cls.addClassCleanup(shutil.rmtree, cls.folder)
            cls.port = free_port()
            conf = spark.settings(cls.folder) | spark.andiron(cls.folder) | {
                "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": cls.port}
            words = spark.submit(ENVIRONMENT.home, Path("spark-internal"), [], conf, main="org.apache.spark.sql.connect.service.SparkConnectServer",
                                 master="local[2]", jars=[ENVIRONMENT.jar(), *ENVIRONMENT.connect_jars])
            cls.log = (cls.folder / "server.log").open("w")
            cls.addClassCleanup(cls.log.close)
            cls.server = subprocess.Popen(words, env=ENVIRONMENT.variables(), cwd=cls.folder, stdout=cls.log, stderr=subprocess.STDOUT)
            cls.addClassCleanup(cls.end)
            eventually(lambda: (cls.folder / "server.log").read_text()[-3000:], cls.answers)

        @classmethod
        def answers(cls):
            if cls.server.poll() is not None:
                raise AssertionError(f"the server has ended: {(cls.folder / 'server.log').read_text()[-3000:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", cls.port)) == 0

        @classmethod
        def end(cls):
            cls.server.terminate()
            try:
                cls.server.wait(120)
            except subprocess.TimeoutExpired:
                cls.server.kill()
                cls.server.wait()
                raise

        def test_what_works_works_and_all_else_says_that_it_does_not(self):
            variables = ENVIRONMENT.variables()
            variables["PYTHONPATH"] += os.pathsep + str(BUILD / "python-connect")
            client = subprocess.run([sys.executable, HERE / "connect_client.py", f"sc://127.0.0.1:{self.port}"], env=variables, capture_output=True, text=True, check=False)
            self.assertEqual(client.returncode, 0, client.stderr[-3000:])
            told = json.loads(client.stdout.splitlines()[-1])
            self.assertEqual(told.pop("sum"), 999_000)
            for what, (kind, message) in told.items():
                self.assertEqual(kind, "ConnectError", (what, message))
                self.assertIn("Spark Connect", message)
            apps = subprocess.run([BUILD / "bin/andiron", "apps", "--json", "--log-dir", self.folder / "log"], capture_output=True, text=True, check=True)
            application = json.loads(apps.stdout.splitlines()[0])
            text = json.dumps(application)
            self.assertIn("local-", text)
            name = next(value for value in application.values() if isinstance(value, str) and value.startswith("local-"))
            report = subprocess.run([BUILD / "bin/andiron", "report", name, "--log-dir", self.folder / "log"], capture_output=True, text=True, check=True)
            self.assertRegex(report.stdout, r"(?m)^Stages$[\s\S]*^ +\d+  ")
