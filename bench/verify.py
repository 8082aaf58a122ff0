"""Recomputes every figure, table and chart of docs/evidence/benchmarks.md from the raw records in docs/data: `make verify`.

    python3 -m bench.verify [--root FOLDER] [--render]

Exit status 1 and one sentence per mismatch: a figure that differs from its raw records, a table or chart that differs from its rendering,
jobs with different digests, missing turns. A missed figure is no mismatch; it is printed as missed. `--render` writes the tables and charts
instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import cache_render, cluster, metrics_render, python, sinks_render
from bench.render import figure_table, plain
from harness.facts import ROOT

SECTIONS = [module.SECTION for module in (cache_render, metrics_render, python, sinks_render, cluster)]


def main() -> int:
    parser = argparse.ArgumentParser(description="recompute docs/evidence/benchmarks.md")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    if options.render:
        for section in SECTIONS:
            section.publish(options.root)
        return 0
    found = [sentence for section in SECTIONS for sentence in section.mismatches(options.root)]
    for sentence in found:
        print(f"verify: {sentence}", file=sys.stderr)
    if found:
        return 1
    contents = [(section, section.content(options.root)) for section in SECTIONS]
    figures = [figure for _, content in contents for figure in content["figures"]]
    reached = sum(figure["reached"] for figure in figures)
    print(plain(*figure_table(figures)))
    print(f"verify: {len(figures)} figures recomputed, {reached} reached, {len(figures) - reached} missed; {sum(len(s.blocks(c)) for s, c in contents)} tables "
          f"and {sum(len(s.charts(c)) for s, c in contents)} charts are those of the raw figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
