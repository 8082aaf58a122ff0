"""Datasets and their versions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Optional, Union

from andiron._session import java, java_session
from andiron.cursor import Cursor
from andiron.errors import BAD_ARGUMENT, RELEASED, ArgumentError, ReleasedError, calling


@dataclass(frozen=True)
class Version:
    """One immutable snapshot of a dataset.

    `source` is a URI that Hadoop's file systems can read. `bytes`, its size, and `checksum` (`xxh3:`, `crc32:` or `sha256:` with hexadecimal
    digits) are verified while it is loaded. `immutable`: a local file that nobody will ever truncate or rewrite, to be mapped where it is.
    """

    name: str
    source: str
    bytes: Optional[int] = None
    checksum: Optional[str] = None
    immutable: bool = False


Sources = Union[Mapping[str, Union[str, "PathLike[str]"]], Iterable[Version]]


class Catalog:
    """The list of a dataset's versions, which functions take along to the workers. Made by andiron.catalog on the driver."""

    def __init__(self, id: str, dataset: str, versions: tuple[str, ...], driver: Any = None, handle: Any = None) -> None:
        self.id = id
        self.dataset = dataset
        self.versions = versions
        """The names, in the order of their UTF-8 bytes: sort rows by version within partitions, and a task meets them in this order."""
        self._known = frozenset(versions)
        self._driver, self._handle = driver, handle

    def cursor(self) -> Cursor:
        """A cursor for the task that runs in this worker. An error outside any task."""
        return Cursor(self)

    def __contains__(self, version: object) -> bool:
        return isinstance(version, str) and version in self._known

    def demand(self, tasks: Mapping[str, int]) -> None:
        """Tells how many tasks are still expected to want each version: what is wanted least goes first when room is needed. On the driver."""
        driver = self._on_driver("demand")
        for name, count in tasks.items():
            if isinstance(count, bool) or not isinstance(count, int):
                raise ArgumentError(f"the demand of version '{name}' of dataset '{self.dataset}' is a whole number, not {count!r}", BAD_ARGUMENT)
        calling(driver.demand, self._handle, json.dumps(dict(tasks)))

    def close(self) -> None:
        """Ends the catalog: what is leased goes with its last lease, everything else at once. On the driver. Idempotent."""
        calling(self._on_driver("close").close, self._handle)

    def _on_driver(self, what: str) -> Any:
        if self._driver is None:
            raise ReleasedError(f"{what} of dataset '{self.dataset}' was called in a worker: call it on the driver", RELEASED)
        return self._driver

    def __reduce__(self) -> tuple[Any, ...]:
        return Catalog, (self.id, self.dataset, self.versions)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Catalog({self.dataset!r}, {len(self.versions)} versions)"


def catalog(spark: Any, dataset: str, versions: Sources) -> Catalog:
    """The catalog of a dataset, from sources by their versions' names, or from Versions.

    Only the list goes to the executors, not the data. Looks up every source whose size and checksum are not both declared. Raises a
    SettingError without the jar or the plugin, a SourceError if a source is missing, a ConnectError over Spark Connect.
    """
    what = "a catalog"
    session = java_session(spark, what)
    if not isinstance(dataset, str) or not dataset:
        raise ArgumentError(f"a dataset is named by a str, not by {dataset!r}", BAD_ARGUMENT)
    driver = java(spark, "PythonDriver", what)
    listed = json.dumps([asdict(version) for version in _listed(dataset, versions)])
    handle = calling(driver.catalog, session, dataset, listed)
    told = json.loads(calling(driver.describe, handle))
    return Catalog(told["catalog"], dataset, tuple(told["versions"]), driver, handle)


def _listed(dataset: str, versions: Sources) -> list[Version]:
    if isinstance(versions, Mapping):
        return [_checked(dataset, Version(name, _uri(dataset, name, source))) for name, source in versions.items()]
    try:
        return [_checked(dataset, version) for version in versions]
    except TypeError as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"the versions of dataset '{dataset}' are sources by name, or Versions, not {versions!r}", BAD_ARGUMENT) from None


def _uri(dataset: str, name: str, source: object) -> str:
    if isinstance(source, PathLike):
        return Path(fspath(source)).absolute().as_uri()
    if not isinstance(source, str):
        raise ArgumentError(f"the source of version {name!r} of dataset '{dataset}' is a str or a path, not {source!r}", BAD_ARGUMENT)
    return source


def _checked(dataset: str, version: object) -> Version:
    if not isinstance(version, Version):
        raise ArgumentError(f"dataset '{dataset}' has {version!r} in its list, which is no Version", BAD_ARGUMENT)
    fields: list[tuple[str, object, tuple[type, ...]]] = [
        ("name", version.name, (str,)), ("source", version.source, (str,)), ("bytes", version.bytes, (int, type(None))),
        ("checksum", version.checksum, (str, type(None))), ("immutable", version.immutable, (bool,))]
    for field, value, kinds in fields:
        if not isinstance(value, kinds) or (field == "bytes" and isinstance(value, bool)):
            raise ArgumentError(f"version {version.name!r} of dataset '{dataset}' has {value!r} as its {field}", BAD_ARGUMENT)
    return version
