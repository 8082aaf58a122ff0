"""Tests of the metrics benchmark's arithmetic, of its reader of ship logs, and of mismatches that `make verify` must find in its section."""

import json
import tempfile
import unittest
import zlib
from pathlib import Path

from bench import metrics_render as render
from bench import parameters, shiplog
from bench.figures import MB, Record
from bench.published import Checks, Published, complete
from bench.render import PAGE


def made() -> Record:
    """A complete run with invented numbers."""
    words = ["--turns", "4", "--listener-turns", "2", "--row-turns", "2", "--log-turns", "3", "--repeats", "1"]
    cpu = {"nothing": 1_000, "sparkmeasure": 1_250, "andiron": 2_000}
    seconds = {"nothing": 1.0, "sparkmeasure": 1.0, "andiron": 2.0}
    raw: Record = {
        "listeners": [{"what": what, "listener": name, "turn": turn, "events": 1_000, "cpu_ns": cpu[name] * 1_000, "seconds": seconds[name], "dropped": 0,
                       "spark": "3.5.4", "scala": "2.13.8"} for what in ("stream", "filled", "job") for turn in range(2) for name in cpu],
        "overhead": [{"turn": turn, "step": step, "repeat": 0, "tasks": 1_000, "wall_s": 2.0 + (turn + 1) / 100 * step, "digest": "7", "tasks_ns": 8e5, "scheduler_ns": 1e5,
                      "listeners_ns": 1e5, "andiron_ns": 5e4 * step, "rest_ns": 9e5} for turn in range(4) for step in (False, True)],
        "rows": [{"what": what, "turn": turn, "rows": 1_000_000, "cpu_s": 0.010 * (i + 1), "wall_s": 1.0, "digest": "8"}
                 for turn in range(2) for i, what in enumerate(render.ROWS)],
        "log": [{"what": what, "turn": turn, "records": 640, "ns_per_record": 10_000.0 + 1_000 * i} for turn in range(3) for i, what in enumerate(render.LOG)],
        "stages": [{"stages": 70, "accumulators": 40, "stages_in_log": 70, "accumulators_in_log": 40, "stages_changed": 49, "events_shipped": 500, "bytes_shipped": 1 << 20,
                    "revisions_shipped": 90, "figures_shipped": 60, "revisions_unchanged": 0, "kinds": {"Metric": 90, "Stage": 140}}],
        "failing": [{"step": step, "tasks": 500, "failing_rows": 25_000, "event_log_bytes": 1_000_000 + 200_000 * step, "ship_log_bytes": 5 * step} for step in (False, True)],
        "memory": [{"tasks": 100_000, "accumulators": 50, "rss_bytes": 42 * MB, "own_bytes": 41_612_800, "seconds": 0.1}],
    }
    for records in raw.values():
        for record in records:
            record["load_average"] = 0.5
    return complete(render.SECTION, parameters.read(parameters.MetricsParameters, words=words)[0].__dict__, raw)


class MetricsTest(Checks, Published):
    section = render.SECTION
    edit = ("| Dataset, `map` |", "| Dataset |")
    edited = ("metrics-rows",)

    def made(self) -> Record:
        return made()

    def test_listeners_are_compared_in_their_turn(self) -> None:
        figure = self.figure("listener.cpu-job")
        self.assertEqual((figure["value"], figure["limit"], figure["reached"]), (1.6, 2, True))
        self.assertEqual((self.figure("listener.rate-stream")["value"], self.figure("listener.rate-filled")["value"]), (0.5, 0.5))

    def test_a_dropped_event_counts_where_doing_nothing_drops_none(self) -> None:
        def drop(content: Record, also: str) -> None:
            for record in content["raw"]["listeners"]:
                if record["what"] == "job" and record["turn"] == 1 and record["listener"] in ("andiron", also):
                    record["dropped"] = 3

        self.assertEqual(self.figure("listener.dropped", lambda content: drop(content, ""))["value"], 3)
        self.assertEqual(self.figure("listener.dropped", lambda content: drop(content, "nothing"))["value"], 0)

    def test_wall_time_has_its_interval(self) -> None:
        figure = self.figure("overhead.wall")
        self.assertEqual((figure["value"], figure["reached"]), (1.0125, True))
        self.assertEqual(figure["note"], "1.005 to 1.020 in 4 turns, which holds the median with 87.5 %")
        self.assertEqual(self.figure("overhead.cpu")["value"], 1.05)

    def test_a_guarded_row_is_compared_with_a_plain_one(self) -> None:
        self.assertEqual(self.figure("row.dataset")["value"], 20)

    def test_the_log_is_compared_by_rates(self) -> None:
        self.assertEqual(self.figure("log.bare_grouped")["value"], 1.2)

    def test_revisions_that_changed_nothing_are_missed(self) -> None:
        def change(content: Record) -> None:
            content["raw"]["stages"][0] |= {"revisions_unchanged": 1, "stages_changed": 48}

        self.assertFalse(self.figure("stages.unchanged", change)["reached"])
        self.assertEqual(self.figure("stages.wrong", change)["value"], 1)
        self.assertTrue(self.figure("stages.wrong")["reached"])

    def test_growth_and_memory_have_their_limits(self) -> None:
        self.assertEqual(self.figure("event-log")["value"], 0.2)
        self.assertEqual(self.figure("memory")["limit"], round(43_200_000 / MB + 1, 4))

    def test_a_changed_raw_figure_is_found(self) -> None:
        self.assert_found(lambda content: content["raw"]["memory"][0].update(rss_bytes=60 * MB), "memory is written as 42", "metrics-logged")

    def test_missing_turns_and_other_results_are_found(self) -> None:
        def change(content: Record) -> None:
            content["raw"]["listeners"].pop()
            content["raw"]["rows"][0]["digest"] = "9"
            content["raw"]["stages"][0]["stages_in_log"] = 69

        self.assert_found(change, "has not all of 2 turns of job", "did not compute the same", "69 of 70 stages")

    def test_a_run_that_lacks_a_part_says_so(self) -> None:
        content = made()
        del content["raw"]["failing"]
        self.section.publish(self.root, content | {"figures": self.section.figures(content)})
        self.assertIn("**Not measured in this run: failing.**", (self.root / PAGE).read_text(encoding="utf-8"))
        self.assertEqual(self.section.mismatches(self.root), [])


def record(kind: int, id: str, revision: int, body: Record) -> bytes:
    """A record in the layout of docs/internals/wire-format.md."""
    name, text = id.encode(), json.dumps(body).encode()
    head = shiplog.MARKER + bytes([kind, 0]) + len(name).to_bytes(2, "little") + len(text).to_bytes(4, "little") + (1).to_bytes(8, "little") + revision.to_bytes(8, "little")
    whole = head + zlib.crc32(head).to_bytes(4, "little") + name + text
    return whole + zlib.crc32(whole).to_bytes(4, "little")


class ShipLogTest(unittest.TestCase):
    def read(self, data: bytes) -> list[shiplog.Event]:
        header = shiplog.MAGIC + (1).to_bytes(2, "little") + (16).to_bytes(2, "little") + bytes(4)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "segment-0000000001.log").write_bytes(header + data)
            return list(shiplog.events(Path(folder)))

    def test_events_are_read_and_the_closing_record_is_none(self) -> None:
        found = self.read(record(2, "a", 1, {"committed": 1}) + record(0, "", 0, {}))
        self.assertEqual(found, [shiplog.Event("Metric", "a", 1, {"committed": 1})])

    def test_a_damaged_record_is_an_error(self) -> None:
        data = bytearray(record(2, "a", 1, {"committed": 1}))
        data[-6] ^= 1
        with self.assertRaises(ValueError):
            self.read(bytes(data))

    def test_a_revision_that_changes_only_its_time_is_found(self) -> None:
        bodies = [{"committed": 1, "ts_ms": 1}, {"committed": 2, "ts_ms": 2}, {"committed": 2, "ts_ms": 3}]
        events = [shiplog.Event("Metric", "a", revision, body) for revision, body in enumerate(bodies)]
        self.assertEqual(shiplog.unchanged(events), [events[2]])
