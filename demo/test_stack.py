"""Tests of `make demo-stack`: the queries, the tables, the graphs, and the breaches."""

import contextlib
import dataclasses
import io
import json
import os
import subprocess
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

from demo import digest, stack, stack_atlas, stack_chain, stack_drivers, steps, table, verdict
from checks.services import hive
from demo.stack_drivers import Killed
from harness.spark import ApplicationError

DOCS = Path(__file__).resolve().parents[1] / "docs"
TRUTH = steps.Truth(
    {"labels": (1000, 1000, 0, {"cancelled": 25}), "history": (1000, 990, 10, {"cache-misses": 10})}, None, 10)
TOLD = [
    {"step": "labels", "rows_in": 1000, "rows_out": 1000, "dropped": 0, "exact": True},
    {"step": "history", "rows_in": 1000, "rows_out": 990, "dropped": 10, "exact": True},
]
OWN = [{"step": "labels", "acc": "cancelled", "committed": 25}, {"step": "history", "acc": "cache-misses", "committed": 10}]
KILLED = Killed("app-1", 1000, 7, 2, 1.5, [], False)


def event(id: str, revision: int, **more: object) -> dict[str, object]:
    return {"event_id": id, "revision": revision, "app_id": "app-1", "kind": "Metric"} | more


class QuestionsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.asked = stack_chain.questions((DOCS / "operations/queries.sql").read_text(encoding="utf-8"))

    def test_every_statement_has_its_title(self) -> None:
        text = "-- A page.\n-- Of two lines.\n\n-- How many?\nSELECT 1;\n\n-- Which\n-- of them?\nSELECT ${a};\nSELECT\n  2;\n"
        self.assertEqual(stack_chain.questions(text), [("How many?", "SELECT 1"), ("Which of them?", "SELECT ${a}"), ("Which of them?", "SELECT\n  2")])
        self.assertEqual(len(self.asked), (DOCS / "operations/queries.sql").read_text(encoding="utf-8").count(";\n"))

    def test_what_is_shown_is_asked(self) -> None:
        for wanted in (*stack_chain.SHOWN, *stack_chain.SHOWN_OF_KILLED, stack_chain.STEPS, stack_chain.COUNTERS, stack_chain.NEVER_ENDED):
            self.assertEqual(sum(title.startswith(wanted) for title, _ in self.asked), 1, wanted)

    def test_every_variable_needs_a_value(self) -> None:
        self.assertEqual(stack_chain.filled("${a} ${b} ${a}", {"a": "1", "b": "2"}), "1 2 1")
        with self.assertRaises(ApplicationError):
            stack_chain.filled("${a} ${b}", {"a": "1"})

    def test_an_answer_is_columns_and_rows(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "000"
            rows.mkdir()
            rows.with_suffix(".columns").write_text("a,b")
            self.assertEqual(hive.answer(rows), (["a", "b"], []))
            for part, text in enumerate(('{"a":1}\n{"a":2,"b":"x"}\n', '{"a":3}\n')):
                (rows / f"part-{part:05d}").write_text(text)
            self.assertEqual(hive.answer(rows), (["a", "b"], [{"a": 1}, {"a": 2, "b": "x"}, {"a": 3}]))


class TableTest(unittest.TestCase):
    def test_numbers_stand_to_the_right_and_empty_columns_go(self) -> None:
        rows = [{"step": "labels", "in": 336776, "exact": True}, {"step": "history", "in": 12, "ratio": 0.00101, "exact": False}]
        self.assertEqual(table.table(["step", "in", "ratio", "exact", "none"], rows).splitlines(), [
            "  step          in    ratio  exact", "  labels   336,776           yes", "  history       12  0.00101  no"])

    def test_long_answers_and_cells_are_cut(self) -> None:
        rows = [{"a": "x" * 100}] * 20
        text = table.table(["a"], rows)
        self.assertTrue(text.endswith("… and 8 more"), text)
        self.assertLess(max(map(len, text.splitlines())), 60)
        self.assertEqual(table.table(["a"], []), "  nothing")

    def test_cells(self) -> None:
        for value, text in ((None, ""), (True, "yes"), (1795459512000, "1795459512000"), (["a", 1], "a, 1"), ("a\n  b", "a b"), (0.5, "0.5"),
                            (1957890.0, "1,957,890"), (0.0, "0")):
            self.assertEqual(table.cell(value), text)


class AtlasTest(unittest.TestCase):
    def test_steps_without_a_value_are_no_points(self) -> None:
        told = json.loads('{"legend": ["(step=labels)", "step=b, job=c"], "values": [[NaN, NaN], [3.0, NaN], [2.0, NaN], [NaN, NaN]]}')
        self.assertEqual(stack_atlas.lines(told), [stack_atlas.Line("labels", 2, 3.0, 2.0)])

    def test_tags_of_legends(self) -> None:
        for legend, tags in (
            ("((job=flight-features, step=history) * 100.0)", "flight-features, history"), ("(executor=0)", "0"),
            ("((job=a, step=b) / (job=a, step=b))", "a, b"), ("a graph", "a graph"),
        ):
            self.assertEqual(stack_atlas.tags(legend), tags)

    def test_a_graph_without_a_point_is_told(self) -> None:
        full = stack_atlas.Graph("in", "", [stack_atlas.Line("labels", 2, 3.0, 2.0)])
        self.assertEqual(list(verdict.every_graph([full])), [])
        self.assertEqual(len(list(verdict.every_graph([full, stack_atlas.Graph("out", "", [])]))), 1)
        self.assertEqual(len(list(verdict.every_graph([]))), 1)


class VerdictTest(unittest.TestCase):
    def test_killed_in_the_middle(self) -> None:
        self.assertEqual(list(verdict.killed_in_the_middle(KILLED, 1000)), [])
        for changes in ({"finished": True}, {"counted": 999}, {"owed": 0}, {"executors": 1}):
            self.assertEqual(len(list(verdict.killed_in_the_middle(dataclasses.replace(KILLED, **changes), 1000))), 1, changes)

    def test_another_table(self) -> None:
        found = digest.of_lines(["1", "2"])
        self.assertEqual(list(verdict.same_table(found, digest.of_lines(["1", "2"]))), [])
        self.assertEqual(len(list(verdict.same_table(found, digest.of_lines(["1", "3"])))), 1)

    def test_counts_of_steps(self) -> None:
        self.assertEqual(list(verdict.steps_as_counted(TOLD, OWN, TRUTH)), [])
        for at, change in ((0, {"rows_in": 1001}), (1, {"dropped": None}), (1, {"exact": False}), (0, {"step": "label"})):
            told = [row | change if number == at else row for number, row in enumerate(TOLD)]
            self.assertTrue(list(verdict.steps_as_counted(told, OWN, TRUTH)), change)
        self.assertEqual(len(list(verdict.steps_as_counted(TOLD, OWN[:1], TRUTH))), 1)
        self.assertEqual(len(list(verdict.steps_as_counted(TOLD, [*OWN, {"step": "labels", "acc": "x", "committed": 1}], TRUTH))), 1)

    def test_each_event_once_with_its_last_revision(self) -> None:
        logged = [event("a", 1), event("a", 2), event("b", 1)]
        told = [event("a", 2), event("b", 1)]
        self.assertEqual(list(verdict.each_event_once(told, logged)), [])
        for wrong in ([event("a", 1), event("b", 1)], [*told, event("b", 1)], told[:1], [*told, event("c", 1)]):
            self.assertEqual(len(list(verdict.each_event_once(wrong, logged))), 1, wrong)

    def test_every_revision_is_shipped(self) -> None:
        logged = [event("a", 1), event("a", 2)]
        self.assertEqual(list(verdict.shipped([*logged, event("a", 2)], logged)), [])
        self.assertEqual(len(list(verdict.shipped(logged[:1], logged))), 1)
        self.assertEqual(len(list(verdict.shipped([], []))), 1)

    def test_the_run_went_on(self) -> None:
        self.assertEqual(list(verdict.gone_on([{"app_id": "app-1", "went_on_as": "app-2"}], "app-1", "app-2")), [])
        for told in ([], [{"app_id": "app-1"}], [{"app_id": "app-2", "went_on_as": "app-1"}]):
            self.assertEqual(len(list(verdict.gone_on(told, "app-1", "app-2"))), 1)

    def test_a_step_has_counted_when_all_partitions_have(self) -> None:
        partial = event("in", 1, step="labels", acc="in", committed=10, final=False)
        whole = event("in", 2, step="labels", acc="in", committed=20, final=True)
        other = event("in", 3, step="history", acc="in", committed=30, final=True)
        self.assertEqual(stack_drivers.counted([partial, other], "labels", "in"), 0)
        self.assertEqual(stack_drivers.counted([whole, partial], "labels", "in"), 20)


class EndTest(unittest.TestCase):
    def test_one_breach_is_enough(self) -> None:
        chain = stack_chain.Chain()
        self.assertFalse(chain.holds)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            chain.check("this", [])
            self.assertTrue(chain.holds)
            chain.check("that", iter(["not that"]))
            chain.check("this again", [])
        self.assertFalse(chain.holds)
        self.assertEqual([line.split(maxsplit=2)[2] if " s  " in line else line.strip() for line in out.getvalue().splitlines()],
                         ["holds: this", "WRONG: that", "not that", "holds: this again"])
        self.assertEqual(chain.text, out.getvalue())

    def test_no_path_of_the_machine_is_printed(self) -> None:
        chain = stack_chain.Chain()
        with contextlib.redirect_stdout(io.StringIO()) as out:
            chain.print(f"file:{stack_chain.ROOT}/build/x")
        self.assertEqual(out.getvalue(), "file:build/x\n")

    def test_what_is_left_is_found_by_its_mark(self) -> None:
        with unittest.mock.patch.dict(os.environ, {stack.MARK: "of-this-test"}):
            process = subprocess.Popen(["sleep", "600"])
        try:
            end = time.monotonic() + 60
            # The process has its environment a moment after the fork, once it executes its program.
            while not stack.marked("of-this-test") and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual(stack.marked("of-this-test"), [process.pid])
            self.assertEqual(stack.marked("of-another"), [])
        finally:
            process.kill()
            process.wait()
        self.assertEqual(stack.marked("of-this-test"), [])
