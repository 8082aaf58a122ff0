import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from harness.facts import GROUP, ROOT, VERSION

sys.path.append(str(ROOT / "python"))

import andiron  # noqa: E402
from andiron import _session  # noqa: E402


def coordinates(scala: str) -> str:
    return f"{GROUP}:andiron_{scala}:{VERSION}"


class JavaPackage:
    """The object that Py4J returns for a name without a class."""


class ArtifactTest(unittest.TestCase):
    """The jar that the Python package names fits the installed Spark."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def home(self, name: str, scala: str) -> Path:
        jars = self.folder / name / "jars"
        jars.mkdir(parents=True)
        for jar in (f"scala-library-{scala}.jar", "scala-library-notes.jar", "scala-xml_2.13-2.1.0.jar"):
            (jars / jar).touch()
        return jars.parent

    def test_the_scala_of_a_spark_home_decides(self) -> None:
        for scala, jar in (("2.12.18", "2.12"), ("2.13.8", "2.13"), ("2.13.17", "2.13")):
            self.assertEqual(andiron.artifact(self.home(scala, scala)), coordinates(jar))

    def test_what_is_no_spark_or_one_of_another_scala_is_an_error(self) -> None:
        for home, part in ((self.folder, "SPARK_HOME"), (self.home("old", "2.11.12"), "Scala 2.11.12"), (self.home("new", "3.3.1"), "2.12 and 2.13")):
            with self.assertRaises(andiron.SettingError) as caught:
                andiron.artifact(home)
            self.assertIn(part, str(caught.exception))

    def test_the_module_prints_that_of_spark_home_else_of_the_installed_pyspark(self) -> None:
        pyspark = self.home("site/pyspark", "2.12.18")
        (pyspark / "__init__.py").touch()
        variables = {key: value for key, value in os.environ.items() if key != "SPARK_HOME"} | {"PYTHONPATH": os.pathsep.join((str(ROOT / "python"), str(pyspark.parent)))}
        for more, status, out in (
                ({}, 0, coordinates("2.12")), ({"SPARK_HOME": str(self.home("spark", "2.13.8"))}, 0, coordinates("2.13")), ({"SPARK_HOME": str(self.folder)}, 1, "")):
            told = subprocess.run([sys.executable, "-m", "andiron"], env=variables | more, cwd=self.folder, capture_output=True, text=True, check=False)
            self.assertEqual((told.returncode, told.stdout.strip()), (status, out), told.stderr)
        self.assertTrue(told.stderr.startswith(f"andiron: {self.folder} is no Spark"), told.stderr)

    def spark(self, requirements: object) -> SimpleNamespace:
        scala = SimpleNamespace(util=SimpleNamespace(Properties=SimpleNamespace(versionNumberString=lambda: "2.12.18")))
        ours = SimpleNamespace(internal=SimpleNamespace(Requirements=requirements, python=SimpleNamespace(PythonDriver="the driver")))
        return SimpleNamespace(_jsparkSession=object(), _jvm=SimpleNamespace(andiron=ours, scala=scala))

    def test_without_a_jar_the_one_to_take_is_named(self) -> None:
        with self.assertRaises(andiron.SettingError) as caught:
            _session.java(self.spark(JavaPackage()), "PythonDriver", "a step")
        self.assertIn(f"a step needs Andiron's jar on the driver's class path: start the application with --packages {coordinates('2.12')}", str(caught.exception))

    def test_the_jar_of_another_scala_is_an_error_of_ours(self) -> None:
        java_class = mock.Mock(**{"getName.return_value": "andiron.EnvironmentException"})
        java = mock.Mock(**{"getClass.return_value": java_class, "getMessage.return_value": "take andiron_2.12", "code.return_value": 405})
        refusal = RuntimeError()
        refusal.java_exception = java  # type: ignore[attr-defined]
        with self.assertRaises(andiron.SettingError) as caught:
            _session.java(self.spark(SimpleNamespace(require=mock.Mock(side_effect=refusal))), "PythonDriver", "a step")
        self.assertEqual((str(caught.exception), caught.exception.code), ("take andiron_2.12", 405))
        fits = SimpleNamespace(require=lambda: None)
        self.assertEqual(_session.java(self.spark(fits), "PythonDriver", "a step"), "the driver")

    def test_documents_name_the_jar_that_belongs_to_the_spark_they_speak_of(self) -> None:
        text = (ROOT / "docs/guide/python.md").read_text()
        command = next(line for line in text.splitlines() if line.startswith("spark-submit "))
        self.assertIn('--packages "$(python3 -m andiron)"', command)
        rows = dict(re.findall(r"^\| .*?PySpark (\S+).*? \| `andiron_(\d\.\d+)-", text, re.MULTILINE))
        self.assertEqual({spark.split(".")[0]: scala for spark, scala in rows.items()}, {"3": "2.12", "4": "2.13"}, rows)
        self.assertFalse(re.findall(rf"andiron_2\.1\d[-:](?!{re.escape(VERSION)})", text))
