"""The page of the demo agrees with its figures."""

import json
import unittest

from demo import page


class PageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.runs = json.loads(page.DATA.read_text(encoding="utf-8"))
        self.stack = json.loads(page.STACK.read_text(encoding="utf-8"))
        self.text = page.STACK_TEXT.read_text(encoding="utf-8")

    def page(self) -> str:
        return page.page(self.runs, self.stack, self.text)

    def test_the_page_is_what_the_figures_give(self) -> None:
        self.assertEqual(page.PAGE.read_text(encoding="utf-8"), self.page())

    def test_another_figure_gives_another_page(self) -> None:
        self.runs[0]["wall_s"] += 1
        self.assertNotEqual(page.PAGE.read_text(encoding="utf-8"), self.page())

    def test_another_count_gives_another_page(self) -> None:
        self.runs[-1]["steps"]["history"]["dropped"] += 1
        self.assertNotEqual(page.PAGE.read_text(encoding="utf-8"), self.page())

    def test_the_whole_chain_held(self) -> None:
        self.assertEqual(self.stack["failure"], "")
        self.assertEqual([check for check in self.stack["checks"] if check["breaches"]], [])
        self.assertGreater(self.stack["killed"]["owed"], 0)
        # The printed text belongs to the same run as the figures.
        for check in self.stack["checks"]:
            self.assertIn(f"holds: {check['what']}", self.text)
        self.assertIn(self.stack["killed"]["application"], self.text)
        self.assertTrue(all(graph["lines"] for graph in self.stack["atlas"]))
        self.assertNotIn("WRONG", self.text)

    def test_other_figures_of_the_chain_give_another_page(self) -> None:
        self.stack["hive"]["event_ids"] += 1
        self.assertNotEqual(page.PAGE.read_text(encoding="utf-8"), self.page())

    def test_what_the_page_promises_holds(self) -> None:
        runs = [run for run in self.runs if "digest" in run]
        self.assertEqual(len({run["digest"] for run in runs}), 1)
        self.assertEqual({run["leases_left"] for run in runs}, {0})
        self.assertGreaterEqual(page.ratio(runs, "peak_pss_bytes"), 1.8)

    def test_one_run_passes_its_gate_and_one_fails(self) -> None:
        passing, failing = (run for run in self.runs if "exit_code" in run)
        self.assertEqual((passing["exit_code"], failing["exit_code"]), (0, 1))
        self.assertEqual((passing["outcome"], failing["outcome"]), ("PASSED", "ENDED AT ITS GATE"))
        flights = self.runs[0]["rows"]
        for run in (passing, failing):
            self.assertEqual((run["in"], run["in"] - run["out"], run["exact"]), (flights, run["dropped"], True))
            self.assertEqual(run["samples_listed"], min(run["dropped"], 500))
        self.assertLess(passing["ratio"], 0.01)
        self.assertGreater(failing["ratio"], 0.15)
