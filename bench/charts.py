"""Charts of horizontal bars and of lines as SVG text. The same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABELS, ROW = 860, 320, 26
LINES = 620, 380
"""Width and height of a chart with lines."""
INK, RULE = "#24292f", "#d0d7de"
COLOURS = ("#0969da", "#bf3989", "#1a7f37", "#9a6700", "#8250df", "#cf222e")
OURS, THEIRS = "#0969da", "#8c959f"


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    text: str
    ours: bool = False


@dataclass(frozen=True)
class Line:
    label: str
    points: Sequence[tuple[float, float]]


def bars(title: str, items: Sequence[Bar], marks: Sequence[tuple[float, str]] = ()) -> str:
    """A chart with one bar per item; `marks` are dashed vertical lines with a text below."""
    most = max([item.value for item in items] + [at for at, _ in marks] + [1e-9])
    room = WIDTH - LABELS - 110
    height = 60 + ROW * len(items) + (20 if marks else 0)
    parts = [_open(WIDTH, height, title)]
    for i, item in enumerate(items):
        y = 44 + ROW * i
        length = max(0.0, item.value) / most * room
        parts.append(_text(LABELS - 8, y + 14, item.label, anchor="end"))
        parts.append(f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{ROW - 8}" fill="{OURS if item.ours else THEIRS}"/>')
        parts.append(_text(LABELS + length + 6, y + 14, item.text))
    for at, text in marks:
        x = LABELS + at / most * room
        bottom = 44 + ROW * len(items)
        parts.append(f'<line x1="{x:.1f}" y1="38" x2="{x:.1f}" y2="{bottom}" stroke="{INK}" stroke-dasharray="4 3"/>')
        parts.append(_text(x, bottom + 16, text, anchor="middle"))
    return "\n".join([*parts, "</svg>", ""])


def lines(title: str, x_name: str, y_name: str, items: Sequence[Line], markers: bool = True) -> str:
    """A chart with one line per item; both axes start at 0. `markers`: a dot at each point."""
    (width, height), (left, top, right, bottom) = LINES, (60, 44, 430, 320)
    points = [point for item in items for point in item.points]
    most_x, most_y = max(x for x, _ in points), max(y for _, y in points)
    parts = [_open(width, height, title)]
    for i in range(6):
        y = bottom - (bottom - top) * i / 5
        x = left + (right - left) * i / 5
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{RULE}"/>')
        parts.append(_text(left - 6, y + 4, f"{most_y * i / 5:.3g}", anchor="end"))
        parts.append(_text(x, bottom + 18, f"{most_x * i / 5:.3g}", anchor="middle"))
    for i, item in enumerate(items):
        colour = COLOURS[i % len(COLOURS)]
        placed = [(left + x / most_x * (right - left), bottom - y / most_y * (bottom - top)) for x, y in item.points]
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed if markers]
        parts.append(f'<rect x="{right + 20}" y="{top + 22 * i}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(right + 38, top + 11 + 22 * i, item.label))
    parts.append(_text((left + right) / 2, height - 14, x_name, anchor="middle"))
    parts.append(_text(left, top - 8, y_name))
    return "\n".join([*parts, "</svg>", ""])


def stacked(parts: Sequence[str]) -> str:
    """Charts with lines, one below the other."""
    (width, height), inner = LINES, [part[part.index("\n") + 1 : part.rindex("</svg>")] for part in parts]
    groups = "".join(f'<g transform="translate(0,{height * i})">\n{part}</g>\n' for i, part in enumerate(inner))
    return f"{_svg(width, height * len(parts))}\n{groups}</svg>\n"


def _svg(width: int, height: int) -> str:
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="sans-serif" font-size="13" fill="{INK}" role="img">')


def _open(width: int, height: int, title: str) -> str:
    return (f'{_svg(width, height)}\n<title>{escape(title)}</title>\n'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{_text(12, 22, title, weight="bold")}')


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
