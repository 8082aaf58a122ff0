"""A version's bytes in a Python worker: the executor's file, mapped read-only."""

from __future__ import annotations

import mmap
import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Union, overload

from andiron.errors import BAD_ARGUMENT, IO, RELEASED, ArgumentError, OutOfBoundsError, ReleasedError, StoreError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from andiron._cursor import Cursor

CHUNK, LARGE = 1 << 19, 4 << 20


class Bytes:
    """The bytes of one version, leased by a cursor until it moves on, is closed, or its task ends.

    Every call checks the lease and the bounds. Views and arrays that are not copies refer to the mapped pages and
    cannot be written. They stay readable after the lease, but their bytes no longer count against the budget then: do
    not keep them.
    """

    __slots__ = ("_cursor", "_label", "_memory", "_path", "version")

    def __init__(self, label: str, version: str, memory: memoryview, cursor: Cursor, path: str = "") -> None:
        self._label = label
        self._memory = memory
        self._cursor = cursor
        self._path = path
        self.version = version

    def __len__(self) -> int:
        """The version's number of bytes."""
        return len(self._leased())

    @property
    def path(self) -> Path:
        """The executor's file, read-only, for libraries that open files by name. It exists while the version is leased.

        Its name is chosen by the executor; a catalog with `files` keeps the source's name.
        """
        self._leased()
        named = os.path.realpath(self._path)
        # An unlinked file is reached only through the executor's file descriptor.
        return Path(named if os.path.exists(named) else self._path)

    def read(self, offset: Optional[int] = None, length: Optional[int] = None) -> bytes:
        """A copy of `length` bytes from `offset`, or of all bytes. One number alone is an error: for a file's `read` it
        would be a length."""
        if (offset is None) != (length is None):
            raise self._bad("read takes an offset and a length, or neither: `open()` gives a file, whose `read(n)` gives the next n bytes")
        return self.view(0 if offset is None else offset, length).tobytes()

    def open(self) -> BinaryIO:
        """A file object for reading the bytes, positioned at their start. It is valid while the version is leased."""
        from andiron._files import BytesFile

        return BytesFile(self)  # type: ignore[return-value]

    def __bytes__(self) -> bytes:
        return self.read()

    @overload
    def __getitem__(self, at: int) -> int: ...

    @overload
    def __getitem__(self, at: slice) -> bytes: ...

    def __getitem__(self, at: Union[int, slice]) -> Union[int, bytes]:
        """A byte as a number, or a copy of a slice, as for `bytes`."""
        memory = self._leased()
        if isinstance(at, slice):
            return memory[at].tobytes()
        index = self._integer(at, "an index")
        if not -len(memory) <= index < len(memory):
            raise self._outside(1, index)
        return memory[index]

    def view(self, offset: int = 0, length: Optional[int] = None) -> memoryview:
        """`length` bytes from `offset`, by default all of them; not a copy."""
        memory = self._leased()
        start = self._integer(offset, "an offset")
        count = len(memory) - start if length is None else self._integer(length, "a length")
        if start < 0 or count < 0 or start > len(memory) - count:
            raise self._outside(count, start)
        return memory[start : start + count]

    def numpy(self, dtype: Any = "u1", offset: int = 0, count: Optional[int] = None) -> np.ndarray[Any, Any]:
        """A read-only array of `count` values from `offset`, by default up to the end; not a copy."""
        import numpy as np

        kind = self._dtype(dtype)
        start = self._integer(offset, "an offset")
        if count is None:
            room = len(self.view(start))
            if room % kind.itemsize:
                raise self._bad(f"the {room} bytes from {start} are not a whole number of values of {kind.itemsize} bytes: pass a count")
            count = room // kind.itemsize
        values = self._integer(count, "a count")
        memory = self.view(start, values * kind.itemsize)
        found = np.frombuffer(memory, kind) if values else np.empty(0, kind)
        found.flags.writeable = False
        return found

    def arrow(self, offset: int = 0, length: Optional[int] = None) -> pa.Buffer:
        """An Arrow buffer on `length` bytes from `offset`, by default all of them; not a copy."""
        import pyarrow as pa

        return pa.py_buffer(self.view(offset, length))

    def records(self, offsets: Any, record: Any) -> np.ndarray[Any, Any]:
        """The records at `offsets`, an array of integers. `record` is a numpy dtype, or a number of bytes.

        The result is an array of copies in the order of the offsets.
        """
        import numpy as np

        kind = self._dtype(f"V{self._integer(record, 'a length')}" if isinstance(record, int) and not isinstance(record, bool) else record)
        try:
            at = np.asarray(offsets)
        except (TypeError, ValueError) as error:
            raise self._bad(f"offsets are an array of integers with one dimension: {error}") from error
        if at.size == 0:
            self._leased()
            return np.empty(0, kind)
        if at.ndim != 1 or at.dtype.kind not in "iu":
            raise self._bad(f"offsets are an array of integers with one dimension, not {at.ndim} of {at.dtype}")
        memory = self._leased()
        least, most = int(at.min()), int(at.max())
        if least < 0 or most > len(memory) - kind.itemsize:
            raise self._outside(kind.itemsize, least if least < 0 else most)
        at, size = at.astype("i8", copy=False), kind.itemsize
        # numpy would add the dimensions of a sub-array dtype to those of the array.
        flat: np.dtype[Any] = kind if kind.subdtype is None else np.dtype(f"V{size}")
        everywhere: np.ndarray[Any, Any] = np.ndarray((len(memory) - size + 1,), flat, memory, 0, (1,))
        made: np.ndarray[Any, Any] = _room(self._label, at.size, flat)
        # If offsets are whole records apart, `take` needs two thirds of the time of an index. It works on untyped
        # records, since it would first copy a table that is not aligned. Bounds are checked above; only the mode "clip"
        # writes in place.
        base = least % size
        table: np.ndarray[Any, Any] = np.frombuffer(memory, f"V{size}", (len(memory) - base) // size, base)
        into = made.view(f"V{size}")
        step = max(1, CHUNK // size)
        for first in range(0, at.size, step):
            part = at[first : first + step]
            ranks = (part - base) // size
            if np.array_equal(ranks * size + base, part):
                table.take(ranks, out=into[first : first + step], mode="clip")
            else:
                made[first : first + step] = everywhere[part]
        return made if flat is kind else made.view(kind)

    def arrow_records(self, offsets: Any, length: int) -> pa.FixedSizeBinaryArray:
        """The records at `offsets` as an Arrow array of `length` bytes each."""
        import pyarrow as pa

        found = self.records(offsets, self._integer(length, "a length"))
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(length), len(found), [None, pa.py_buffer(found.view("u1") if len(found) else b"")])

    def _leased(self) -> memoryview:
        if not self._cursor._leases(self):
            raise ReleasedError(f"{self._label} was released: its cursor has moved on or was closed, or its task has ended", RELEASED)
        return self._memory

    def _integer(self, value: Any, what: str) -> int:
        if isinstance(value, bool):
            raise self._bad(f"{what} is a whole number, not {value!r}")
        try:
            return operator.index(value)
        except TypeError:
            raise self._bad(f"{what} is a whole number, not {value!r}") from None

    def _dtype(self, dtype: Any) -> np.dtype[Any]:
        import numpy as np

        try:
            kind: np.dtype[Any] = np.dtype(dtype)
        except (TypeError, ValueError, SyntaxError) as error:
            raise self._bad(f"{dtype!r} is no dtype of numpy's: {error}") from error
        if kind.hasobject or kind.itemsize == 0:
            raise self._bad(f"{dtype!r} has no size in bytes")
        return kind

    def _bad(self, why: str) -> ArgumentError:
        return ArgumentError(f"{self._label}: {why}", BAD_ARGUMENT)

    def _outside(self, count: int, offset: int) -> OutOfBoundsError:
        return OutOfBoundsError(f"{self._label}: {count} bytes at {offset} are not within its {len(self._memory)}", BAD_ARGUMENT)

    def __repr__(self) -> str:
        return f"Bytes({self._label})"


def _room(label: str, count: int, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array for `count` values. Large arrays are not allocated by numpy, which asks for huge pages: they are slow in
    fragmented memory."""
    import numpy as np

    size = count * kind.itemsize
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_POPULATE", 0)
    try:
        if size < LARGE:
            return np.empty(count, kind)
        return np.ndarray((count,), kind, mmap.mmap(-1, size, flags=flags))
    except (OSError, MemoryError) as error:
        raise _no_addresses(label, f"there is no room for {size} bytes of records", error) from error


def _no_addresses(label: str, what: str, error: BaseException) -> StoreError:
    return StoreError(
        f"{label}: {what}: {error}. spark.executor.pyspark.memory limits a worker's addresses, those of mapped files included: raise it by the size "
        "of the two largest versions for each cursor and of the bytes read at once, or leave it unset", IO)


def mapped(label: str, path: str, length: int, identity: tuple[int, int]) -> memoryview:
    """Maps a whole file of the executor. If `path` is not the file with this device and inode, the lease has ended: an
    error."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ReleasedError(f"{label}: the executor's file cannot be opened: {error}", RELEASED) from error
    try:
        found = os.fstat(file)
        if (found.st_dev, found.st_ino, found.st_size) != (*identity, length):
            raise ReleasedError(f"{label} was released while it was being mapped: its task has ended", RELEASED)
        # A mapping must have at least one byte.
        return memoryview(mmap.mmap(file, length, mmap.MAP_SHARED, mmap.PROT_READ) if length else b"")
    except (OSError, MemoryError) as error:
        raise _no_addresses(label, f"its {length} bytes cannot be mapped", error) from error
    finally:
        os.close(file)
