"""Recomputes every figure, table and chart of docs/evidence/benchmarks.md from the raw records in docs/data: `make verify`.

    python3 -m bench.verify [--root FOLDER] [--render]

Exit status 1 and one sentence per mismatch: a figure that differs from its raw records, a table or chart that differs from its rendering,
jobs with different digests, missing turns. A missed figure is no mismatch; it is printed as missed. `--render` writes the tables and charts
instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench import cluster_figures, figures, metrics_render, python_render, render, sinks_render
from bench.section import FACTS, differences
from harness.facts import ROOT

SECTIONS = [module.SECTION for module in (metrics_render, python_render, sinks_render, cluster_figures)]


def mismatches(root: Path) -> list[str]:
    """The mismatches of data, page and charts of the cache benchmark, one sentence each."""
    files = [root / render.DATA / name for name in (render.CACHE, render.MICRO)]
    missing = [f"{file.relative_to(root)} is missing: run `make bench-cache BENCH_PUBLISH=1`" for file in files if not file.exists()]
    if missing:
        return missing
    cache, micro = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    found = [f"{file.name} does not say its {fact}" for file, content in zip(files, (cache, micro), strict=True) for fact in (*FACTS, "runs") if not content.get(fact)]
    found += differences(render.CACHE, cache["figures"], figures.of_cache(cache)) + differences(render.MICRO, micro["figures"], figures.of_micro(micro))
    found += figures.wrong(cache)
    for name, chart in render.charts(cache).items():
        file = root / render.PICTURES / name
        if not file.exists() or file.read_text(encoding="utf-8") != chart:
            found.append(f"{render.PICTURES / name} is not the chart of these figures")
    return found + render.blocks_differ(root, render.blocks(cache, micro))


def main() -> int:
    parser = argparse.ArgumentParser(description="recompute docs/evidence/benchmarks.md")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    root = options.root
    cache, micro = (json.loads((root / render.DATA / name).read_text(encoding="utf-8")) for name in (render.CACHE, render.MICRO))
    if options.render:
        render.publish(root, cache, micro)
        for section in SECTIONS:
            section.publish(root)
        return 0
    found = mismatches(root) + [sentence for section in SECTIONS for sentence in section.mismatches(root)]
    for sentence in found:
        print(f"verify: {sentence}", file=sys.stderr)
    if found:
        return 1
    contents = [cache, micro, *(section.contents(root)[0] for section in SECTIONS)]
    all_figures = [figure for content in contents for figure in content["figures"]]
    reached = sum(figure["reached"] for figure in all_figures)
    print(render.plain(*render.figure_table(all_figures)))
    tables = [render.blocks(cache, micro), *(section.blocks(*section.contents(root)) for section in SECTIONS)]
    print(f"verify: {len(all_figures)} figures recomputed, {reached} reached, {len(all_figures) - reached} missed; "
          f"{sum(map(len, tables))} tables and {len(render.charts(cache))} charts are those of the raw figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
