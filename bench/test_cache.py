"""Tests of the cache benchmark's arithmetic, and of mismatches that `make verify` must find in its section."""

import tempfile
import unittest
from pathlib import Path

from bench import cache_figures as figures
from bench import cache_render as render
from bench import generate, parameters, rivals
from bench.figures import MB, Record
from bench.published import Checks, Published, complete
from bench.render import PICTURES, commits


def approach(name: str, turn: int, p: Record) -> Record:
    """A record in the form of an application's, with numbers that depend on the approach."""
    place = [a.name for a in rivals.ALL].index(name)
    copies = p["slots"] if name.startswith("closure") else min(place, p["versions"])
    record: Record = {
        "approach": name, "turn": turn, "limit_bytes": rivals.BY_NAME[name].limit(parameters.Parameters(**p)), "wall_s": 10.0 + place + turn / 10,
        "work": round(p["work"] * rivals.BY_NAME[name].work), "rows": p["partitions"] * p["versions"] * p["stripes"], "digest": "00000000000000aa",
        "peak_pss_bytes": (300 + copies * p["version_mb"]) * MB, "peak_rss_bytes": (320 + copies * p["version_mb"]) * MB, "heap_peak_bytes": 100 * MB,
        "gc_millis": 40 + place, "loads": place, "task_s": 30.0, "cpu_s": 20.0, "load_nanos": 100_000_000 * place, "most_bytes": copies * MB, "shuffle_bytes": 0.0,
        "load_average": 1.5}
    if rivals.BY_NAME[name].andiron:
        nothing = ("maxOverBudgetBytes", "leases", "waiting", "closed_leases", "closed_waiting", "closed_reservedBytes")
        record |= {"loadMillis": 50 * place, "maxLeasedBytes": 2 * MB, "maxResidentBytes": 8 * MB} | dict.fromkeys(nothing, 0)
    return record


def throttled(name: str, slots: int, versions: int, turn: int, wall: float) -> Record:
    return {"approach": name, "slots": slots, "versions": versions, "turn": turn, "wall_s": wall, "rows": 9, "digest": "bb", "loads": versions,
            "most_in_use": min(slots, versions), "load_ms": 60, "pause_micros": 1000, "partitions": slots, "leases_left": 0, "load_average": 1.0}


def made() -> Record:
    """A complete run with invented numbers."""
    p = parameters.read(parameters.Parameters, words=["--turns", "2"])[0].__dict__ | {}
    three = ("closure", "stages", "andiron-bytes")
    names = ("CursorBenchmark.sameVersionSameText", "ReadBenchmark.oneByOne", "ReadBenchmark.oneByOneUnsafe")
    return complete(render.SECTION, p, {
        "approaches": [approach(a.name, turn, p) for turn in range(2) for a in rivals.ALL],
        "sweep": [throttled(name, slots, 3, 0, 3.0 - i) for slots in (2, 4) for i, name in enumerate(three)],
        "talk": [throttled(name, 24, 10, turn, wall) for turn in range(2) for name, wall in (("stages", 36.0), ("andiron-bytes", 3.5))],
        "rates": [{"what": what, "turn": turn, "bytes": 1 << 28, "seconds": 0.1 * (i + 1), "load_average": 1.0}
                  for turn in range(2) for i, what in enumerate(render.WAYS)],
        "kills": [{"turn": turn, "seconds": 0.06, "leases_left": 0, "waiting_left": 0, "load_average": 1.0} for turn in range(2)],
        "micro": [{"benchmark": name, "turn": turn, "ns": 1.0 + i, "threads": 1} for turn in range(2) for i, name in enumerate(names)]})


class CacheTest(Checks, Published):
    section = render.SECTION
    edit = ("| Andiron, bytes |", "| Andiron, byte |")
    edited = ("cache-approaches", "cache-parts", "cache-talk")

    def made(self) -> Record:
        return made()

    def test_parts_that_are_measured_again_replace_theirs_and_say_their_commit(self) -> None:
        run = made()
        again = run | {"raw": {"rates": run["raw"]["rates"][:8]}, "runs": {"rates": run["runs"]["rates"] | {"commit": "e" * 40}}}
        whole = self.section.completed(again, self.root)
        self.assertEqual((len(whole["raw"]["rates"]), whole["raw"]["talk"]), (8, run["raw"]["talk"]))
        self.assertIn("`eeeeeeeeeeee` (rates)", commits(whole))
        with self.assertRaisesRegex(ValueError, "other turns"):
            self.section.completed(again | {"parameters": run["parameters"] | {"turns": 7}}, self.root)

    def test_a_run_that_lacks_an_approach_is_not_published(self) -> None:
        with self.assertRaisesRegex(ValueError, "lacks bytes-short"):
            run = made()
            self.section.publish(self.root, run | {"raw": run["raw"] | {"approaches": [r for r in run["raw"]["approaches"] if r["approach"] != "bytes-short"]}})

    def test_a_changed_raw_figure_is_found(self) -> None:
        def change(content: Record) -> None:
            next(r for r in content["raw"]["approaches"] if r["approach"] == "bytes")["peak_pss_bytes"] += 50 * MB

        self.assert_found(change, "memory.bytes is written as", "bench-memory.svg")

    def test_a_changed_ratio_of_the_micro_benchmarks_is_found(self) -> None:
        self.assert_found(lambda content: content["figures"][-2].update(value=0.1), "micro.same-text is written as 0.1")

    def test_different_digests_are_found(self) -> None:
        self.assert_found(lambda content: content["raw"]["approaches"][3].update(digest="cc"), "digests differ")

    def test_a_missing_turn_is_found(self) -> None:
        self.assert_found(lambda content: content["raw"]["approaches"].pop(), "not all of 2 turns")

    def test_an_edited_chart_is_found(self) -> None:
        chart = self.root / PICTURES / "bench-wall.svg"
        chart.write_text(chart.read_text().replace("width", "Width", 1))
        self.assertEqual(self.mismatches(), ["docs/images/bench-wall.svg is not the chart of these figures"])

    def test_memory_is_over_the_job_without_metadata(self) -> None:
        figure = self.figure("memory.bytes")
        self.assertEqual((figure["value"], figure["limit"], figure["reached"]), (768, round(1.05 * 768 + 64, 4), True))

    def test_the_budget_limits_what_may_be_taken(self) -> None:
        figure = self.figure("memory.bytes-half")
        self.assertEqual((figure["limit"], figure["reached"]), (round(1.05 * 384 + 64, 4), False))

    def test_closures_need_a_copy_per_slot(self) -> None:
        self.assertEqual(self.figure("memory.closure")["value"], 4)

    def test_leases_left_are_missed(self) -> None:
        figure = self.figure("left.leases", lambda content: content["raw"]["kills"][0].update(leases_left=1))
        self.assertEqual((figure["value"], figure["reached"]), (1, False))

    def test_tasks_go_to_the_slot_that_is_free_first(self) -> None:
        self.assertEqual(figures.makespan([3, 1, 1, 1, 2], 2), 5)
        self.assertEqual(figures.makespan([3, 1], 4), 3)

    def test_pauses_are_on_average_what_was_asked_for(self) -> None:
        found = figures.pauses(throttled("stages", 24, 10, 0, 1.0), {"seed": 1})
        self.assertEqual(len(found), 24)
        self.assertAlmostEqual(sum(found) / 240, 1e-3, delta=1e-4)


class GenerateTest(unittest.TestCase):
    def test_mix_is_the_finaliser_of_splitmix64(self) -> None:
        # The first outputs of splitmix64 seeded with 1234567.
        states = [(1234567 + n * 0x9E3779B97F4A7C15) & generate.MASK for n in range(3)]
        self.assertEqual([generate.mix(state) for state in states], [6457827717110365317, 3203168211198807973, 9817491932198370423])

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
    def read(self, *words: str) -> parameters.Parameters:
        return parameters.read(parameters.Parameters, words=words)[0]

    def test_flags_win_over_the_smoke_mode(self) -> None:
        p = self.read("--smoke", "--version-mb", "5")
        self.assertEqual((p.smoke, p.version_mb, p.turns), (True, 5, 1))

    def test_limits_are_parts_of_all_versions(self) -> None:
        p = self.read("--versions", "8", "--version-mb", "96")
        self.assertEqual([rivals.BY_NAME[name].limit(p) for name in ("bytes", "bytes-half", "bytes-one")], [768 * MB, 384 * MB, 96 * MB])
