"""All faults, in groups that one application runs. checks/faults/scala implements the faults."""

from dataclasses import dataclass

CLUSTER, LOCAL, TWO_HOSTS = "local-cluster[2,2,2048]", "local[4]", "two hosts"


@dataclass(frozen=True)
class Group:
    """Faults that one application runs in sequence; `short` are the faults of `make test`."""

    name: str
    master: str
    faults: tuple[str, ...]
    short: tuple[str, ...] = ()

    @property
    def is_fatal(self) -> bool:
        """Whether the application ends by SIGKILL. The next application in its directory then runs the job without a fault."""
        return self.faults[0] in FATAL

    @property
    def kills(self) -> bool:
        """Whether processes end without a chance to clean up."""
        return self.is_fatal or self.name == "kills"


FATAL = ("kill-driver", "kill-application")
CANCELS = tuple(f"cancel-{what}{how}" for what in ("waiting", "computing", "loading") for how in ("", "-interrupt"))
BAD_INPUT = ("unknown-version", "missing-source", "truncated-source", "rewritten-source", "wrong-checksum", "loader-throws", "loader-lies",
             "version-too-large", "loader-hangs", "budget-of-zero")

GROUPS = (
    Group("tasks", CLUSTER, ("none", "task-failure", "fetch-failure", *CANCELS, "late-readers", "loader-errors", "none"),
          ("none", "task-failure", "fetch-failure", "loader-errors", "cancel-waiting", "cancel-computing-interrupt", "late-readers")),
    Group("kills", CLUSTER, ("none", "kill-during-load", "kill-during-job", "terminate-during-job", "exit-during-job", "kill-idle", "none"),
          ("kill-during-load", "kill-during-job")),
    Group("copies", TWO_HOSTS, ("none", "speculation"), ("speculation",)),
    Group("driver", CLUSTER, ("kill-driver",)),
    Group("application", CLUSTER, ("kill-application",), ("kill-application",)),
    Group("process", LOCAL, ("none", "job-failure", *CANCELS, "late-readers", "loader-errors", "two-class-loaders", "leases-left-open", "two-contexts", "none"),
          ("late-readers", "cancel-waiting-interrupt", "two-class-loaders", "leases-left-open", "two-contexts")),
    Group("bad-input", LOCAL, BAD_INPUT, BAD_INPUT),
    Group("disk", LOCAL, ("disk-full", "none"), ("disk-full",)),
)
