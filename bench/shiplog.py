"""A second reader of ship logs, independent of Andiron's: it implements docs/internals/wire-format.md only."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"\x89ANDLOG\n"
MARKER = b"\xfe\xc1\xff\xc0"
HEAD = struct.Struct("<4sBxHIQQI")
KINDS = {1: "Application", 2: "Metric", 3: "Failure", 4: "Stage", 5: "Job", 6: "Execution", 7: "Verdict", 8: "LogLine", 9: "Health", 10: "Gate"}
TIME = "ts_ms"


@dataclass(frozen=True)
class Event:
    kind: str
    id: str
    revision: int
    body: dict[str, Any]


def events(folder: Path) -> Iterator[Event]:
    """All events of an application's log, in order. Raises for an incomplete record, since the application must have ended."""
    for segment in sorted(folder.glob("segment-*.log")):
        yield from _segment(segment)


def _segment(file: Path) -> Iterator[Event]:
    data = file.read_bytes()
    if data[:8] != MAGIC:
        raise ValueError(f"{file} is no segment of a log")
    at = int.from_bytes(data[10:12], "little")
    while at < len(data):
        marker, kind, id_bytes, body_bytes, _, revision, checksum = HEAD.unpack_from(data, at)
        end = at + HEAD.size + id_bytes + body_bytes
        if marker != MARKER or checksum != zlib.crc32(data[at : at + HEAD.size - 4]):
            raise ValueError(f"{file} has no record at byte {at}")
        if int.from_bytes(data[end : end + 4], "little") != zlib.crc32(data[at:end]):
            raise ValueError(f"the record at byte {at} of {file} has another checksum")
        if kind in KINDS:
            body = at + HEAD.size + id_bytes
            yield Event(KINDS[kind], data[body - id_bytes : body].decode(), revision, json.loads(data[body:end]))
        at = end + 4


def unchanged(all_events: list[Event]) -> list[Event]:
    """The revisions that differ from their predecessors only in the time."""
    last: dict[str, dict[str, Any]] = {}
    found = []
    for event in all_events:
        body = {key: value for key, value in event.body.items() if key != TIME}
        if last.get(event.id) == body:
            found.append(event)
        last[event.id] = body
    return found
