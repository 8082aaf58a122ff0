"""A task's place in a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from andiron._channel import Channel
from andiron._bytes import Bytes, mapped
from andiron.errors import BAD_ARGUMENT, RELEASED, ArgumentError, ReleasedError, UnknownVersionError

if TYPE_CHECKING:
    import numpy as np

    from andiron._catalog import Catalog

UNKNOWN, NULL = 100, 101
UNSIGNED = (1 << 64) - 1


class Cursor:
    """Holds at most one version and moves from one to the next. For one thread of one task.

    The executor leases for the task: everything is released when the task ends, in whatever way, also if this worker is killed. `close` does
    it earlier. A cursor that is used in another task than its own raises a ReleasedError.
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

    def advance(self, version: str) -> Bytes:
        """The version's bytes, leased until the next call with another version.

        Releases the version before, then waits until this one is loaded and fits the budget. The same version again costs a comparison.
        Raises an UnknownVersionError (nothing is released then), a LoadError, SourceError or StoreError if it cannot be loaded, a
        BudgetError if it never fits, a ReleasedError after the end of the task.
        """
        current = self._current
        if current is not None and isinstance(version, str) and current.version == version and self._is_mine():
            return current
        return self._move(version)

    def lookup(self, version: str, offset: int, length: int) -> bytes:
        """A copy of `length` bytes of the version from `offset` on."""
        return self.advance(version).read(offset, length)

    def records(self, version: str, offsets: Any, record: Any) -> np.ndarray[Any, Any]:
        """What stands at each of `offsets` in the version; see Bytes.records."""
        return self.advance(version).records(offsets, record)

    def contains(self, version: object) -> bool:
        """Whether the catalog has the version, which may be None."""
        return version in self._catalog

    def release(self) -> None:
        """Releases the version that is held; the cursor can be used on."""
        self._current = None
        if self._channel is not None and self._is_mine():
            self._channel.ask(op="release")

    def close(self) -> None:
        """Releases the version that is held and ends the cursor. Idempotent."""
        self._current = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _move(self, version: str) -> Bytes:
        if self._channel is None or not self._is_mine():
            raise ReleasedError(
                f"a cursor of dataset '{self._catalog.dataset}' was asked for version {version!r}, but it is closed, or its task "
                f"{self._task} has ended: make one in each task", RELEASED)
        self._require_known(version)
        self._current = None
        label = f"version '{version}' of dataset '{self._catalog.dataset}'"
        file = self._channel.ask(op="advance", version=version)
        memory = mapped(label, file["path"], file["length"], _identity(file))
        self._current = Bytes(label, version, memory, self)
        return self._current

    def _leases(self, which: Bytes) -> bool:
        return self._current is which and self._is_mine()

    def _require_known(self, version: object) -> None:
        dataset = self._catalog.dataset
        if _is_null(version):
            raise UnknownVersionError(f"a row names no version of dataset '{dataset}' ({version!r}): leave such rows out", NULL)
        if not isinstance(version, str):
            raise ArgumentError(f"a version of dataset '{dataset}' is named by a str, not by {version!r} ({type(version).__name__})", BAD_ARGUMENT)
        if version not in self._catalog:
            names = self._catalog.versions
            known = ", ".join(names if len(names) <= 8 else (*names[:4], "...", *names[-3:]))
            raise UnknownVersionError(
                f"dataset '{dataset}' has no version '{version}'; it has {len(names)}: {known}. Add it to the catalog, or correct the rows", UNKNOWN)

    def _is_mine(self) -> bool:
        return _task() == self._task

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _is_null(version: object) -> bool:
    """Whether it is None, or what pandas has in its place: NaN, NaT or NA."""
    kind = type(version)
    missing = kind.__module__.startswith("pandas.") and kind.__name__ in ("NAType", "NaTType")
    return version is None or missing or (isinstance(version, float) and version != version)


def _identity(file: dict[str, Any]) -> tuple[int, int]:
    """Device and inode as `os.stat` tells them, of numbers with signs: Java has no others."""
    return file["device"] & UNSIGNED, file["inode"] & UNSIGNED


def _task() -> Optional[int]:
    """Spark's id of the task attempt that runs in this worker; None outside any task."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return None if context is None else context.taskAttemptId()
