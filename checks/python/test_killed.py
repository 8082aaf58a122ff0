import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from support import CLUSTER, Application, eventually, figure, records


class Killed(Application):
    """The leases of a task end with it, however it ends."""

    master = CLUSTER
    conf = {"spark.task.maxFailures": "3"}

    def setUp(self):
        self.content = {f"v{i}": records(i, 1000, 100) for i in range(3)}
        self.catalog_of(self.content, "killed")

    def test_a_killed_worker_frees_its_lease_and_the_job_goes_on(self):
        catalog, marks = self.catalog, self.folder / "marks"
        marks.mkdir()

        def run(index, rows):
            cursor = catalog.cursor()
            value = cursor.lookup(f"v{index % 3}", index * 100, 100)
            mark = Path(marks, str(index))
            if index % 4 == 1 and not mark.exists():
                mark.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            yield index, value

        for _ in range(3):
            found = dict(self.spark.sparkContext.parallelize(range(12), 12).mapPartitionsWithIndex(run).collect())
            self.assertEqual(found, {i: self.content[f"v{i % 3}"][i * 100 : i * 100 + 100] for i in range(12)})
            self.assertEqual(len(list(marks.iterdir())), 3)
            self.nothing_leased()
            for mark in marks.iterdir():
                mark.unlink()
        self.assertFalse(any(figure(self.spark, "reapedLeases").values()))

    def test_a_cancelled_job_frees_its_leases(self):
        catalog, started = self.catalog, tempfile.mkdtemp(dir=self.folder)

        def run(index, rows):
            catalog.cursor().advance("v1")
            Path(started, str(index)).touch()
            time.sleep(600)
            yield index

        outcome = []
        context = self.spark.sparkContext

        def job():
            context.setJobGroup("cancel", "cancel", interruptOnCancel=True)
            try:
                context.parallelize(range(4), 4).mapPartitionsWithIndex(run).collect()
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=job)
        thread.start()
        eventually(lambda: os.listdir(started), lambda: len(os.listdir(started)) == 4)
        eventually(lambda: figure(self.spark, "leases"), lambda: sum(figure(self.spark, "leases").values()) == 4)
        context.cancelAllJobs()
        thread.join(180)
        self.assertEqual(len(outcome), 1)
        self.nothing_leased()

    def test_a_task_that_fails_frees_its_lease(self):
        catalog = self.catalog

        def run(rows):
            catalog.cursor().advance("v2")
            raise ValueError("on purpose")
            yield

        with self.raises(Exception, "on purpose"):
            self.spark.sparkContext.parallelize([0, 1], 2).mapPartitions(run).collect()
        self.nothing_leased()

    def test_a_limit_frees_its_lease(self):
        catalog = self.catalog

        def run(batches):
            cursor = catalog.cursor()
            for batch in batches:
                cursor.advance("v0")
                yield batch

        self.assertEqual(len(self.spark.range(100_000).mapInPandas(run, "id long").limit(5).collect()), 5)
        self.nothing_leased()
