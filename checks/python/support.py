"""Applications, datasets and waits of the checks. Needs SPARK_HOME and PYTHONPATH from checks/python/run.py."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import andiron

MB = 1 << 20
LOCAL = "local[4]"
CLUSTER = "local-cluster[2,2,1024]"


def session(master: str, **conf: str) -> SparkSession:
    """Starts an application with the plugin. Underscores in the names of `conf` stand for dots."""
    settings = {
        "spark.plugins": "andiron.AndironPlugin", "spark.jars": os.environ["ANDIRON_JAR"], "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.sql.shuffle.partitions": "4",
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"], "spark.executor.memory": "1g", "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
        "spark.andiron.cache.budgetBytes": "256m", "spark.andiron.cache.reportInterval": "200ms",
    } | {key.replace("_", "."): value for key, value in conf.items()}
    builder = SparkSession.builder.master(master).appName("andiron-python")
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def records(seed: int, count: int, length: int) -> bytes:
    return random.Random(seed).randbytes(count * length)


def eventually(what: Callable[[], object], holds: Callable[[], bool], seconds: float = 180) -> None:
    """Waits until `holds()` is true; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not so after {seconds} s: {what()}")
        time.sleep(0.05)


def figure(spark: SparkSession, name: str) -> dict[str, int]:
    """A figure of every running process, by executor."""
    return {told["executor"]: told["figures"].get(name, 0) for told in andiron.cache_stats(spark) if not told["final"]}


class Application(unittest.TestCase):
    """A base of checks that share one application and a folder for their sources."""

    master = LOCAL
    conf: dict[str, str] = {}
    spark: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="andiron-python"))
        cls.spark = session(cls.master, **cls.conf)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.spark.stop()
        shutil.rmtree(cls.folder)

    def source(self, name: str, content: bytes) -> str:
        path = self.folder / f"{self.id().rsplit('.', 1)[-1]}-{name}"
        path.write_bytes(content)
        return path.as_uri()

    def nothing_leased(self) -> None:
        """Waits until the reports of all processes show no leases."""
        eventually(lambda: figure(self.spark, "leases"), lambda: not any(figure(self.spark, "leases").values()))
