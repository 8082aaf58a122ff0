#!/usr/bin/env python3
"""Figures of the source tree at two commits: lines, files, circles of imports, names, prose, dependencies, targets.

    ci/house.py BEFORE [AFTER]

Checks each commit out into a temporary work tree, counts, and writes docs/data/house.json and the table of docs/evidence/house.md.
AFTER is HEAD by default. `ci/house.py --check` renders the table from docs/data/house.json and fails if the document has another one.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA, DOCUMENT = ROOT / "docs/data/house.json", ROOT / "docs/evidence/house.md"
LANGUAGES = {".rs": "Rust", ".scala": "Scala", ".java": "Java", ".py": "Python"}
HARNESS = ("ci/", "bench/", "checks/", "demo/", "harness/", *(f"jvm/src/{name}/" for name in ("atlas", "bench", "cluster", "demo", "faults", "services")))
TESTS = ("tests/", "native/tests/", "native/benches/", "native/examples/", "jvm/src/test/")
BEGIN, END = "<!-- begin house -->", "<!-- end house -->"


def git(*arguments: str, root: Path = ROOT) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def kind(path: str) -> str:
    """`harness`, `tests` or `product`. Tests inside a file of the product count as product."""
    if path.startswith(HARNESS):
        return "harness"
    is_test = path.startswith(TESTS) or path.startswith("native/src/") and re.search(r"(^|[/_])tests?(/|\.rs$)|_tests\.rs$", path)
    return "tests" if is_test else "product"


def dependencies(root: Path) -> dict[str, int]:
    """The numbers of direct dependencies: of the library, of its build and of its tests."""
    text = (root / "native/Cargo.toml").read_text()
    sections = re.split(r"^\[", text, flags=re.MULTILINE)
    count = {section.split("]")[0]: len(re.findall(r"^[\w-]+ *=", section.partition("\n")[2], re.MULTILINE)) for section in sections}
    return {"library": count["dependencies"], "build": count["build-dependencies"], "tests": count["dev-dependencies"]}


def targets(root: Path) -> int:
    """The number of rules in the Makefile; a pattern rule counts as one."""
    rules = set()
    for line in (root / "Makefile").read_text().splitlines():
        if match := re.match(r"^([a-z][\w %-]*):(?!=)(?! *[A-Z_]+ *\?=)", line):
            rules.update(match[1].split())
    return len(rules)


def figures(revision: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            paths = git("ls-files", root=tree).splitlines()
            lines: dict[str, dict[str, int]] = {}
            sizes: dict[str, list[int]] = {}
            for path in paths:
                if language := LANGUAGES.get(Path(path).suffix):
                    count = (tree / path).read_text(errors="replace").count("\n")
                    of = lines.setdefault(kind(path), {})
                    of[language] = of.get(language, 0) + count
                    sizes.setdefault(language, []).append(count)
            house = subprocess.run(["cargo", "run", "-q", "--locked", "-p", "andiron-tests", "--example", "house", "--", str(tree)],
                                   cwd=ROOT, check=True, capture_output=True, text=True)
            return {
                "commit": git("rev-parse", "--short", revision),
                "lines": {name: dict(sorted(of.items())) for name, of in sorted(lines.items())},
                "files": {language: {"files": len(of), "median": int(statistics.median(of)), "p90": sorted(of)[len(of) * 9 // 10], "largest": max(of)}
                          for language, of in sorted(sizes.items())},
                **json.loads(house.stdout),
                "dependencies": dependencies(tree),
                "targets": targets(tree),
            }
        finally:
            git("worktree", "remove", "--force", str(tree))


def table(data: dict[str, dict]) -> str:
    """The Markdown table of both commits."""
    before, after = data["before"], data["after"]
    rows = [("", f"`{before['commit']}`", f"`{after['commit']}`")]
    for name in ("product", "tests", "harness"):
        for language in LANGUAGES.values():
            pair = [of["lines"].get(name, {}).get(language, 0) for of in (before, after)]
            if any(pair):
                rows.append((f"lines, {name}, {language}", *(f"{count:,}" for count in pair)))
        rows.append((f"**lines, {name}**", *(f"**{sum(of['lines'].get(name, {}).values()):,}**" for of in (before, after))))
    for language in LANGUAGES.values():
        shown = ("{files}: {median}, {p90}, {largest}".format(**of["files"][language]) for of in (before, after))
        rows.append((f"{language} files: median, p90, largest lines", *shown))
    rows.append(("circles of imports (files in them)", *(f"{of['circles']} ({of['files_in_circles']})" for of in (before, after))))
    rows.append(("type names defined twice", *(str(of["type_names_twice"]) for of in (before, after))))
    for group in after["prose"]:
        where = group if group == "documents" else f"comments of {group}"
        rows.append((f"vague pronouns per 1,000 words, {where}", *(str(of["prose"].get(group, 0.0)) for of in (before, after))))
    rows.append(("direct crates: library, build, tests", *(", ".join(str(count) for count in of["dependencies"].values()) for of in (before, after))))
    rows.append(("Make targets (a pattern is one)", *(str(of["targets"]) for of in (before, after))))
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|---|--:|--:|", *body])


def rendered(data: dict[str, dict]) -> str:
    text = DOCUMENT.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:start]}\n{table(data)}\n{text[end:]}"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if rendered(json.loads(DATA.read_text())) == DOCUMENT.read_text():
            return 0
        print("docs/evidence/house.md differs from docs/data/house.json: run ci/house.py BEFORE AFTER", file=sys.stderr)
        return 1
    if not 1 <= len(arguments) <= 2:
        print(__doc__, file=sys.stderr)
        return 2
    data = {"before": figures(arguments[0]), "after": figures(arguments[1] if len(arguments) == 2 else "HEAD")}
    DATA.write_text(json.dumps(data, indent=2) + "\n")
    DOCUMENT.write_text(rendered(data))
    print(table(data))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
