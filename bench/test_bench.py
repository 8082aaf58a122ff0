"""Tests of the cache benchmark's arithmetic, and of mismatches that `make verify` must find."""

import copy
import json
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from bench import figures, generate, metrics_render, parameters, render, rivals, test_metrics, verify
from bench.figures import MB, Record
from harness.facts import ROOT



def approach(name: str, turn: int, p: Record) -> Record:
    """A record in the form of an application's, with numbers that depend on the approach."""
    place = [a.name for a in rivals.ALL].index(name)
    copies = p["slots"] if name.startswith("closure") else min(place, p["versions"])
    record: Record = {
        "approach": name, "turn": turn, "limit_bytes": rivals.BY_NAME[name].limit(parameters.Parameters(**p)), "wall_s": 10.0 + place + turn / 10,
        "work": round(p["work"] * rivals.BY_NAME[name].work), "rows": p["partitions"] * p["versions"] * p["stripes"], "digest": "00000000000000aa", "peak_pss_bytes": (300 + copies * p["version_mb"]) * MB,
        "peak_rss_bytes": (320 + copies * p["version_mb"]) * MB, "heap_peak_bytes": 100 * MB, "gc_millis": 40 + place, "loads": place, "task_s": 30.0,
        "cpu_s": 20.0, "load_nanos": 100_000_000 * place, "most_bytes": copies * MB, "shuffle_bytes": 0.0, "load_average": 1.5,
        "spark": "3.5.4", "scala": "2.13.8",
    }
    if rivals.BY_NAME[name].andiron:
        record |= {
            "loadMillis": 50 * place, "maxLeasedBytes": 2 * MB, "maxResidentBytes": 8 * MB, "maxOverBudgetBytes": 0, "leases": 0, "waiting": 0,
            "closed_leases": 0, "closed_waiting": 0, "closed_reservedBytes": 0,
        }
    return record


def throttled(name: str, slots: int, versions: int, turn: int, wall: float) -> Record:
    return {"approach": name, "slots": slots, "versions": versions, "turn": turn, "wall_s": wall, "rows": 9, "digest": "bb", "loads": versions,
            "most_in_use": min(slots, versions), "load_ms": 60, "pause_micros": 1000, "partitions": slots, "leases_left": 0, "load_average": 1.0}


def contents() -> tuple[Record, Record]:
    """A complete run with invented numbers."""
    p = parameters.read(["--turns", "2"]).__dict__ | {}
    head: Record = {"commit": "c" * 40, "uncommitted": False, "spark": "3.5.4", "scala": "2.13.8", "jar": "andiron.jar", "jar_sha256": "d" * 64, "seed": 1,
                    "machine": {"cpu": "x", "cores": 2, "memory_kb": 1 << 24, "kernel": "6", "java": "17"}, "parameters": p, "started": 1, "total_s": 60.0}
    three = ("closure", "stages", "andiron-bytes")
    raw: Record = {
        "approaches": [approach(a.name, turn, p) for turn in range(2) for a in rivals.ALL],
        "sweep": [throttled(name, slots, 3, 0, 3.0 - i) for slots in (2, 4) for i, name in enumerate(three)],
        "talk": [throttled(name, 24, 10, turn, wall) for turn in range(2) for name, wall in (("stages", 36.0), ("andiron-bytes", 3.5))],
        "rates": [{"what": what, "turn": turn, "bytes": 1 << 28, "seconds": 0.1 * (i + 1), "load_average": 1.0}
                  for turn in range(2) for i, what in enumerate(render.WAYS)],
        "kills": [{"turn": turn, "seconds": 0.06, "leases_left": 0, "waiting_left": 0, "load_average": 1.0} for turn in range(2)],
    }
    names = ("CursorBenchmark.sameVersionSameText", "ReadBenchmark.oneByOne", "ReadBenchmark.oneByOneUnsafe")
    micro: Record = head | {"raw": {"micro": [{"benchmark": name, "turn": turn, "ns": 1.0 + i, "threads": 1} for turn in range(2) for i, name in enumerate(names)]}}
    run = {"commit": "c" * 40, "uncommitted": False, "jar_sha256": "d" * 64, "started": 1}
    micro["runs"] = {"micro": run}
    cache = head | {"raw": raw, "runs": {part: run for part in raw}}
    return cache | {"figures": figures.of_cache(cache)}, micro | {"figures": figures.of_micro(micro)}


class VerifyTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for part in (render.PAGE.parent, render.PICTURES):
            (self.root / part).mkdir(parents=True)
        (self.root / render.PAGE).write_text(test_metrics.with_section((ROOT / render.PAGE).read_text(encoding="utf-8")), encoding="utf-8")
        render.publish(self.root, *contents())
        metrics_render.SECTION.publish(self.root, test_metrics.contents())

    def test_parts_that_are_measured_again_replace_theirs_and_say_their_commit(self) -> None:
        cache, _ = contents()
        again = cache | {"raw": {"rates": cache["raw"]["rates"][:8]}, "runs": {"rates": cache["runs"]["rates"] | {"commit": "e" * 40}}}
        whole = render.completed(again, self.root / render.DATA / render.CACHE)
        self.assertEqual((len(whole["raw"]["rates"]), whole["raw"]["talk"]), (8, cache["raw"]["talk"]))
        self.assertIn("`eeeeeeeeeeee` (rates)", render.commits(whole, {"runs": {}}))
        with self.assertRaisesRegex(ValueError, "other turns"):
            render.completed(again | {"parameters": cache["parameters"] | {"turns": 7}}, self.root / render.DATA / render.CACHE)

    def edit(self, name: str, change: Callable[[Record], None]) -> list[str]:
        file = self.root / render.DATA / name
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))
        return verify.mismatches(self.root)

    def test_what_was_published_verifies(self) -> None:
        self.assertEqual(verify.mismatches(self.root), [])

    def test_a_changed_raw_figure_is_found(self) -> None:
        def change(content: Record) -> None:
            next(r for r in content["raw"]["approaches"] if r["approach"] == "bytes")["peak_pss_bytes"] += 50 * MB

        found = self.edit(render.CACHE, change)
        self.assertTrue(any("memory.bytes is written as" in sentence for sentence in found), found)
        self.assertTrue(any("bench-memory.svg" in sentence for sentence in found), found)

    def test_a_changed_ratio_is_found(self) -> None:
        found = self.edit(render.MICRO, lambda content: content["figures"][0].update(value=0.1))
        self.assertEqual(len(found), 1)
        self.assertIn("micro.same-text is written as 0.1", found[0])

    def test_different_digests_are_found(self) -> None:
        found = self.edit(render.CACHE, lambda content: content["raw"]["approaches"][3].update(digest="cc"))
        self.assertTrue(any("digests differ" in sentence for sentence in found), found)

    def test_a_missing_turn_is_found(self) -> None:
        found = self.edit(render.CACHE, lambda content: content["raw"]["approaches"].pop())
        self.assertTrue(any("not all of 2 turns" in sentence for sentence in found), found)

    def test_an_edited_table_is_found(self) -> None:
        page = self.root / render.PAGE
        page.write_text(page.read_text().replace("| Andiron, bytes |", "| Andiron, byte |"))
        self.assertTrue(any("the part approaches" in sentence for sentence in verify.mismatches(self.root)))

    def test_an_edited_chart_is_found(self) -> None:
        chart = self.root / render.PICTURES / "bench-wall.svg"
        chart.write_text(chart.read_text().replace("width", "Width", 1))
        self.assertEqual(verify.mismatches(self.root), ["docs/images/bench-wall.svg is not the chart of these figures"])

    def test_missing_data_are_found(self) -> None:
        (self.root / render.DATA / render.MICRO).unlink()
        self.assertEqual(len(verify.mismatches(self.root)), 1)


class FiguresTest(unittest.TestCase):
    def found(self, id: str) -> Record:
        cache, micro = contents()
        return next(figure for figure in cache["figures"] + micro["figures"] if figure["id"] == id)

    def test_memory_is_over_the_job_without_metadata(self) -> None:
        figure = self.found("memory.bytes")
        self.assertEqual((figure["value"], figure["limit"], figure["reached"]), (768, round(1.05 * 768 + 64, 4), True))

    def test_the_budget_limits_what_may_be_taken(self) -> None:
        figure = self.found("memory.bytes-half")
        self.assertEqual((figure["limit"], figure["reached"]), (round(1.05 * 384 + 64, 4), False))

    def test_closures_need_a_copy_per_slot(self) -> None:
        self.assertEqual(self.found("memory.closure")["value"], 4)

    def test_leases_left_are_missed(self) -> None:
        cache, _ = contents()
        broken = copy.deepcopy(cache)
        broken["raw"]["kills"][0]["leases_left"] = 1
        figure = next(f for f in figures.of_cache(broken) if f["id"] == "left.leases")
        self.assertEqual((figure["value"], figure["reached"]), (1, False))

    def test_tasks_go_to_the_slot_that_is_free_first(self) -> None:
        self.assertEqual(figures.makespan([3, 1, 1, 1, 2], 2), 5)
        self.assertEqual(figures.makespan([3, 1], 4), 3)

    def test_pauses_are_on_average_what_was_asked_for(self) -> None:
        record = throttled("stages", 24, 10, 0, 1.0)
        found = figures.pauses(record, {"seed": 1})
        self.assertEqual(len(found), 24)
        self.assertAlmostEqual(sum(found) / 240, 1e-3, delta=1e-4)


class GenerateTest(unittest.TestCase):
    def test_mix_is_the_finaliser_of_splitmix64(self) -> None:
        # The first outputs of splitmix64 seeded with 1234567.
        state, found = 1234567, []
        for _ in range(3):
            found.append(generate.mix(state))
            state = (state + 0x9E3779B97F4A7C15) & generate.MASK
        self.assertEqual(found, [6457827717110365317, 3203168211198807973, 9817491932198370423])

    def test_a_page_holds_its_stamp_and_noise(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "v000.bin"
            generate.write_version(file, 7, 2, 600 * generate.PAGE)
            data = file.read_bytes()
        self.assertEqual(len(data), 600 * generate.PAGE)
        for page in (0, 1, 511, 512, 599):
            at = page * generate.PAGE + page % generate.WORDS * 8
            self.assertEqual(int.from_bytes(data[at : at + 8], "little"), generate.stamp(7, 2, page))
            self.assertGreater(len(set(data[page * generate.PAGE : (page + 1) * generate.PAGE])), 200)


class ParametersTest(unittest.TestCase):
    def test_flags_win_over_the_smoke_mode(self) -> None:
        p = parameters.read(["--smoke", "--version-mb", "5"])
        self.assertEqual((p.smoke, p.version_mb, p.turns), (True, 5, 1))

    def test_limits_are_parts_of_all_versions(self) -> None:
        p = parameters.read(["--versions", "8", "--version-mb", "96"])
        self.assertEqual([rivals.BY_NAME[name].limit(p) for name in ("bytes", "bytes-half", "bytes-one")], [768 * MB, 384 * MB, 96 * MB])
