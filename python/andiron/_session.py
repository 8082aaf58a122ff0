"""The driver's JVM."""

from __future__ import annotations

from typing import Any

from andiron.errors import BAD_ARGUMENT, BAD_SETTING, ArgumentError, ConnectError, SettingError

CONNECT = (
    "{what} needs the driver's JVM, which a client of Spark Connect does not have. Over Spark Connect there are no catalogs, cursors, steps, "
    "gates or reports: run this part of the program where the driver is (spark-submit, or a classic SparkSession). Jobs of Connect's clients "
    "are counted and reported on the server, if it was started with the plugin: `andiron report <application id>` shows them.")


def java_session(spark: Any, what: str) -> Any:
    """The SparkSession of the JVM; an error if `spark` is none, or is one of Spark Connect."""
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        raise ConnectError(CONNECT.format(what=what), BAD_SETTING)
    session = getattr(spark, "_jsparkSession", None)
    if session is None:
        raise ArgumentError(f"{what} needs a SparkSession, not a {type(spark).__name__}", BAD_ARGUMENT)
    return session


def java(spark: Any, name: str, what: str) -> Any:
    """One of the jar's objects for Python."""
    java_session(spark, what)
    found = getattr(spark._jvm.andiron.python, name)
    if type(found).__name__ == "JavaPackage":
        raise SettingError(
            f"{what} needs Andiron's jar on the driver's class path: start the application with --packages or --jars, and with "
            "--conf spark.plugins=andiron.AndironPlugin", BAD_SETTING)
    return found


def java_frame(rows: Any, what: str) -> Any:
    """The Dataset of the JVM behind a DataFrame."""
    if type(rows).__module__.startswith("pyspark.sql.connect"):
        raise ConnectError(CONNECT.format(what=what), BAD_SETTING)
    found = getattr(rows, "_jdf", None)
    if found is None:
        raise ArgumentError(f"{what} needs a DataFrame, not a {type(rows).__name__}: make one of an RDD by spark.createDataFrame", BAD_ARGUMENT)
    return found
