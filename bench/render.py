"""Tables and charts from the raw figures: for the terminal, and for docs/evidence/benchmarks.md.

The prose of the page is written by hand; this module renders the blocks between
`<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench import figures, rivals
from bench.charts import Bar, Line, bars, lines
from bench.figures import MB, Record, Turns

PAGE = Path("docs/evidence/benchmarks.md")
DATA = Path("docs/data")
PICTURES = Path("docs/images")
CACHE, MICRO = "bench-cache.json", "bench-micro.json"
WIDTH = 120  # characters per line of the page's prose


def blocks(cache: Record, micro: Record) -> dict[str, str]:
    """The generated blocks of the page, by name."""
    return {
        "machine": wrapped(machine(cache, micro)), "figures": markdown(*figure_table(figures.of_cache(cache) + figures.of_micro(micro))),
        "approaches": markdown(*approach_table(cache)), "parts": markdown(*part_table(cache)), "sweep": markdown(*sweep_table(cache)),
        "talk": markdown(*talk_table(cache)), "rates": markdown(*rate_table(cache)), "micro": markdown(*micro_table(micro)),
    }


def charts(cache: Record) -> dict[str, str]:
    """The charts, by file name."""
    p, turns = cache["parameters"], Turns(cache["raw"]["approaches"])
    whole = [name for name in turns.names() if rivals.BY_NAME[name].work == 1]
    others = [name for name in whole if name != "none"]
    used = p["versions"] * p["version_mb"]
    memory = [Bar(rivals.BY_NAME[n].title, turns.extra(n) / MB, f"{turns.extra(n) / MB:.0f} MB", rivals.BY_NAME[n].andiron) for n in others]
    walls = [Bar(rivals.BY_NAME[n].title, turns.median(n, "wall_s"), f"{turns.median(n, 'wall_s'):.1f} s", rivals.BY_NAME[n].andiron)
             for n in whole]
    return {
        "bench-memory.svg": bars("Peak memory (PSS) of the executor over the job without metadata", memory,
                                 [(p["version_mb"], "one version"), (used, "all versions")]),
        "bench-wall.svg": bars("Wall time of the job", walls),
        "bench-sweep.svg": lines("How many times as long each task's own copy takes as sharing", "task slots", "times as long",
                                 _sweep_lines(cache, "closure")),
        "bench-stages.svg": lines("How many times as long one stage per version takes as sharing", "task slots", "times as long",
                                  _sweep_lines(cache, "stages")),
    }


def _sweep_lines(cache: Record, rival: str) -> list[Line]:
    cells = sweep_cells(cache)
    return [Line(f"{versions} versions", [(slots, cell[rival]["wall_s"] / cell["andiron-bytes"]["wall_s"]) for (slots, v), cell in cells.items() if v == versions])
            for versions in sorted({v for _, v in cells})]


Table = tuple[Sequence[str], list[Sequence[str]]]


def completed(new: Record, file: Path) -> Record:
    """A run, completed by the published records of the parts that it left out. Raises if those have other parameters."""
    if not file.exists():
        return new
    old = json.loads(file.read_text(encoding="utf-8"))
    kept = {part: records for part, records in old["raw"].items() if part not in new["raw"]}
    differing = [name for name, value in new["parameters"].items() if name not in ("parts", "micro_only") and old["parameters"].get(name) != value]
    if kept and differing:
        raise ValueError(f"not to be published: {', '.join(kept)} were measured with other {', '.join(differing)}; run all parts")
    head = new if new["raw"] else old
    return head | {"raw": kept | new["raw"], "runs": {part: old["runs"][part] for part in kept} | new["runs"]}


def commits(cache: Record, micro: Record) -> str:
    """The commit of the run, or the commit of each part if they differ."""
    by: dict[str, list[str]] = {}
    for part, run in sorted((cache["runs"] | micro["runs"]).items()):
        by.setdefault(commit(run), []).append(part)
    if len(by) == 1:
        return f"Commit {next(iter(by))}"
    return "Commits " + ", ".join(f"{one} ({', '.join(parts)})" for one, parts in by.items())


def machine(cache: Record, micro: Record) -> str:
    loads, p = [r["load_average"] for part in cache["raw"].values() for r in part], cache["parameters"]
    return (
        f"{commits(cache, micro)}, Spark {cache['spark']}, Scala {cache['scala']}, {hardware(cache)}. "
        f"{p['turns']} turns, {p['versions']} versions of {p['version_mb']} MB, {p['slots']} task slots in {p['executors']} executor"
        f"{'s' if p['executors'] > 1 else ''}, seed {cache['seed']}. The machine was shared: when the applications started, its load "
        f"average was between {min(loads):.1f} and {max(loads):.1f}, {median(loads):.1f} in the median. "
        f"{jar(cache)}")


def figure_table(found: list[Record]) -> Table:
    return ("figure", "measured", "aimed at", "", "note"), [
        (f["title"], _number(f["value"], f["unit"]), f"{'≤' if f['sense'] == '<=' else '≥'} {_number(f['limit'], f['unit'])}",
         "reached" if f["reached"] else "**missed**", f["note"]) for f in found]


def _number(value: float, unit: str) -> str:
    text = f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{text} {unit}".strip()


def approach_table(cache: Record) -> Table:
    turns = Turns(cache["raw"].get("approaches", []))
    rows = []
    for name in turns.names():
        def mid(key: str, name: str = name) -> float:
            return turns.median(name, key)

        held = "maxResidentBytes" if rivals.BY_NAME[name].andiron else "most_bytes"
        rows.append((
            rivals.BY_NAME[name].title, f"{mid('wall_s'):.1f}", f"{mid('peak_rss_bytes') / MB:.0f}", f"{mid('peak_pss_bytes') / MB:.0f}",
            f"{turns.extra(name) / MB:.0f}" if turns.has("none") else "", f"{saved(turns, name):.0f}" if turns.has("closure-direct") else "",
            f"{mid('heap_peak_bytes') / MB:.0f}", f"{mid('gc_millis'):.0f}", f"{mid('loads'):.0f}", f"{mid(held) / MB:.0f}"))
    return ("approach", "wall s", "RSS MB", "PSS MB", "over no metadata MB", "saved %", "heap MB", "GC ms", "loads", "held MB"), rows


def saved(turns: Turns, name: str) -> float:
    """The memory saved over the closure at its best, in per cent of the whole process."""
    return turns.paired(name, "closure-direct", lambda mine, closure: 100 * (1 - mine["peak_pss_bytes"] / closure["peak_pss_bytes"]))


def part_table(cache: Record) -> Table:
    """The table of the parts of a job's time."""
    turns, slots = Turns(cache["raw"].get("approaches", [])), cache["parameters"]["slots"]
    rows = []
    for name in turns.names():
        records = turns.records(name)
        idle = median(1 - r["task_s"] / (slots * r["wall_s"]) for r in records)
        rows.append((rivals.BY_NAME[name].title, f"{turns.median(name, 'wall_s'):.1f}", f"{turns.median(name, 'cpu_s'):.1f}", f"{100 * idle:.0f}",
                     f"{median(figures.load_seconds(r) for r in records) * 1e3:.0f}", f"{turns.median(name, 'loads'):.0f}",
                     f"{turns.median(name, 'shuffle_bytes') / MB:.0f}",
                     f"{median(r.get('materialise_s', 0.0) for r in records):.1f}"))
    return ("approach", "wall s", "CPU s of tasks", "idle slots %", "ms per load", "loads", "shuffled MB", "writing rows by version s"), rows


Cells = dict[tuple[int, int], dict[str, Record]]


def sweep_cells(cache: Record) -> Cells:
    found: Cells = {}
    for record in cache["raw"].get("sweep", []):
        found.setdefault((record["slots"], record["versions"]), {})[record["approach"]] = record
    return dict(sorted(found.items()))


def sweep_table(cache: Record) -> Table:
    rows = []
    for (slots, versions), cell in sweep_cells(cache).items():
        closure, stages, mine = (cell[name] for name in ("closure", "stages", "andiron-bytes"))
        needed = mine["most_in_use"]
        rows.append((str(slots), str(versions), f"{slots}", f"{needed}", f"{100 * (1 - needed / slots):.0f}", f"{closure['loads']:.0f}", f"{mine['loads']:.0f}",
                     f"{closure['wall_s']:.2f}", f"{stages['wall_s']:.2f}", f"{mine['wall_s']:.2f}",
                     f"{closure['wall_s'] / mine['wall_s']:.2f}", f"{stages['wall_s'] / mine['wall_s']:.2f}"))
    return ("slots", "versions", "copies with closures", "versions in use with Andiron", "saved %", "loads with closures", "loads with Andiron",
            "closures s", "stages s", "Andiron s", "closures / Andiron", "stages / Andiron"), rows


def talk_table(cache: Record) -> Table:
    p, rows = cache["parameters"], []
    for record in cache["raw"].get("talk", []):
        minute = p["talk_minute_ms"] / 1e3
        ideal = figures.ideal(record, p)
        rows.append((str(record["turn"] + 1), {"stages": "one stage per version", "andiron-bytes": "Andiron, bytes"}[record["approach"]],
                     f"{record['wall_s']:.2f}", f"{record['wall_s'] / minute:.0f}", f"{ideal / minute:.0f}", f"{record['loads']}"))
    return ("turn", "approach", "wall s", "in the talk's minutes", "without idle slots, one load waited for", "loads"), rows


WAYS = {"populate": "populating a mapping (the kernel alone), file just written", "inplace": "Andiron, mapped in place, file just written",
        "populate-read": "populating a mapping, file was read", "inplace-read": "Andiron, mapped in place, file was read", "cp": "`cp --reflink=never --sparse=never`",
        "local": "Andiron, copied from a local file", "stream": "Andiron, streamed through Hadoop's file system", "broadcast": "broadcast, first value"}


def rate_table(cache: Record) -> Table:
    by: dict[str, list[Record]] = {}
    for record in cache["raw"].get("rates", []):
        by.setdefault(record["what"], []).append(record)
    rows = []
    for what, title in WAYS.items():
        if what in by:
            rate = [r["bytes"] / r["seconds"] / 2**30 for r in by[what]]
            rows.append((title, f"{median(r['seconds'] for r in by[what]) * 1e3:.1f}", f"{median(rate):.3f}", f"{min(rate):.3f} to {max(rate):.3f}"))
    return ("way", "ms", "GB/s", "all turns"), rows


def micro_table(micro: Record) -> Table:
    by: dict[str, list[Record]] = {}
    for record in micro["raw"].get("micro", []):
        by.setdefault(record["benchmark"], []).append(record)
    return ("benchmark", "threads", "ns", "all turns"), [
        (f"`{name}`", str(records[0]["threads"]), f"{median(r['ns'] for r in records):.2f}", ", ".join(f"{r['ns']:.2f}" for r in records))
        for name, records in sorted(by.items())]


def text(cache: Record, micro: Record) -> str:
    """The results as text for the terminal."""
    found = [("", figure_table(cache["figures"] + micro["figures"]))]
    found += [(title, table) for title, table in (
        ("approaches, medians over the turns", approach_table(cache)), ("slots x versions", sweep_table(cache)), ("the talk's job", talk_table(cache)),
        ("rates of loading", rate_table(cache)), ("micro-benchmarks", micro_table(micro))) if table[1]]
    return "\n".join(f"\n{title}\n{plain(*table)}" for title, table in found)


def plain(heads: Sequence[str], rows: list[Sequence[str]]) -> str:
    all_rows = [heads, *rows]
    widths = [max(len(row[i]) for row in all_rows) for i in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
                     for row in all_rows)


def markdown(heads: Sequence[str], rows: list[Sequence[str]]) -> str:
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *("| " + " | ".join(row) + " |" for row in rows)])


def benchmark_of(name: str) -> str:
    """The prefix of a block's name; empty for the cache benchmark."""
    return next((prefix for prefix in ("metrics-", "python-", "sinks-", "cluster-") if name.startswith(prefix)), "")


def blocks_differ(root: Path, parts: dict[str, str]) -> list[str]:
    """One sentence for each block of the page that differs from `parts`."""
    page = (root / PAGE).read_text(encoding="utf-8")
    return [f"the part {name} of {PAGE} is not the table of these figures" for name, part in parts.items()
            if f"<!-- begin {name} -->\n{part}\n<!-- end {name} -->" not in page]


def wrapped(text: str) -> str:
    """Prose wrapped to the page's width; existing line breaks are kept."""
    return "\n".join(textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())


def commit(run: Record) -> str:
    return f"`{run['commit'][:12]}`{' with uncommitted changes' if run['uncommitted'] else ''}"


def hardware(content: Record) -> str:
    at = content["machine"]
    return f"{at['java']}; {at['cores']} cores ({at['cpu']}), {at['memory_kb'] / 2**20:.0f} GB, Linux {at['kernel']}"


def jar(content: Record) -> str:
    return f"Jar: `{content['jar']}`, SHA-256 `{content['jar_sha256'][:16]}`."


def filled(page: str, parts: dict[str, str], benchmark: str = "") -> str:
    """The page with the generated blocks of one benchmark replaced. Raises if the page lacks a block or has a block that is not in `parts`."""
    names = [name for name in re.findall(r"<!-- begin (\S+) -->", page) if benchmark_of(name) == benchmark]
    if sorted(names) != sorted(parts):
        raise ValueError(f"the page has the parts {sorted(names)}, not {sorted(parts)}")
    for name, part in parts.items():
        page, count = re.subn(rf"(<!-- begin {name} -->\n).*?(\n<!-- end {name} -->)", lambda m: m[1] + part + m[2], page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"the page's part {name} does not end")
    return page


def lacking(cache: Record, micro: Record) -> list[str]:
    """The parts that a run lacks for publication."""
    parts = ("approaches", "sweep", "talk", "rates", "kills")
    found = [part for part in parts if not cache["raw"].get(part)] + ([] if micro["raw"].get("micro") else ["micro"])
    there = Turns(cache["raw"].get("approaches", [])).names()
    return found + [approach.name for approach in rivals.ALL if approach.name not in there]


def publish(root: Path, cache: Record, micro: Record) -> None:
    """Writes the data, the charts and the generated blocks of the page. Raises if the run lacks a part."""
    if lacking(cache, micro):
        raise ValueError(f"not to be published: the run lacks {', '.join(lacking(cache, micro))}")
    (root / DATA).mkdir(parents=True, exist_ok=True)
    for name, content in ((CACHE, cache), (MICRO, micro)):
        (root / DATA / name).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for name, chart in charts(cache).items():
        (root / PICTURES / name).write_text(chart, encoding="utf-8")
    page = root / PAGE
    page.write_text(filled(page.read_text(encoding="utf-8"), blocks(cache, micro)), encoding="utf-8")
