"""A task's cursor on a dataset."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from andiron._channel import Channel
from andiron._bytes import Bytes, mapped
from andiron._names import candidates, flat, is_null, shown
from andiron.errors import BAD_ARGUMENT, RELEASED, ArgumentError, ReleasedError, UnknownVersionError

if TYPE_CHECKING:
    import numpy as np

    from andiron._catalog import Catalog

UNKNOWN, NULL = 100, 101
UNSIGNED = (1 << 64) - 1
_warned: set[str] = set()
"""The datasets for which this worker has warned that rows are not sorted."""


class Cursor:
    """Leases at most one version at a time and moves from one to the next. For one thread of one task.

    The lease belongs to the task: it is released when the task ends for any reason, including the death of this worker,
    or earlier by `close`. A cursor raises a ReleasedError in any other task.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._task = _task()
        if self._task is None:
            raise ReleasedError(
                f"a cursor of dataset '{catalog.dataset}' works in a task only: make it in the function that mapInPandas, mapInArrow or "
                "mapPartitions runs", RELEASED)
        self._channel: Optional[Channel] = Channel(catalog.dataset, catalog.id, catalog._hints, self._task)
        self._current: Optional[Bytes] = None
        self._located: Optional[tuple[str, Path]] = None
        self._left: set[str] = set()

    def advance(self, version: object) -> Bytes:
        """The version's bytes, leased until the next call with another version. A value that is not a str is converted
        as by Spark's cast to string.

        Releases the previous version, then waits until this one is loaded and fits the budget. The same version again
        costs one comparison. Raises an UnknownVersionError (the previous version stays leased), a LoadError,
        SourceError or StoreError if it cannot be loaded, a BudgetError if it does not fit in time, and a ReleasedError
        after the end of the task.
        """
        current = self._current
        if current is not None and type(version) is str and current.version == version and self._is_mine():
            return current
        return self._move(version)

    def by_version(self, batch: Any, column: str) -> Iterator[tuple[Bytes, Any]]:
        """The rows of each version in a pandas DataFrame, or an Arrow RecordBatch or Table, each with the version's
        bytes, leased until the next item.

        `column` holds the version. Rows whose version is null or unknown raise an UnknownVersionError, or are dropped
        and counted if the catalog has `missing("skip")`.
        """
        from andiron._batches import parts

        known: dict[str, list[Any]] = {}
        for version, rows in parts(batch, column, self._catalog.dataset):
            name = self._catalog._named(version)
            if name is not None:
                known.setdefault(name, []).append(rows)
            elif self._catalog._skipped is not None and (is_null(flat(version)) or candidates(flat(version))):
                self._catalog._skipped.add(len(rows()))
            else:
                self._refuse(version)
        # In the order of the rows, except that the version that is already leased comes first.
        held = None if self._current is None else self._current.version
        for name in sorted(known, key=lambda name: name != held):
            for rows in known[name]:
                yield self.advance(name), rows()

    def path(self, version: object) -> Path:
        """The path of the version's file or directory, leased as by `advance`; for libraries that open files by name.

        For a catalog with `files` it has the source's name; for others it is `advance(version).path`.
        """
        if not self._catalog.files:
            return self.advance(version).path
        channel, name = self._require_open(version)
        located = self._located
        if located is None or located[0] != name:
            self._located = None
            located = self._located = name, Path(channel.ask(op="advance", version=name)["path"])
        return located[1]

    def lookup(self, version: object, offset: int, length: int) -> bytes:
        """A copy of `length` bytes of the version from `offset`."""
        return self.advance(version).read(offset, length)

    def records(self, version: object, offsets: Any, record: Any) -> np.ndarray[Any, Any]:
        """The records at `offsets` in the version; see Bytes.records."""
        return self.advance(version).records(offsets, record)

    def contains(self, version: object) -> bool:
        """Whether the catalog has the version; False for None."""
        return version in self._catalog

    def release(self) -> None:
        """Releases the leased version; the cursor remains usable."""
        self._current = self._located = None
        if self._channel is not None and self._is_mine():
            self._channel.ask(op="release")

    def close(self) -> None:
        """Releases the leased version and closes the cursor. Idempotent."""
        self._current = self._located = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _require_open(self, version: object) -> tuple[Channel, str]:
        """The channel, and the version's name."""
        if self._channel is None or not self._is_mine():
            raise ReleasedError(
                f"a cursor of dataset '{self._catalog.dataset}' was asked for version {shown(version)!r}, but it is closed, or its task "
                f"{self._task} has ended: make one in each task", RELEASED)
        name = self._catalog._named(version)
        if name is None:
            self._refuse(version)
        return self._channel, name

    def _move(self, version: object) -> Bytes:
        channel, name = self._require_open(version)
        if self._catalog.files:
            raise ArgumentError(f"dataset '{self._catalog.dataset}' has files that keep their names, not bytes: use cursor.path", BAD_ARGUMENT)
        current = self._current
        if current is not None:
            if current.version == name:
                return current
            self._left.add(current.version)
        self._current = None
        if name in self._left:
            self._unsorted(name)
        label = f"version '{shown(name)}' of dataset '{self._catalog.dataset}'"
        file = channel.ask(op="advance", version=name)
        memory = mapped(label, file["path"], file["length"], _identity(file))
        self._current = Bytes(label, name, memory, self, file["path"])
        return self._current

    def _unsorted(self, name: str) -> None:
        """Warns once in this worker that its rows return to an earlier version: nothing else shows the cost."""
        dataset = self._catalog.dataset
        if dataset not in _warned:
            _warned.add(dataset)
            warnings.warn(
                f"rows are not sorted by version: a batch or partition holds several versions of dataset '{dataset}', and task {self._task} has returned to "
                f"version '{shown(name)}' after others. Each move waits for a lease, and may load the version again: sortWithinPartitions by the version",
                RuntimeWarning, stacklevel=4)

    def _leases(self, which: Bytes) -> bool:
        return self._current is which and self._is_mine()

    def _refuse(self, version: object) -> NoReturn:
        """Raises the error for a version that the catalog does not have."""
        dataset, value = self._catalog.dataset, flat(version)
        advice = "or let `by_version` drop such rows with catalog.missing('skip')"
        if is_null(value):
            raise UnknownVersionError(f"a row names no version of dataset '{dataset}' ({value!r}): leave such rows out, {advice}", NULL)
        names = candidates(value)
        if not names:
            raise ArgumentError(
                f"a version of dataset '{dataset}' must be a str, or an int or date that Spark casts to one, not {shown(repr(value))} "
                f"({type(value).__name__}): cast the column by col.cast('string')", BAD_ARGUMENT)
        have = self._catalog.versions
        known = ", ".join(map(shown, have if len(have) <= 8 else (*have[:4], "...", *have[-3:])))
        raise UnknownVersionError(
            f"dataset '{dataset}' has no version '{shown(names[0])}'; it has {len(have)}: {known}. Add it to the catalog, correct the rows, {advice}", UNKNOWN)

    def _is_mine(self) -> bool:
        return _task() == self._task

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _identity(file: dict[str, Any]) -> tuple[int, int]:
    """Device and inode as unsigned numbers, as in `os.stat`; Java sends them as signed ones."""
    return file["device"] & UNSIGNED, file["inode"] & UNSIGNED


def _task() -> Optional[int]:
    """Spark's id of the current task attempt of this worker; None outside any task."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return None if context is None else context.taskAttemptId()
