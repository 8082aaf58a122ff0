#!/usr/bin/env python3
"""All tests: the core, the suites on Spark 3.5, the packaged jar and a JVM started from Rust, faults, a cluster, and the suites on Spark 4.

    ci/test.py [STEP ...]

Runs the named steps, or all of them, and continues after a failure. Prints the last line of each runner and then
`N passed, N failed`, summed over the runners' reports; writes build/test-summary.json. A skipped or ignored test
counts as failed, and so does a step that fails without naming a test.
"""

import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from harness.facts import GRADLE, SCALA, SPARK  # noqa: E402

OTHER_SCALA = "2.12" if SCALA == "2.13" else "2.13"
SPARK_4 = "4.1.3"
CARGO_RESULT = re.compile(r"^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored;.*$", re.MULTILINE)
CAMPAIGN_RESULT = re.compile(r"^(\d+ (?:faults in|checks on clusters).*: (\d+) passed, (\d+) failed.*)$", re.MULTILINE)
CARGO_FAILURE = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (?:FAILED|ignored)", re.MULTILINE)
CARGO_MESSAGE = re.compile(r"^---- (\S+) stdout ----\n(.*?)\n(?=\n|----)", re.MULTILINE | re.DOTALL)
COMPLAINT = re.compile(r"^(?:faults|cluster): (.*)$", re.MULTILINE)
UNITTEST_FAILURE = re.compile(r"^(?:FAIL|ERROR): (.+)$", re.MULTILINE)
UNITTEST_RESULT = re.compile(r"^Ran (\d+) tests? in .*$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """One step: its numbers of tests, the last line of its runner, and its duration."""

    step: str
    passed: int
    failed: int
    closing: str
    seconds: float
    failures: tuple[str, ...] = ()


Read = tuple[int, int, str, list[str]]
"""The passed and failed tests of a runner, its last line, and each failure with its message."""


def shortened(message: str, most: int = 800) -> str:
    """The message in one line; a long one is cut to its start and its end."""
    line = " | ".join(part.strip() for part in message.splitlines() if part.strip())
    return line if len(line) <= most else f"{line[: most // 2]} […] {line[-most // 2 :]}"


def cargo(output: str) -> Read:
    found = CARGO_RESULT.findall(output)
    passed, failed, ignored = (sum(int(result[i]) for result in found) for i in range(3))
    printed = dict(CARGO_MESSAGE.findall(output))
    failures = [f"{name}: {shortened(printed[name])}" if name in printed else name for name in CARGO_FAILURE.findall(output)]
    return passed, failed + ignored, f"test result: {passed} passed; {failed} failed; {ignored} ignored, in {len(found)} runs", failures


def junit(folder: Path, started: float) -> Read:
    """The reports that were written since `started`."""
    reports = [ElementTree.parse(file).getroot() for file in sorted(folder.glob("*.xml")) if file.stat().st_mtime >= started]
    total, failed, skipped = (sum(int(suite.get(key, 0)) for suite in reports for key in keys) for keys in (["tests"], ["failures", "errors"], ["skipped"]))
    failures = [f"{case.get('classname')} > {case.get('name')}: {shortened(problem.get('message') or problem.tag)}"
                for suite in reports for case in suite.iter("testcase") for problem in case if problem.tag in ("failure", "error", "skipped")]
    return total - failed - skipped, failed + skipped, f"{total} tests in {len(reports)} suites, {failed} failed, {skipped} skipped", failures


def unittest(output: str) -> Read:
    total = sum(int(count) for count in UNITTEST_RESULT.findall(output))
    bad = sum(int(count) for count in re.findall(r"(?:failures|errors|skipped)=(\d+)", output))
    return total - bad, bad, f"{total} tests, {bad} failed or skipped", UNITTEST_FAILURE.findall(output)


def campaign(output: str) -> Read:
    """The last line of checks.faults or checks.cluster, and their complaints."""
    found = CAMPAIGN_RESULT.search(output)
    passed, failed, closing = (int(found[2]), int(found[3]), found[1]) if found else (0, 0, "the campaign did not end")
    return passed, failed, closing, [shortened(complaint) for complaint in COMPLAINT.findall(output)]


def suites(spark: str) -> tuple[list[str], Path]:
    # Gradle skips suites that are up to date, and their old reports prove nothing about this run.
    return GRADLE + ["cleanTest", "test", f"-PtestSpark={spark}"], ROOT / f"build/scala-{SCALA}/test-results/spark-{spark}"


STEPS = {
    "core": (["cargo", "test", "--locked", "-p", "andiron"], None),
    "interleavings": (["checks/core/interleavings.sh", "1"], None),
    "model": (["cargo", "test", "--locked", "-p", "andiron-model"], None),
    "scripts": ([sys.executable, "-m", "unittest", "discover", "-p", "test_*.py"], None),
    f"spark-{SPARK}": suites(SPARK),
    # One test starts the other Scala version's jar on this Scala's Spark, which must refuse it.
    "jar": (["sh", "-c", '"$@" -PscalaVersion=%s jar && exec "$@" cargoTest' % OTHER_SCALA, "sh", *GRADLE], None),
    "faults": (["sh", "-c", '"$@" && exec python3 -m checks.faults.run --short', "sh", *GRADLE, "jar", "faultsJar", "sparkHome"], None),
    "cluster": ([sys.executable, "-m", "checks.cluster.run", "--short"], None),
    f"spark-{SPARK_4}": suites(SPARK_4),
}


def run(name: str) -> Outcome:
    command, reports = STEPS[name]
    print(f"\n==== {name}: {' '.join(command)}", flush=True)
    started = time.time()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    status = process.wait()
    output = "".join(lines)
    read = {"scripts": unittest, "faults": campaign, "cluster": campaign}.get(name, cargo)
    passed, failed, closing, failures = junit(reports, started) if reports else read(output)
    if status != 0 and failed == 0:
        failed, closing = 1, f"{closing}; exit status {status}"
    if passed + failed == 0:
        failed, closing = 1, f"{closing}; no test ran"
    return Outcome(name, passed, failed, closing, round(time.time() - started, 1), tuple(failures))


def main() -> int:
    names = sys.argv[1:] or list(STEPS)
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"ci/test.py: no step {', '.join(unknown)}; there are {', '.join(STEPS)}", file=sys.stderr)
        return 2
    outcomes = [run(name) for name in names]
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed for o in outcomes)
    (ROOT / "build").mkdir(exist_ok=True)
    summary = {"passed": passed, "failed": failed, "steps": [asdict(o) for o in outcomes]}
    (ROOT / "build/test-summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print()
    for o in outcomes:
        print(f"{o.step}: {o.closing} ({o.seconds:.0f} s)")
        for failure in o.failures:
            print(f"    failed: {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
