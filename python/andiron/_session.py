"""Access to the driver's JVM."""

from __future__ import annotations

from typing import Any

from andiron._artifact import coordinates
from andiron.errors import BAD_ARGUMENT, BAD_SETTING, ArgumentError, ConnectError, SettingError, calling

CONNECT = (
    "{what} needs the driver's JVM, which a client of Spark Connect does not have. Over Spark Connect there are no catalogs, cursors, steps, "
    "gates or reports: run this part of the program in the driver (spark-submit, or a classic SparkSession). Jobs of Connect's clients "
    "are counted and reported on the server, if it was started with the plugin: `andiron report <application id>` shows them.")


def java_session(spark: Any, what: str) -> Any:
    """The JVM's SparkSession; an error if `spark` is not a SparkSession, or is one of Spark Connect."""
    return _behind(spark, "_jsparkSession", what, f"a SparkSession, not a {type(spark).__name__}")


def java(spark: Any, name: str, what: str) -> Any:
    """One of the jar's Scala objects for Python."""
    java_session(spark, what)
    requirements = spark._jvm.andiron.internal.Requirements
    if _is_missing(requirements):
        jar = coordinates(spark._jvm.scala.util.Properties.versionNumberString())
        raise SettingError(
            f"{what} needs Andiron's jar on the driver's class path: start the application with --packages {jar}, or with this jar in --jars, and "
            "with --conf spark.plugins=andiron.AndironPlugin", BAD_SETTING)
    calling(requirements.require)
    return getattr(spark._jvm.andiron.internal.python, name)


def _is_missing(java_class: Any) -> bool:
    """Whether Py4J found no class of that name."""
    return type(java_class).__name__ == "JavaPackage"


def java_frame(rows: Any, what: str) -> Any:
    """The Dataset of the JVM behind a DataFrame."""
    return _behind(rows, "_jdf", what, f"a DataFrame, not a {type(rows).__name__}: convert an RDD with spark.createDataFrame")


def _behind(value: Any, attribute: str, what: str, needs: str) -> Any:
    """The JVM's object behind an object of PySpark."""
    if type(value).__module__.startswith("pyspark.sql.connect"):
        raise ConnectError(CONNECT.format(what=what), BAD_SETTING)
    found = getattr(value, attribute, None)
    if found is None:
        raise ArgumentError(f"{what} needs {needs}", BAD_ARGUMENT)
    return found
