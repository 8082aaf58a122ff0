"""Applications, datasets and waits of the checks; workers import it too. Needs SPARK_HOME and PYTHONPATH from checks/python/run.py."""

import os
import random
import shutil
import tempfile
import unittest
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import andiron
from harness import wait

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
    if not wait.until(holds, seconds):
        raise AssertionError(f"not so after {seconds} s: {what()}")


def outcome(action: Callable[..., object], *arguments: object) -> tuple[str, str, int]:
    """Class, message and code of the error of Andiron that the action raises; `nothing`, its result as text and 0 if it raises none."""
    try:
        return "nothing", repr(action(*arguments)), 0
    except andiron.AndironError as error:
        return type(error).__name__, str(error), error.code


def reader(catalog: andiron.Catalog, length: int) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A function of mapInPandas that reads the record of `length` bytes `at` a place of each row's version."""

    def read(batches: Iterator[Any]) -> Iterator[Any]:
        import pandas as pd

        with catalog.cursor() as cursor:
            for batch in batches:
                for version, rows in batch.groupby("version", dropna=False):
                    found = cursor.records(version, rows["at"], length)
                    yield pd.DataFrame({"id": rows["id"], "record": [record.tobytes() for record in found]})

    return read


def figure(spark: SparkSession, name: str) -> dict[str, int]:
    """A figure of every running process, by executor."""
    return {told["executor"]: told["figures"].get(name, 0) for told in andiron.cache_stats(spark) if not told["final"]}


class Application(unittest.TestCase):
    """A base of checks that share one application and a folder for their sources."""

    master = LOCAL
    conf: dict[str, str] = {}
    spark: Any
    catalog: andiron.Catalog

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="andiron-python"))
        cls.spark = session(cls.master, **cls.conf)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.spark.stop()
        shutil.rmtree(cls.folder)

    @property
    def check(self) -> str:
        """The name of the running check."""
        return self.id().rsplit(".", 1)[-1]

    def source(self, name: str, content: bytes) -> str:
        path = self.folder / f"{self.check}-{name}"
        path.write_bytes(content)
        return path.as_uri()

    def catalog_of(self, contents: Mapping[str, bytes], name: str = "") -> andiron.Catalog:
        """The check's catalog, of versions with these contents, closed after the check; its name is the check's by default."""
        sources = {version: self.source(str(number), content) for number, (version, content) in enumerate(contents.items())}
        self.catalog = andiron.catalog(self.spark, name or self.check, sources)
        self.addCleanup(self.catalog.close)
        return self.catalog

    def in_worker(self, run: Callable[[andiron.Catalog], Iterator[Any]], catalog: andiron.Catalog | None = None) -> list[Any]:
        """The results of one task in one worker, which uses this catalog, or else the check's."""
        used = self.catalog if catalog is None else catalog
        return self.spark.sparkContext.parallelize([0], 1).mapPartitions(lambda _: run(used)).collect()

    @contextmanager
    def raises(self, kind: type[BaseException], *parts: str) -> Iterator[Any]:
        """Fails unless the `with` block raises an error of this class whose text has all parts."""
        with self.assertRaises(kind) as caught:
            yield caught
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def nothing_leased(self) -> None:
        """Waits until the reports of all processes show no leases."""
        eventually(lambda: figure(self.spark, "leases"), lambda: not any(figure(self.spark, "leases").values()))
