import json
import tempfile
import unittest
from pathlib import Path

from checks.faults import document, groups, leftovers
from checks.faults.results import Ran, complaints, entries, holds

GOOD = {
    "fault": "none", "seed": 1, "master": "local[4]", "spark": "3.5.4", "digests_equal": True, "leases_left": 0, "waiting_left": 0,
    "attempts_left": 0, "max_over_budget": 0, "over_budget_admissions": 0, "wall_ms": 7,
}


def entry(**changes: object) -> dict[str, object]:
    return entries(Ran([GOOD | changes]))[0]


class Results(unittest.TestCase):
    def test_what_must_hold(self) -> None:
        self.assertTrue(holds(entry()))
        self.assertTrue(holds(entry(max_over_budget=5, over_budget_admissions=1)))
        for change in ({"digests_equal": False}, {"leases_left": 1}, {"waiting_left": 1}, {"attempts_left": 1}, {"max_over_budget": 5}):
            self.assertFalse(holds(entry(**change)), change)
        self.assertFalse(holds(entries(Ran([GOOD], crashes=1))[0]))

    def test_runs_of_one_fault_are_put_together(self) -> None:
        found = entries(Ran([GOOD, GOOD | {"leases_left": 2, "max_over_budget": 3}, GOOD | {"fault": "other", "seen": 4}]))
        self.assertEqual([(row["fault"], row["runs"], row["leases_left"], row["max_over_budget"]) for row in found],
                         [("none", 2, 2, 3), ("other", 1, 0, 0)])
        self.assertEqual(found[1]["observed"], {"wall_ms": 7, "seen": 4})

    def test_an_error_fails_its_fault(self) -> None:
        ran = Ran([GOOD, {"fault": "none", "seed": 1, "master": "local[4]", "error": "boom"}])
        self.assertFalse(holds(entries(ran)[0]))
        self.assertEqual(complaints(ran), ["none: boom"])

    def test_what_is_resident_after_the_end_is_a_complaint(self) -> None:
        end = {"fault": "end", "resident_after_close": 0, "reserved_after_close": 0}
        self.assertEqual(complaints(Ran([end])), [])
        self.assertEqual(len(complaints(Ran([end | {"resident_after_close": 1}]))), 1)
        self.assertEqual(entries(Ran([end])), [])


class Leftovers(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("cache", "tmp"):
            (self.folder / name).mkdir()
        self.write("driver.out", "application: local-1\n")

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def found(self, killed: bool = False) -> tuple[int, list[str]]:
        return leftovers.inspect(self.folder / "home", self.folder, killed)

    def test_nothing_is_wrong_with_nothing(self) -> None:
        self.write("cache/.andiron.lock", "")
        self.assertEqual(self.found(), (0, []))

    def test_files_in_the_cache_directory(self) -> None:
        self.write("cache/local-1/d.bytes", "x")
        self.assertIn("cache/local-1/d.bytes", self.found()[1][0])

    def test_unpacked_libraries_unless_their_process_was_killed(self) -> None:
        self.write("tmp/andiron-1-x/lib.so", "x")
        self.assertEqual((len(self.found()[1]), self.found(killed=True)), (1, (0, [])))

    def test_crashes(self) -> None:
        self.write("executors/app/0/stderr", "Command exited with code 137\n")
        self.assertEqual(self.found()[0], 0)
        self.write("driver.err", "Executor app-1/0 finished with state EXITED message Command exited with exit code 139\n")
        self.assertEqual(self.found()[0], 1)
        self.write("hs_err_7.log", "SIGSEGV")
        self.assertEqual(self.found()[0], 1)

    def test_executors_logs_are_fetched_from_the_spark_home(self) -> None:
        self.write("home/work/local-1/0/stdout", "FATAL ERROR in native method: bad handle\n\tat andiron.internal.boundary.Native$.advance(Native Method)\n")
        self.assertEqual(len(self.found()[1]), 1)
        self.assertTrue((self.folder / "executors/local-1/0/stdout").exists())

    def test_only_our_natives_warnings_count(self) -> None:
        theirs = "WARNING in native method: JNI call made without checking exceptions\n\tat sun.nio.fs.UnixNativeDispatcher.stat0(Native Method)\n"
        ours = "WARNING in native method: JNI call made without checking exceptions\n\tat andiron.internal.boundary.Native$.stats(Native Method)\n"
        self.assertEqual(leftovers.jni_warnings(theirs), [])
        self.assertEqual(len(leftovers.jni_warnings(theirs + ours + "other text\n" + ours)), 2)

    def test_errors_in_our_log_lines(self) -> None:
        self.write("driver.err", "26/11/23 16:02:23 ERROR CallbackGuard: Andiron could not report\n26/11/23 ERROR TaskSetManager: theirs\n")
        self.assertEqual(len(self.found()[1]), 1)


class Document(unittest.TestCase):
    def test_every_fault_has_a_meaning(self) -> None:
        faults = {fault.removesuffix("-interrupt") for group in groups.GROUPS for fault in group.faults}
        self.assertEqual(faults, set(document.MEANING))

    def test_the_document_is_that_of_its_figures(self) -> None:
        docs = Path(__file__).resolve().parents[2] / "docs"
        facts = json.loads((docs / "data/faults.json").read_text())
        self.assertEqual((docs / "evidence/faults.md").read_text(), document.text(facts))
        self.assertEqual((facts["complaints"], facts["short"], all(map(holds, facts["faults"]))), ([], False, True))

    def test_seeds_are_one_line(self) -> None:
        rows = [entry(), entry(seed=2, leases_left=1)]
        self.assertEqual(document.table(rows)[2:], ["| `none` | `local[4]` | 2 | 2 of 2 | 1 | 0 | 0 |"])


class Groups(unittest.TestCase):
    def test_short_faults_are_among_the_groups(self) -> None:
        for group in groups.GROUPS:
            self.assertLessEqual(set(group.short), set(group.faults))

    def test_scala_knows_every_fault(self) -> None:
        folder = Path(__file__).resolve().parents[2] / "checks/faults/scala/andiron/faults"
        sources = "".join(file.read_text() for file in folder.glob("*.scala"))
        for fault in {fault for group in groups.GROUPS for fault in group.faults} - {"kill-application"}:
            self.assertIn(f'"{fault.removesuffix("-interrupt")}"', sources)
