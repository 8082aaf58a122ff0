import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from checks.python.environment import Environment
from harness import spark
from harness.facts import BUILD
from harness.process import Server, free_port, tail
from support import eventually

HERE = Path(__file__).resolve().parent
ENVIRONMENT = Environment.named(os.environ["ANDIRON_SPARK"])


if ENVIRONMENT.has_connect:

    class RealConnect(unittest.TestCase):
        """A Spark Connect server with the plugin, and a client in its own process."""

        @classmethod
        def setUpClass(cls):
            cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="andiron-connect")))
            cls.port = free_port()
            conf = spark.settings(cls.folder) | spark.andiron(cls.folder) | {
                "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": cls.port}
            words = spark.submit(ENVIRONMENT.home, Path("spark-internal"), [], conf, main="org.apache.spark.sql.connect.service.SparkConnectServer",
                                 master="local[2]", jars=[ENVIRONMENT.jar(), *ENVIRONMENT.connect_jars])
            cls.server = Server(words, cls.folder / "server.log", "", ENVIRONMENT.variables())
            cls.server.launch()
            cls.addClassCleanup(cls.server.stop)
            eventually(lambda: tail(cls.server.log), cls.answers)

        @classmethod
        def answers(cls):
            if not cls.server.is_running:
                raise AssertionError(f"the server has ended: {tail(cls.server.log)}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", cls.port)) == 0

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
            place = spark.Place(ENVIRONMENT, self.folder)
            application = json.loads(place.andiron("apps", "--json").splitlines()[0])
            name = next(value for value in application.values() if isinstance(value, str) and value.startswith("local-"))
            self.assertRegex(place.andiron("report", name), r"(?m)^Stages$[\s\S]*^ +\d+  ")
