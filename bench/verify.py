"""Recomputes every figure, table and chart of docs/evidence/benchmarks.md from the raw records in docs/data: `make verify`.

    python3 bench/verify.py [--root FOLDER]

Exit status 1 and a sentence for each mismatch: a figure that its raw records do not give, a table or chart that differs from what is
rendered from them, jobs whose digests differ, turns that are missing. A figure that was missed is no mismatch: it is shown as missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench import figures, metrics_figures, metrics_render, python_render, render, sinks_render
from bench.figures import Record
from bench import cluster_figures

ROOT = Path(__file__).resolve().parents[1]
FACTS = ("commit", "spark", "scala", "jar_sha256", "seed", "machine", "parameters", "started")


def mismatches(root: Path) -> list[str]:
    """What does not agree, a sentence each."""
    files = [root / render.DATA / name for name in (render.CACHE, render.MICRO)]
    missing = [str(file.relative_to(root)) for file in files if not file.exists()]
    if missing:
        return [f"{name} is missing: run `make bench-cache BENCH_PUBLISH=1`" for name in missing]
    cache, micro = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    found = [f"{file.name} does not say its {fact}" for file, content in zip(files, (cache, micro), strict=True) for fact in (*FACTS, "runs") if not content.get(fact)]
    found += _figures(render.CACHE, cache["figures"], figures.of_cache(cache)) + _figures(render.MICRO, micro["figures"], figures.of_micro(micro))
    found += figures.wrong(cache)
    for name, chart in render.charts(cache).items():
        file = root / render.PICTURES / name
        if not file.exists() or file.read_text(encoding="utf-8") != chart:
            found.append(f"{render.PICTURES / name} is not the chart of these figures")
    return found + _parts(root, render.blocks(cache, micro)) + metrics_mismatches(root)


def _parts(root: Path, parts: dict[str, str]) -> list[str]:
    page = (root / render.PAGE).read_text(encoding="utf-8")
    return [f"the part {name} of {render.PAGE} is not the table of these figures" for name, part in parts.items()
            if f"<!-- begin {name} -->\n{part}\n<!-- end {name} -->" not in page]


def metrics_mismatches(root: Path) -> list[str]:
    """The same of the metrics benchmark alone."""
    file = root / render.DATA / metrics_render.FILE
    if not file.exists():
        return [f"{file.relative_to(root)} is missing: run `make bench-metrics BENCH_PUBLISH=1`"]
    content = json.loads(file.read_text(encoding="utf-8"))
    found = [f"{file.name} does not say its {fact}" for fact in FACTS if not content.get(fact)]
    found += _figures(file.name, content["figures"], metrics_figures.of(content)) + metrics_figures.wrong(content)
    return found + _parts(root, metrics_render.blocks(content))


def python_mismatches(root: Path) -> list[str]:
    """The same of the benchmark of Python alone."""
    file = root / render.DATA / python_render.FILE
    if not file.exists():
        return [f"{file.relative_to(root)} is missing: run `make bench-python BENCH_PUBLISH=1`"]
    content = json.loads(file.read_text(encoding="utf-8"))
    found = [f"{file.name} does not say its {fact}" for fact in FACTS if fact not in ("seed", "scala") and not content.get(fact)]
    found += _figures(file.name, content["figures"], python_render.figures(content)) + python_render.wrong(content)
    return found + _parts(root, python_render.blocks(content))


def sinks_mismatches(root: Path) -> list[str]:
    """The same of the benchmark of sinks alone."""
    files = [root / render.DATA / name for name in (sinks_render.FILE, sinks_render.ATLAS)]
    missing = [f"{file.relative_to(root)} is missing: run `make bench-sinks BENCH_PUBLISH=1`" for file in files if not file.exists()]
    if missing:
        return missing
    content, atlas = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    found = [f"{files[0].name} does not say its {fact}" for fact in (*FACTS, "runs") if not content.get(fact)] + sinks_render.wrong(content)
    return found or _figures(files[0].name, content["figures"], sinks_render.figures(content, atlas)) + _parts(root, sinks_render.blocks(content, atlas))


def _figures(file: str, written: list[Record], computed: list[Record]) -> list[str]:
    by = {figure["id"]: figure for figure in written}
    found = [f"{file}: {f['id']} is written as {by.get(f['id'], {}).get('value')}, but its raw records give {f['value']}"
             for f in computed if by.get(f["id"]) != f]
    return found + [f"{file}: {id} is written, but nothing gives it" for id in by.keys() - {f["id"] for f in computed}]


def main() -> int:
    parser = argparse.ArgumentParser(description="recompute docs/evidence/benchmarks.md")
    parser.add_argument("--root", type=Path, default=ROOT)
    root = parser.parse_args().root
    found = mismatches(root) + python_mismatches(root) + sinks_mismatches(root) + cluster_figures.mismatches(root)
    for sentence in found:
        print(f"verify: {sentence}", file=sys.stderr)
    if found:
        return 1
    names = (render.CACHE, render.MICRO, metrics_render.FILE, python_render.FILE, sinks_render.FILE, sinks_render.ATLAS, cluster_figures.FILE)
    cache, micro, metrics, python, sinks, atlas, cluster = (json.loads((root / render.DATA / name).read_text(encoding="utf-8")) for name in names)
    all_figures = [figure for content in (cache, micro, metrics, python, sinks, cluster) for figure in content["figures"]]
    reached = sum(figure["reached"] for figure in all_figures)
    print(render.plain(*render.figure_table(all_figures)))
    tables = (render.blocks(cache, micro), metrics_render.blocks(metrics), python_render.blocks(python), sinks_render.blocks(sinks, atlas), cluster_figures.blocks(cluster))
    print(f"verify: {len(all_figures)} figures recomputed, {reached} reached, {len(all_figures) - reached} missed; "
          f"{sum(map(len, tables))} tables and {len(render.charts(cache))} charts are those of the raw figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
