"""Tests of the Python benchmark's arithmetic, and of mismatches that `make verify` must find in its section."""

from bench import python_render as render
from bench.figures import MB, Record
from bench.published import Published
from bench.render import PAGE


def read(turn: int) -> Record:
    return {"dict_s": 1.0 + turn, "dict_unpickled_s": 0.5, "andiron_cpu_s": 0.1, "dict_cpu_s": 1.0, "equal": True}


def content() -> Record:
    """A complete run with invented numbers."""
    made: Record = {
        "commit": "c" * 40, "uncommitted": False, "spark": "3.5.4", "python": "3.11.2", "jar_sha256": "a", "started": 1, "total_s": 100.0, "load_average": 1.0,
        "machine": {"cpu": "one", "cores": 2, "memory_kb": 1 << 24, "kernel": "6", "java": "17"}, "parameters": {"turns": 3, **render.PARAMETERS},
        "raw": {
            "bulk": [{"turn": i, "andiron_s": 0.2, **read(i)} for i in range(3)], "batches": [{"turn": i, "andiron_s": 0.1, **read(i)} for i in range(3)],
            "designs": [{"turn": i, "design": name, "seconds": 0.1 + i, "cpu_s": 0.1, "equal": True} for i in range(3) for name in ("one", "other")],
            "start": [{"turn": i, "fresh": True, "import_s": 0.004, "cursor_s": 0.002, "advance_s": 0.001, "total_s": 0.007 + i / 1000, "cpu_s": 0.005} for i in range(3)],
            "memory": [{"turn": i, "before": {"jvm": 500 * MB, "python": 80 * MB}, "after": {"jvm": 300 * MB, "python": 290 * MB + i * MB}, "added_bytes": (10 + i) * MB,
                        "equal": True} for i in range(3)]}}
    made["figures"] = render.figures(made)
    return made


class Python(Published):
    render = render
    names = ("python-machine", "python-figures", "python-turns", "python-designs")

    def made(self) -> Record:
        return content()

    def test_figures(self) -> None:
        self.assertEqual([(f["id"], f["value"], f["reached"]) for f in content()["figures"]],
                         [("python-bulk", 20.0, True), ("python-start", 8.0, True), ("python-memory", 11.0, True)])

    def test_what_agrees_is_no_mismatch(self) -> None:
        self.assertEqual(self.mismatches(), [])

    def test_mismatches(self) -> None:
        made = content()
        made["raw"]["bulk"][0]["equal"] = made["raw"]["batches"][2]["equal"] = made["raw"]["designs"][5]["equal"] = made["raw"]["start"][1]["fresh"] = False
        made["raw"]["memory"].pop()
        made["figures"][0]["value"] = 99.0
        self.write(made)
        found = self.mismatches()
        for text in ("turn 0 of bulk has read other bytes", "turn 2 of batches has", "turn 2 of designs has", "turn 1 of start", "memory has 2 of 3 turns", "python-bulk is written as 99.0", "python-memory"):
            self.assertTrue(any(text in sentence for sentence in found), (text, found))

    def test_a_table_that_was_changed(self) -> None:
        page = self.root / PAGE
        page.write_text(page.read_text().replace("20 x", "30 x"))
        self.assertEqual(len(self.mismatches()), 1)
