"""Tests of the sinks benchmark's arithmetic, of its reader of thread dumps, and of mismatches that `make verify` must find in its section."""

from bench import sinks
from bench import sinks_render as render
from bench.figures import Record
from bench.published import Checks, Published, complete
from harness.facts import ROOT

DUMP = '''"main" #1 prio=5 cpu=1.00ms tid=0x1 waiting on condition [0x1]
   java.lang.Thread.State: TIMED_WAITING (sleeping)
\tat java.lang.Thread.sleep(java.base@17/Native Method)
\tat andiron.services.KafkaJob$.main(KafkaJob.scala:30)

"Executor task launch worker for task 3.0 in stage 9.0 (TID 41)" #41 daemon cpu=12.00ms tid=0x2 runnable [0x2]
   java.lang.Thread.State: RUNNABLE
\tat andiron.internal.boundary.Native.metricsMerge(Native Method)
\tat org.apache.spark.Thing.run(Thing.scala:1)

"dag-scheduler-event-loop" #17 daemon cpu=9.00ms tid=0x3 waiting on condition [0x3]
   java.lang.Thread.State: WAITING (parking)
\tat jdk.internal.misc.Unsafe.park(java.base@17/Native Method)
\tat andiron.internal.Reporter.await(Reporter.scala:9)

"spark-listener-group-andiron" #23 daemon cpu=30.50ms tid=0x4 waiting on condition [0x4]
   java.lang.Thread.State: WAITING (parking)
\tat jdk.internal.misc.Unsafe.park(java.base@17/Native Method)
\tat java.util.concurrent.LinkedBlockingQueue.take(java.base@17/LinkedBlockingQueue.java:435)
\tat org.apache.spark.scheduler.AsyncEventQueue.dispatch(AsyncEventQueue.scala:97)
'''


class SinksTest(Checks, Published):
    section = render.SECTION
    edit = ("50,000", "60,000")
    edited = ("sinks-figures", "sinks-revisions")

    def made(self) -> Record:
        """A complete run with invented numbers."""
        job = {"rounds": 60, "stop_ms": 2100, "dumps": 10, "in_andiron": {}, "load_average": 1.0, "listener_us_a_task": 300.0}
        million = dict.fromkeys([*render.COUNTS, *render.LOST], 0) | {"revisions": 1_000_000, "events": 50_000, "driver_kills": 5, "broker_kills": 10, "answers_swallowed": 30}
        return complete(self.section, {"turns": 2, "rounds": 60}, {
            "rate": [{"turn": i, "events": 1000, "sink": 90.0 + i, "bare": 100.0} for i in range(3)],
            "jobs": [job | {"broker": name, "turn": turn, "round_ms": [100 + 10 * turn]} for turn in range(2) for name in render.BROKERS],
            "library": [{"bytes": 13_000_000, "needed": ["libc.so.6"], "glibc": "2.34"}], "revisions": [million],
            "atlas": [{"to": "http", "cpu_s": 0.06, "wall_s": 60.0}, {"to": "udp", "cpu_s": 0.05, "wall_s": 60.0}]})

    def test_figures(self) -> None:
        by = {f["id"]: f for f in self.made()["figures"]}
        self.assertEqual((by["sinks-rate"]["value"], by["sinks-rate"]["reached"]), (0.91, True))
        self.assertEqual((by["sinks-job-absent"]["value"], by["sinks-stop"]["value"], by["sinks-lost"]["value"]), (1.0, 0.0, 0))
        self.assertTrue(all(f["reached"] for f in by.values()))

    def test_what_is_lost_waits_or_is_too_large_is_missed(self) -> None:
        made = self.made()
        made["raw"]["revisions"][0]["ids_missing"] = 1
        made["raw"]["jobs"][0]["in_andiron"] = {"dag-scheduler-event-loop in andiron.internal.Reporter.await": 1}
        made["raw"]["library"][0] |= {"bytes": 16_000_000, "needed": ["libc.so.6", "libssl.so.3"]}
        made["raw"]["jobs"][2]["stop_ms"] = 7101
        missed = {f["id"] for f in self.section.figures(made) if not f["reached"]}
        self.assertEqual(missed, {"sinks-lost", "sinks-waiting", "sinks-library", "sinks-needed", "sinks-stop"})

    def test_threads_that_stand_in_andiron(self) -> None:
        later = DUMP.replace("Native.metricsMerge(Native Method)", "TaskCells$.begin(TaskCells.scala:7)")
        waiting = "dag-scheduler-event-loop in andiron.internal.Reporter.await"
        in_native = "Executor task launch worker for task N in stage N (TID N) in andiron.internal.boundary.Native.metricsMerge"
        self.assertEqual(sinks.standing([(DUMP, DUMP), (DUMP, later)]), {waiting: 2, in_native: 1})
        self.assertEqual([head["cpu"] for head in sinks.HEADS.finditer(DUMP) if head["name"].startswith("spark-listener-group-andiron")], ["30.50"])

    def test_mismatches(self) -> None:
        def change(content: Record) -> None:
            content["raw"]["jobs"].pop()
            content["raw"]["revisions"][0]["driver_kills"] = 4

        self.assert_found(change, "silent lacks turn 1", "4 drivers")

    def test_the_published_runs_have_reached_the_limit_of_series(self) -> None:
        content = self.section.content(ROOT)
        self.assertTrue(all(run["left_out"] > 0 and run["sent"] > 0 for run in content["raw"]["atlas"]))
        self.assertTrue(all(figure["reached"] for figure in content["figures"] if figure["id"] == "sinks-atlas"))
        self.assertEqual(self.section.mismatches(ROOT), [])
