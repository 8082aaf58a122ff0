"""A dataset's versions, as functions carry them to workers. This module imports little, since every worker imports
it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from numbers import Integral
from typing import Any, Optional

from andiron._cursor import Cursor
from andiron._names import candidates, flat
from andiron.errors import BAD_ARGUMENT, RELEASED, ArgumentError, ReleasedError, calling


class Catalog:
    """The list of a dataset's versions, which functions carry to the workers. Created by andiron.catalog on the
    driver."""

    def __init__(
        self, id: str, dataset: str, versions: tuple[str, ...], hints: int = 0, skipped: Any = None, driver: Any = None, handle: Any = None,
        files: bool = False,
    ) -> None:
        self.id = id
        self.dataset = dataset
        self.versions = versions
        """The names, in the order of their UTF-8 bytes. A task whose rows are sorted by version reads them in this
        order."""
        self.files = files
        """Whether its versions are files that keep their names (`cursor.path`) instead of bytes."""
        self._known = frozenset(versions)
        # The number of calls of `demand`: an executor with an older copy of the catalog fetches it again from the
        # driver.
        self._hints = hints
        # Counts the rows that `by_version` drops; None if it drops none.
        self._skipped = skipped
        self._driver, self._handle, self._hinting = driver, handle, threading.Lock()

    def missing(self, policy: str) -> Catalog:
        """The same catalog with another policy for rows whose version is null or unknown. `fail`, the default, raises
        an UnknownVersionError; with `skip` `cursor.by_version` drops such rows and counts them. On the driver. Both
        catalogs are closed together.
        """
        driver = self._on_driver("missing")
        if policy not in ("fail", "skip"):
            raise ArgumentError(f"rows of dataset '{self.dataset}' without a known version can fail or skip, not {policy!r}", BAD_ARGUMENT)
        return Catalog(self.id, self.dataset, self.versions, self._hints, _counter() if policy == "skip" else None, driver, self._handle, self.files)

    @property
    def skipped_rows(self) -> int:
        """The number of rows that `missing("skip")` has dropped. Rows of tasks that ran twice may count twice, as in
        Spark's accumulators. On the driver."""
        self._on_driver("skipped_rows")
        return 0 if self._skipped is None else int(self._skipped.value)

    def cursor(self) -> Cursor:
        """A cursor for the current task of this worker. Raises a ReleasedError outside any task."""
        return Cursor(self)

    def __contains__(self, version: object) -> bool:
        return self._named(version) is not None

    def _named(self, version: object) -> Optional[str]:
        """The name of the version that a row's value stands for; None if the catalog has none. An error if it is
        ambiguous."""
        if type(version) is str:
            return version if version in self._known else None
        found = [name for name in candidates(flat(version)) if name in self._known]
        if len(found) > 1:
            raise ArgumentError(
                f"dataset '{self.dataset}' has versions '{found[0]}' and '{found[1]}', and {version!r} may mean both: let Spark cast the column, "
                "`col.cast('string')`, before it comes to Python", BAD_ARGUMENT)
        return found[0] if found else None

    def demand(self, tasks: Mapping[str, int]) -> None:
        """Sets the number of further tasks that are expected to read each version. Versions with the least demand are
        evicted first.

        Applies to tasks whose function carries the catalog after this call, such as a later `mapInPandas`. A call
        replaces the previous hint. On the driver.
        """
        driver = self._on_driver("demand")
        wanted: dict[str, int] = {}
        for name, count in tasks.items():
            if isinstance(count, bool) or not isinstance(count, Integral):
                raise ArgumentError(f"the demand of version {name!r} of dataset '{self.dataset}' is a whole number, not {count!r}", BAD_ARGUMENT)
            known = self._named(name)
            if known is None:
                raise ArgumentError(f"dataset '{self.dataset}' has no version {name!r} to demand", BAD_ARGUMENT)
            wanted[known] = int(count)
        with self._hinting:
            calling(driver.demand, self._handle, json.dumps(wanted))
            self._hints += 1

    def close(self) -> None:
        """Closes the catalog: leased versions are released with their last lease, all others at once. On the driver.
        Idempotent."""
        calling(self._on_driver("close").close, self._handle)

    def _on_driver(self, what: str) -> Any:
        if self._driver is None:
            raise ReleasedError(f"{what} of dataset '{self.dataset}' was called in a worker: call it on the driver", RELEASED)
        return self._driver

    def __reduce__(self) -> tuple[Any, ...]:
        return Catalog, (self.id, self.dataset, self.versions, self._hints, self._skipped, None, None, self.files)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        word = "version" if len(self.versions) == 1 else "versions"
        return f"Catalog({self.dataset!r}, {len(self.versions)} {word})"


def _counter() -> Any:
    from pyspark import SparkContext

    return SparkContext.getOrCreate().accumulator(0)
