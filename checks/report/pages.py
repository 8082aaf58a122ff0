"""Renders pages of the report, and pictures of them.

    python3 -m checks.report.pages [DIRECTORY]           pages made from fixtures, and pictures; build/report by default
    python3 -m checks.report.pages --document [HEIGHT]   docs/images/report.png: the top of the page of `make demo`'s run that fails
    python3 -m checks.report.pages --pictures PAGE ...   pictures of other pages, beside them
"""

import os
import subprocess
import sys
from pathlib import Path

from checks.report.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
DEMO_PAGE = ROOT / "build/demo/report-steps-failing.html"
DOCUMENT_HEIGHT = 1270
NAMES = ("failing", "passing", "wide", "hostile", "empty")
#: Name, width and height of the window, whether it uses the dark theme, whether it is a phone.
WINDOWS = (("desktop", 1280, 900, False, False), ("dark", 1280, 900, True, False), ("phone", 390, 844, False, True))


def make(folder: Path) -> dict[str, Path]:
    """Renders the pages and returns them by name."""
    command = ["cargo", "run", "--quiet", "--locked", "-p", "andiron", "--example", "report_pages", "--", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return {name: folder / f"{name}.html" for name in NAMES}


def pictures(browser: Browser, name: str, page: Path, folder: Path) -> None:
    """Pictures of the whole page in every window."""
    for window, width, height, dark, phone in WINDOWS:
        browser.open(page, width, height, dark, phone)
        browser.picture(folder / f"{name}-{window}.png", whole=True)


def document(height: int) -> None:
    """Renders the picture for the documents."""
    if not DEMO_PAGE.is_file():
        raise SystemExit(f"no {DEMO_PAGE.relative_to(ROOT)}: run `make demo`")
    with Browser() as browser:
        browser.open(DEMO_PAGE, 1280, 900)
        browser.picture(ROOT / "docs/images/report.png", height=height)


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--document"]:
        document(int(arguments[1]) if arguments[1:] else DOCUMENT_HEIGHT)
        return 0
    if arguments[:1] == ["--pictures"]:
        with Browser() as browser:
            for page in map(Path, arguments[1:]):
                pictures(browser, page.stem, page, page.parent)
        return 0
    folder = Path(arguments[0]) if arguments else ROOT / "build/report"
    made = make(folder)
    with Browser() as browser:
        for name, page in made.items():
            pictures(browser, name, page, folder)
    print(f"pages and pictures in {os.path.relpath(folder, ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
