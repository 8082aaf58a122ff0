"""A dataset's versions, as functions take them along to workers. What a worker imports is kept small."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from andiron._cursor import Cursor
from andiron.errors import BAD_ARGUMENT, RELEASED, ArgumentError, ReleasedError, calling


class Catalog:
    """The list of a dataset's versions, which functions take along to the workers. Made by andiron.catalog on the driver."""

    def __init__(self, id: str, dataset: str, versions: tuple[str, ...], hints: int = 0, driver: Any = None, handle: Any = None) -> None:
        self.id = id
        self.dataset = dataset
        self.versions = versions
        """The names, in the order of their UTF-8 bytes: sort rows by version within partitions, and a task meets them in this order."""
        self._known = frozenset(versions)
        # How often `demand` was called: an executor whose copy is from before the last call asks the driver for the catalog again.
        self._hints = hints
        self._driver, self._handle, self._hinting = driver, handle, threading.Lock()

    def cursor(self) -> Cursor:
        """A cursor for the task that runs in this worker. An error outside any task."""
        return Cursor(self)

    def __contains__(self, version: object) -> bool:
        return isinstance(version, str) and version in self._known

    def demand(self, tasks: Mapping[str, int]) -> None:
        """Tells how many tasks are still expected to want each version: what is wanted least goes first when room is needed.

        Reaches the tasks of what takes the catalog along from now on: of a DataFrame that `mapInPandas` makes later. A hint replaces the one
        before. On the driver.
        """
        driver = self._on_driver("demand")
        for name, count in tasks.items():
            if isinstance(count, bool) or not isinstance(count, int):
                raise ArgumentError(f"the demand of version '{name}' of dataset '{self.dataset}' is a whole number, not {count!r}", BAD_ARGUMENT)
        with self._hinting:
            calling(driver.demand, self._handle, json.dumps(dict(tasks)))
            self._hints += 1

    def close(self) -> None:
        """Ends the catalog: what is leased goes with its last lease, everything else at once. On the driver. Idempotent."""
        calling(self._on_driver("close").close, self._handle)

    def _on_driver(self, what: str) -> Any:
        if self._driver is None:
            raise ReleasedError(f"{what} of dataset '{self.dataset}' was called in a worker: call it on the driver", RELEASED)
        return self._driver

    def __reduce__(self) -> tuple[Any, ...]:
        return Catalog, (self.id, self.dataset, self.versions, self._hints)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Catalog({self.dataset!r}, {len(self.versions)} versions)"
