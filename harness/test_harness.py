import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from harness import facts, process, spark, wait
from harness.facts import BuildError, Built


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))


class WaitTest(unittest.TestCase):
    def test_a_condition_is_asked_until_it_holds_or_the_time_is_over(self) -> None:
        asked = iter([False, False, True])
        self.assertTrue(wait.until(lambda: next(asked), 60, 0))
        self.assertFalse(wait.until(lambda: False, 0, 0))


class FactsTest(Folder):
    def test_a_spark_home_of_the_user_says_its_versions(self) -> None:
        (self.folder / "jars").mkdir()
        (self.folder / "jars/spark-core_2.12-3.5.4.jar").touch()
        with mock.patch.dict(os.environ, {"HARNESS_SPARK_HOME": str(self.folder)}):
            with self.assertRaisesRegex(BuildError, "spark-submit is missing: run `make build`"):
                Built.located()
            (self.folder / "bin").mkdir()
            (self.folder / "bin/spark-submit").touch()
            with mock.patch.object(facts, "BUILD", self.folder):
                libs = self.folder / "scala-2.12/libs"
                libs.mkdir(parents=True)
                (libs / f"andiron_2.12-{facts.VERSION}.jar").touch()
                built = Built.located()
                self.assertEqual((built.spark, built.scala, built.coordinates), ("3.5.4", "2.12", f"{facts.GROUP}:andiron_2.12:{facts.VERSION}"))
                with self.assertRaisesRegex(BuildError, "andiron-faults_2.12"):
                    Built.located("faults")


class ProcessTest(Folder):
    def test_a_server_that_is_ready_says_its_port_and_ends_with_its_session(self) -> None:
        server = process.Server(["sh", "-c", "echo listens on 4711; sleep 600 & sleep 600"], self.folder / "log", r"listens on (\d+)")
        server.start()
        self.assertEqual((server.port, server.is_running), (4711, True))
        self.assertTrue(wait.until(lambda: len(process.processes(server.pid)) == 3, 60))
        server.stop()
        self.assertEqual((server.is_running, wait.until(lambda: not process.processes(server.pid), 60)), (False, True))

    def test_one_that_ends_before_it_is_ready_is_an_error_with_its_log(self) -> None:
        with self.assertRaisesRegex(process.ServerError, "no room"):
            process.Server(["sh", "-c", "echo no room"], self.folder / "log", "ready").start()

    def test_descendants_are_found_through_their_parents(self) -> None:
        with subprocess.Popen(["sh", "-c", f"{sys.executable} -c 'import time; time.sleep(600)'; true"], start_new_session=True) as parent:
            self.assertTrue(wait.until(lambda: len(process.descendants(parent.pid)) == 1, 60))
            self.assertIn(process.descendants(parent.pid)[0], process.descendants(os.getpid()))
            process.kill(process.processes(parent.pid))


class SparkTest(Folder):
    def test_settings_without_a_value_are_left_out(self) -> None:
        words = spark.submit(Path("/spark"), Path("/a.jar"), spark.pairs({"hold": True, "rows": 7}), {"a": 1, "b": None}, "--verbose", main="Main", jars=[Path("/x.jar")])
        self.assertEqual(words, ["/spark/bin/spark-submit", "--driver-memory", "1g", "--class", "Main", "--jars", "/x.jar", "--verbose", "--conf", "a=1", "/a.jar",
                                 "hold=true", "rows=7"])

    def app(self, text: str) -> spark.Application:
        return spark.Application([sys.executable, "-u", "-c", text], dict(os.environ), self.folder / "app")

    def test_an_application_says_its_id_and_is_ended_when_it_is_left(self) -> None:
        with self.app("import time; print('application: app-7'); time.sleep(600)") as app:
            app.wait_until("id", lambda: app.name)
            self.assertEqual((app.name, app.is_running), ("app-7", True))
            started = time.monotonic()
            with self.assertRaisesRegex(spark.ApplicationError, "no end within 0 s; the end of"):
                app.wait_until("end", lambda: not app.is_running, 0)
            with self.assertRaisesRegex(spark.ApplicationError, "more than 0 s"):
                app.finish(0)
            self.assertLess(time.monotonic() - started, 60)
        self.assertEqual((app.process.returncode, app.left(0)), (-signal.SIGKILL, []))

    def test_one_that_fails_is_an_error_with_the_end_of_its_log(self) -> None:
        with self.app("import sys; print('half done'); sys.exit('no memory')") as app:
            with self.assertRaisesRegex(spark.ApplicationError, "(?s)ended with 1; the end of .*no memory\n.*half done"):
                app.finish(60)
            with self.assertRaisesRegex(spark.ApplicationError, "no mark within 60 s, the application ended with 1"):
                app.wait_until("mark", lambda: False, 60)

    def test_records_are_lines_of_json(self) -> None:
        file = self.folder / "results.jsonl"
        self.assertEqual(spark.records(file), [])
        file.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(2)))
        self.assertEqual(spark.records(file), [{"n": 0}, {"n": 1}])
