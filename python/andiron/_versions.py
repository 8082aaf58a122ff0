"""Creation of catalogs on the driver."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from os import PathLike, fsdecode
from pathlib import Path
from typing import Any, Optional, Union

from andiron._catalog import Catalog
from andiron._names import fault, shown
from andiron._session import java, java_session
from andiron.errors import BAD_ARGUMENT, ArgumentError, calling


@dataclass(frozen=True)
class Version:
    """One immutable snapshot of a dataset.

    `source` is a `pathlib.Path`, or a path or URI for Hadoop's file systems, which do not decode `%20`. `bytes`, its
    size, and `checksum` (`xxh3:`, `crc32:` or `sha256:` with hexadecimal digits) are verified during the load.
    `immutable` declares a local file that is never truncated or rewritten, so that it is mapped in place.
    """

    name: str
    source: Union[str, PathLike[str]]
    bytes: Optional[int] = None
    checksum: Optional[str] = None
    immutable: bool = False


Sources = Union[Mapping[str, Union[str, "PathLike[str]"]], Iterable[Version]]


def catalog(spark: Any, dataset: str, versions: Sources, files: bool = False) -> Catalog:
    """The catalog of a dataset, from a mapping of version names to sources, or from Versions.

    With `files` each version is a file or a directory that keeps its name, for libraries that open files themselves:
    `cursor.path(version)`.

    Only the list is sent to the executors, not the data. Every source is looked up unless its size and checksum are
    both declared. Raises a SettingError without the jar or the plugin, a SourceError if a source is missing, and a
    ConnectError over Spark Connect.
    """
    what = "a catalog"
    session = java_session(spark, what)
    if not isinstance(dataset, str) or not dataset:
        raise ArgumentError(f"the name of a dataset is a str, not {dataset!r}", BAD_ARGUMENT)
    _require_text("the name of a dataset", dataset)
    driver = java(spark, "PythonDriver", what)
    listed = json.dumps([asdict(version) for version in _listed(dataset, versions)])
    handle = calling(driver.catalog, session, dataset, listed, bool(files))
    told = json.loads(calling(driver.describe, handle))
    return Catalog(told["catalog"], dataset, tuple(told["versions"]), 0, None, driver, handle, bool(files))


def _listed(dataset: str, versions: Sources) -> list[Version]:
    if isinstance(versions, Mapping):
        return [_checked(dataset, Version(name, source)) for name, source in versions.items()]
    try:
        return [_checked(dataset, version) for version in versions]
    except TypeError as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"the versions of dataset '{dataset}' are sources by name, or Versions, not {versions!r}", BAD_ARGUMENT) from None


def _source(dataset: str, name: str, source: object) -> str:
    """The source for Hadoop. Hadoop does not decode URIs, so a path is passed unescaped."""
    if isinstance(source, PathLike):
        source = f"file://{Path(fsdecode(source)).absolute()}"
    if not isinstance(source, str):
        raise ArgumentError(f"the source of version {shown(name)!r} of dataset '{dataset}' is a str or a path, not {source!r}", BAD_ARGUMENT)
    _require_text(f"the source of version {shown(name)!r} of dataset '{dataset}'", source)
    return source


def _checked(dataset: str, version: object) -> Version:
    if not isinstance(version, Version):
        raise ArgumentError(f"dataset '{dataset}' has {version!r} in its list, which is not a Version", BAD_ARGUMENT)
    if not isinstance(version.name, str):
        raise ArgumentError(
            f"the name of version {version.name!r} of dataset '{dataset}' must be a str, not {type(version.name).__name__}: name it as Spark's cast to string "
            f"writes it, '{version.name}'; rows may have other types", BAD_ARGUMENT)
    _require_text(f"the name of a version of dataset '{dataset}'", version.name)
    fields: list[tuple[str, object, tuple[type, ...]]] = [
        ("bytes", version.bytes, (Integral, type(None))), ("checksum", version.checksum, (str, type(None))), ("immutable", version.immutable, (bool,))]
    for field, value, kinds in fields:
        if not isinstance(value, kinds) or (field == "bytes" and isinstance(value, bool)):
            raise ArgumentError(f"version {shown(version.name)!r} of dataset '{dataset}' has {value!r} as its {field}", BAD_ARGUMENT)
    size = None if version.bytes is None else int(version.bytes)
    return replace(version, name=str(version.name), source=_source(dataset, version.name, version.source), bytes=size)


def _require_text(what: str, text: str) -> None:
    why = fault(text)
    if why is not None:
        raise ArgumentError(f"{what}, {shown(text)!r}, {why}", BAD_ARGUMENT)
