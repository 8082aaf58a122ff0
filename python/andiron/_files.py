"""A version's bytes as a file object, for libraries that read files."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Optional

from andiron.errors import BAD_ARGUMENT, ArgumentError

if TYPE_CHECKING:
    from andiron._bytes import Bytes


class BytesFile(io.BufferedIOBase):
    """A binary file object for reading. It returns copies, and every call checks the lease. For one thread."""

    def __init__(self, value: Bytes) -> None:
        self._value = value
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: Optional[int] = -1, /) -> bytes:
        return self._next(size).tobytes()

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def readinto(self, buffer: Any, /) -> int:
        into = memoryview(buffer).cast("B")
        part = self._next(len(into))
        into[: len(part)] = part
        return len(part)

    def readinto1(self, buffer: Any, /) -> int:
        return self.readinto(buffer)

    def readline(self, size: Optional[int] = -1, /) -> bytes:
        whole = self._whole()
        end = len(whole) if size is None or size < 0 else min(len(whole), self._at + size)
        # The mapping itself, or empty bytes.
        found = whole.obj.find(b"\n", self._at, end)  # type: ignore[attr-defined]
        return self.read((end if found < 0 else found + 1) - self._at) if self._at < end else b""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        whole = self._whole()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(whole)}.get(whence)
        if base is None or base + offset < 0:
            raise ArgumentError(f"{self._value!r}: there is no position {offset} by {whence}", BAD_ARGUMENT)
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        self._whole()
        return self._at

    def _whole(self) -> memoryview:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self._value.view()

    def _next(self, size: Optional[int]) -> memoryview:
        whole = self._whole()
        end = len(whole) if size is None or size < 0 else self._at + size
        part = whole[self._at : end]
        self._at += len(part)
        return part
