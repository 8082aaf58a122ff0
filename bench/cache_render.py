"""Tables and charts of the cache benchmark; see render.py."""

from __future__ import annotations

from statistics import median

from bench import cache_figures as figures
from bench import rivals
from bench.cache_figures import Turns
from bench.charts import Bar, Line, bars, lines
from bench.figures import MB, Record, series, spread
from bench.render import Table, commits, jar, loads, spark
from bench.section import FACTS, Section


def charts(content: Record) -> dict[str, str]:
    """The charts, by file name."""
    p, turns = content["parameters"], Turns(content["raw"]["approaches"])
    whole = [approach for approach in rivals.ALL if turns.has(approach.name) and approach.work == 1]
    memory = [Bar(a.title, turns.extra(a.name) / MB, f"{turns.extra(a.name) / MB:.0f} MB", a.andiron) for a in whole if a.name != "none"]
    walls = [Bar(a.title, turns.median(a.name, "wall_s"), f"{turns.median(a.name, 'wall_s'):.1f} s", a.andiron) for a in whole]
    marks = [(p["version_mb"], "one version"), (p["versions"] * p["version_mb"], "all versions")]
    return {
        "bench-memory.svg": bars("Peak memory (PSS) of the executor over the job without metadata", memory, marks),
        "bench-wall.svg": bars("Wall time of the job", walls),
        "bench-sweep.svg": lines("How many times as long each task's own copy takes as sharing", "task slots", "times as long",
                                 _sweep_lines(content, "closure")),
        "bench-stages.svg": lines("How many times as long one stage per version takes as sharing", "task slots", "times as long",
                                  _sweep_lines(content, "stages")),
    }


def _sweep_lines(content: Record, rival: str) -> list[Line]:
    cells = sweep_cells(content)
    return [Line(f"{versions} versions", [(slots, cell[rival]["wall_s"] / cell["andiron-bytes"]["wall_s"]) for (slots, v), cell in cells.items() if v == versions])
            for versions in sorted({v for _, v in cells})]


def machine(content: Record) -> str:
    load, p = loads(content, without="micro"), content["parameters"]
    return (
        f"{commits(content)}, {spark(content)}. "
        f"{p['turns']} turns, {p['versions']} versions of {p['version_mb']} MB, {p['slots']} task slots in {p['executors']} executor"
        f"{'s' if p['executors'] > 1 else ''}, seed {content['seed']}. The machine was shared: when the applications started, its load "
        f"average was between {min(load):.1f} and {max(load):.1f}, {median(load):.1f} in the median. "
        f"{jar(content)}")


def approach_table(content: Record) -> Table:
    turns = Turns(content["raw"].get("approaches", []))
    rows = []
    for name in turns.names():
        held = "maxResidentBytes" if rivals.BY_NAME[name].andiron else "most_bytes"
        wall, rss, pss, heap, gc, loads, most = (
            turns.median(name, key) for key in ("wall_s", "peak_rss_bytes", "peak_pss_bytes", "heap_peak_bytes", "gc_millis", "loads", held))
        rows.append((
            rivals.BY_NAME[name].title, f"{wall:.1f}", f"{rss / MB:.0f}", f"{pss / MB:.0f}",
            f"{turns.extra(name) / MB:.0f}" if turns.has("none") else "", f"{saved(turns, name):.0f}" if turns.has("closure-direct") else "",
            f"{heap / MB:.0f}", f"{gc:.0f}", f"{loads:.0f}", f"{most / MB:.0f}"))
    return ("approach", "wall s", "RSS MB", "PSS MB", "over no metadata MB", "saved %", "heap MB", "GC ms", "loads", "held MB"), rows


def saved(turns: Turns, name: str) -> float:
    """The memory saved over the closure at its best, in per cent of the whole process."""
    return turns.paired(name, "closure-direct", lambda mine, closure: 100 * (1 - mine["peak_pss_bytes"] / closure["peak_pss_bytes"]))


def part_table(content: Record) -> Table:
    """The table of the parts of a job's time."""
    turns, slots = Turns(content["raw"].get("approaches", [])), content["parameters"]["slots"]
    rows = []
    for name in turns.names():
        records = turns.records(name)
        idle = median(1 - r["task_s"] / (slots * r["wall_s"]) for r in records)
        rows.append((rivals.BY_NAME[name].title, f"{turns.median(name, 'wall_s'):.1f}", f"{turns.median(name, 'cpu_s'):.1f}", f"{100 * idle:.0f}",
                     f"{median(figures.load_seconds(r) for r in records) * 1e3:.0f}", f"{turns.median(name, 'loads'):.0f}",
                     f"{turns.median(name, 'shuffle_bytes') / MB:.0f}",
                     f"{median(r.get('materialise_s', 0.0) for r in records):.1f}"))
    return ("approach", "wall s", "CPU s of tasks", "idle slots %", "ms per load", "loads", "shuffled MB", "writing rows by version s"), rows


def sweep_cells(content: Record) -> dict[tuple[int, int], dict[str, Record]]:
    found: dict[tuple[int, int], dict[str, Record]] = {}
    for record in content["raw"].get("sweep", []):
        found.setdefault((record["slots"], record["versions"]), {})[record["approach"]] = record
    return dict(sorted(found.items()))


def sweep_table(content: Record) -> Table:
    rows = []
    for (slots, versions), cell in sweep_cells(content).items():
        closure, stages, mine = (cell[name] for name in ("closure", "stages", "andiron-bytes"))
        needed = mine["most_in_use"]
        rows.append((str(slots), str(versions), f"{slots}", f"{needed}", f"{100 * (1 - needed / slots):.0f}", f"{closure['loads']:.0f}", f"{mine['loads']:.0f}",
                     f"{closure['wall_s']:.2f}", f"{stages['wall_s']:.2f}", f"{mine['wall_s']:.2f}",
                     f"{closure['wall_s'] / mine['wall_s']:.2f}", f"{stages['wall_s'] / mine['wall_s']:.2f}"))
    return ("slots", "versions", "copies with closures", "versions in use with Andiron", "saved %", "loads with closures", "loads with Andiron",
            "closures s", "stages s", "Andiron s", "closures / Andiron", "stages / Andiron"), rows


def talk_table(content: Record) -> Table:
    p, rows = content["parameters"], []
    minute = p["talk_minute_ms"] / 1e3
    for record in content["raw"].get("talk", []):
        rows.append((str(record["turn"] + 1), {"stages": "one stage per version", "andiron-bytes": "Andiron, bytes"}[record["approach"]],
                     f"{record['wall_s']:.2f}", f"{record['wall_s'] / minute:.0f}", f"{figures.ideal(record, p) / minute:.0f}", f"{record['loads']}"))
    return ("turn", "approach", "wall s", "in the talk's minutes", "without idle slots, one load waited for", "loads"), rows


WAYS = {"populate": "populating a mapping (the kernel alone), file just written", "inplace": "Andiron, mapped in place, file just written",
        "populate-read": "populating a mapping, file was read", "inplace-read": "Andiron, mapped in place, file was read", "cp": "`cp --reflink=never --sparse=never`",
        "local": "Andiron, copied from a local file", "stream": "Andiron, streamed through Hadoop's file system", "broadcast": "broadcast, first value"}


def rate_table(content: Record) -> Table:
    rows = []
    for what, title in WAYS.items():
        these = [r for r in content["raw"].get("rates", []) if r["what"] == what]
        if these:
            rates = [r["bytes"] / r["seconds"] / 2**30 for r in these]
            rows.append((title, f"{median(r['seconds'] for r in these) * 1e3:.1f}", f"{median(rates):.3f}", spread(rates, 3)))
    return ("way", "ms", "GB/s", "all turns"), rows


def micro_table(content: Record) -> Table:
    by = series(content["raw"].get("micro", []), "benchmark")
    return ("benchmark", "threads", "ns", "all turns"), [
        (f"`{name}`", str(turns[0]["threads"]), f"{median(r['ns'] for r in turns.values()):.2f}", ", ".join(f"{r['ns']:.2f}" for r in turns.values()))
        for name, turns in sorted(by.items())]


def lacks(content: Record) -> list[str]:
    """The parts and approaches that a run lacks for publication."""
    there = Turns(content["raw"].get("approaches", [])).names()
    return SECTION.lacking(content) + [approach.name for approach in rivals.ALL if approach.name not in there]


SECTION = Section(
    "cache",
    {"approaches": figures.approaches, "sweep": lambda records, content: [], "talk": figures.talk, "rates": figures.rates,
     "kills": lambda records, content: figures.kills(records, content) + figures.left(content["raw"]), "micro": figures.micro},
    machine,
    {"approaches": approach_table, "parts": part_table, "sweep": sweep_table, "talk": talk_table, "rates": rate_table, "micro": micro_table},
    charts=charts, wrong=figures.wrong, lacks=lacks, facts=(*FACTS, "runs"))
