"""Writes the table and JSON of ci/matrix.sh, from its list of runs and Gradle's reports.

    python3 ci/matrix.py LINES JSON
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def main() -> int:
    source, target = map(Path, sys.argv[1:])
    rows = []
    for line in source.read_text().splitlines():
        scala, spark, code, seconds, jar = line.split()
        suites = [ElementTree.parse(file).getroot() for file in Path(f"build/scala-{scala}/test-results/spark-{spark}").glob("*.xml")]
        tests, bad, skipped = (sum(int(s.get(key, 0)) for s in suites for key in keys.split()) for keys in ("tests", "failures errors", "skipped"))
        rows.append({
            "scala": scala, "spark": spark, "passed": tests - bad - skipped, "failed": bad, "skipped": skipped,
            "ok": code == "0" and tests > 0, "wall_s": int(seconds), "jar_sha256": jar,
        })
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"\n{'scala':8}{'spark':8}{'passed':>8}{'failed':>8}{'skipped':>9}{'wall s':>8}  jar")
    for row in rows:
        print(f"{row['scala']:8}{row['spark']:8}{row['passed']:>8}{row['failed']:>8}{row['skipped']:>9}{row['wall_s']:>8}  "
              f"{row['jar_sha256'][:12]}{'' if row['ok'] else '  FAILED'}")
    by_scala: dict[str, set[str]] = {}
    for row in rows:
        by_scala.setdefault(row["scala"], set()).add(row["jar_sha256"])
    for scala, jars in by_scala.items():
        if len(jars) > 1:
            print(f"the jar for Scala {scala} was not the same on every Spark: {sorted(jars)}", file=sys.stderr)
    return 0 if all(row["ok"] for row in rows) and all(len(jars) == 1 for jars in by_scala.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
