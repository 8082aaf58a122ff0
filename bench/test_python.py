"""Tests of the Python benchmark's arithmetic, and of mismatches that `make verify` must find in its section."""

from bench import python as render
from bench.figures import MB, Record
from bench.published import Checks, Published, complete


def read(turn: int, andiron_s: float) -> Record:
    return {"turn": turn, "andiron_s": andiron_s, "dict_s": 1.0 + turn, "dict_unpickled_s": 0.5, "andiron_cpu_s": 0.1, "dict_cpu_s": 1.0, "equal": True}


class PythonTest(Checks, Published):
    section = render.SECTION
    edit = ("20 x", "30 x")
    edited = ("python-figures",)

    def made(self) -> Record:
        """A complete run with invented numbers."""
        started = {"fresh": True, "import_s": 0.004, "cursor_s": 0.002, "advance_s": 0.001, "cpu_s": 0.005}
        return complete(self.section, {"turns": 3}, {
            "bulk": [read(i, 0.2) for i in range(3)], "batches": [read(i, 0.1) for i in range(3)],
            "designs": [{"turn": i, "design": name, "seconds": 0.1 + i, "cpu_s": 0.1, "equal": True} for i in range(3) for name in ("one", "other")],
            "start": [started | {"turn": i, "total_s": 0.007 + i / 1000} for i in range(3)],
            "memory": [{"turn": i, "before": {"jvm": 500 * MB, "python": 80 * MB}, "after": {"jvm": 300 * MB, "python": 290 * MB + i * MB}, "added_bytes": (10 + i) * MB,
                        "equal": True} for i in range(3)]})

    def test_figures(self) -> None:
        self.assertEqual([(f["id"], f["value"], f["reached"]) for f in self.made()["figures"]],
                         [("python-bulk", 20.0, True), ("python-start", 8.0, True), ("python-memory", 11.0, True)])

    def test_mismatches(self) -> None:
        def change(content: Record) -> None:
            raw = content["raw"]
            raw["bulk"][0]["equal"] = raw["batches"][2]["equal"] = raw["designs"][5]["equal"] = raw["start"][1]["fresh"] = False
            raw["memory"].pop()

        self.assert_found(change, "turn 0 of bulk has read other bytes", "turn 2 of batches has", "turn 2 of designs has", "turn 1 of start", "memory has 2 of 3 turns",
                          "python-memory")
