"""Checks on running clusters. Each check starts its processes and returns its observations, or raises ApplicationError."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from checks.cluster import sharing
from checks.cluster.application import Application, Job, Setup
from checks.cluster.content import Content
from checks.cluster.standalone import Standalone
from checks.faults import leftovers
from harness import wait
from harness.process import Server, processes
from harness.spark import EXIT_S, Record, require

SMALL = Content(versions=2, blocks=16, seed=20200624)
# Three versions, of which two fit into the budget, so that loads, evictions and waits never stop.
BUSY = Content(versions=3, blocks=16, seed=20200625)
BUSY_BUDGET = {"spark.andiron.cache.budgetBytes": f"{2 * BUSY.bytes}"}
LOCAL_CLUSTER = "local-cluster[2,2,1024]"
ROUND_S = 2.0


def on(cluster: Standalone, setup: Setup, job: Job, name: str) -> Application:
    return Application(setup, cluster.url, job, setup.work / name, lambda: [worker.pid for worker in cluster.workers])


def nothing_left(setup: Setup, app: Application, cluster: Standalone | None = None, killed: bool = False, cache: Path | None = None) -> None:
    """Requires that no process, crash file or temporary file is left. `killed`: processes could not remove their unpacked files."""
    roots = [app.pid, *(worker.pid for worker in (cluster.workers if cluster else []))]

    def running() -> list[int]:
        return [pid for root in roots for pid in processes(root) if root == app.pid or pid in app.executors()]

    require(wait.until(lambda: not running(), EXIT_S), f"processes {running()} had not ended {EXIT_S} s after their driver")
    for work in cluster.folder.glob(f"work-*/{app.id}") if cluster else []:
        (app.folder / "executors").mkdir(exist_ok=True)
        shutil.move(work, app.folder / "executors" / work.parent.name)
    crashes, wrong = leftovers.inspect(setup.built.home, app.folder, killed)
    require(not crashes and not wrong, f"{crashes} crashes; {'; '.join(wrong)}")

    def local() -> list[Path]:
        folders = ([cluster.folder] if cluster else []) + [app.folder / "local"]
        # os.walk tolerates folders that are removed concurrently.
        names = [Path(place, name) for folder in folders for place, _, files in os.walk(folder) for name in files]
        found = [path for path in names if path.suffix == ".bytes" or path.name.startswith("andiron-python")]
        return found + ([path for path in cache.rglob("*") if path.name != ".andiron.lock"] if cache else [])

    # The workers remove the directories of killed executors once they learn of the application's end.
    wait.until(lambda: not local(), EXIT_S)
    require(not (left := local()), f"left behind: {', '.join(map(str, left[:5]))}")


def shared(setup: Setup, app: Application) -> Record:
    """The files and pages that two executors of one host share while the application waits."""
    app.await_mark("held")
    pids, content = app.executors(), app.job.content
    found = sharing.files(app.folder / "cache")
    require(len(pids) == 2, f"{len(pids)} executors, not 2")
    require(len(found) == content.versions, f"{len(found)} files for {content.versions} versions")
    require(app.downloads() == content.versions, f"{app.downloads():.2f} downloads of {content.versions} versions")
    pages = [sharing.mapped(pids, file) for file in found]
    for file, one in zip(found, pages, strict=True):
        require(all(one.rss.values()), f"{file.name} is not in every executor's memory: {one.rss}")
        require(one.pss <= content.bytes, f"{file.name} takes {one.pss} bytes in two executors, more than its {content.bytes}")
    require(not (wrong := sharing.open_to_others(app.folder / "cache")), "; ".join(wrong))
    tried = sharing.others_can_try(app.folder)
    require(not (read := sharing.readable_by_nobody(found)), f"another user reads {read}")
    return {"executors": 2, "versions": content.versions, "downloads": app.downloads(), "rss_bytes": sum(sum(one.rss.values()) for one in pages),
            "pss_bytes": sum(one.pss for one in pages), "another_user_tried": tried}


@contextmanager
def ended(setup: Setup, app: Application, cluster: Standalone | None = None, killed: bool = False) -> Iterator[Application]:
    """Lets the application go on after the `with` block. It must end with right results and leave nothing."""
    with app:
        yield app
        app.go()
        app.finished()
        nothing_left(setup, app, cluster, killed)


@contextmanager
def alone(setup: Setup, job: Job, name: str, killed: bool = False, settings: dict[str, str] | None = None) -> Iterator[tuple[Standalone, Application]]:
    """An application on a cluster of its own; see `ended`. `settings`: of the daemons."""
    with Standalone(setup.built.home, setup.work / f"{name}-cluster", settings=settings) as cluster:
        with ended(setup, on(cluster, setup, job, name), cluster, killed) as app:
            yield cluster, app


def sharing_by_packages(setup: Setup) -> Record:
    with alone(setup, Job(SMALL, hold=True, by="--packages"), "packages") as (_, app):
        return shared(setup, app)


def sharing_by_jars(setup: Setup) -> Record:
    with ended(setup, Application(setup, LOCAL_CLUSTER, Job(SMALL, hold=True), setup.work / "jars")) as app:
        return shared(setup, app)


def own_directories(setup: Setup) -> Record:
    """Without a configured cache directory each executor uses Spark's local directory and has its own copy there."""
    with alone(setup, Job(SMALL, hold=True, settings={"spark.andiron.cache.dir": None}), "own") as (cluster, app):
        app.await_mark("held")
        found = list(cluster.folder.rglob("*.bytes"))
        require(len(found) == 2 * SMALL.versions, f"{len(found)} files of two executors, not {2 * SMALL.versions}")
        require(app.downloads() == 2 * SMALL.versions, f"{app.downloads():.2f} downloads, not {2 * SMALL.versions}")
        return {"downloads": 2 * SMALL.versions}


def two_applications(setup: Setup) -> Record:
    """Two concurrent applications with one cache directory and the same sources: each has its own files, and maps none of the other's."""
    cache = setup.work / "two-cache"
    shutil.rmtree(cache, ignore_errors=True)
    settings = {"spark.andiron.cache.dir": cache, "spark.cores.max": "2"}
    job = Job(SMALL, hold=True, executors=1, settings=settings)
    with Standalone(setup.built.home, setup.work / "two-cluster") as cluster, on(cluster, setup, job, "two-a") as a, on(cluster, setup, job, "two-b") as b:
        for app in (a, b):
            app.await_mark("held")
        found = {app.id: sorted((cache / app.id).glob("*.bytes")) for app in (a, b)}
        for app, other in ((a, b), (b, a)):
            require(len(found[app.id]) == SMALL.versions, f"{app.id} has {len(found[app.id])} files")
            require(app.downloads() == SMALL.versions, f"{app.id} has {app.downloads():.2f} downloads")
            foreign = [file.name for file in found[other.id] if any(sharing.mapped(app.executors(), file).rss.values())]
            require(not foreign, f"{app.id} maps the other's {foreign}")
        for app in (a, b):
            app.go()
            app.finished()
        for app in (a, b):
            nothing_left(setup, app, cluster)
        nothing_left(setup, a, cluster, cache=cache)
    return {"downloads_each": SMALL.versions}


def dynamic(setup: Setup) -> Record:
    """Executors start with each round and end after it; each time the versions are loaded again and their files removed."""
    settings = {
        "spark.dynamicAllocation.enabled": "true", "spark.dynamicAllocation.shuffleTracking.enabled": "true", "spark.dynamicAllocation.minExecutors": "0",
        "spark.dynamicAllocation.executorIdleTimeout": "1s", "spark.dynamicAllocation.shuffleTracking.timeout": "1s",
        "spark.dynamicAllocation.cachedExecutorIdleTimeout": "1s",
    }
    rounds = 3
    with alone(setup, Job(SMALL, rounds=rounds, pause=10, executors=0, idle=True, settings=settings), "dynamic") as (_, app):
        app.finished()
        require(app.downloads() >= rounds * SMALL.versions, f"{app.downloads():.2f} downloads in {rounds} rounds: an executor was kept")
        return {"rounds": rounds, "downloads": app.downloads()}


def decommission(setup: Setup) -> Record:
    """An executor, then a worker, are decommissioned (SIGPWR) during a round."""
    daemons = {"spark.decommission.enabled": "true"}
    settings = daemons | BUSY_BUDGET | {"spark.storage.decommission.enabled": "true", "spark.storage.decommission.shuffleBlocks.enabled": "true"}
    with alone(setup, Job(BUSY, rounds=3, pause=20, settings=settings), "decommission", settings=daemons) as (cluster, app):
        app.await_mark("round-0")
        time.sleep(ROUND_S / 2)
        victim = app.executors()[0]
        os.kill(victim, signal.SIGPWR)
        app.await_mark("done-0")
        app.wait_until(f"end of executor {victim}", lambda: victim not in app.executors())
        app.await_mark("round-1")
        time.sleep(ROUND_S / 2)
        cluster.workers[0].signal(signal.SIGPWR)
        cluster.add_worker()
        app.await_mark("done-1")
        return {"rounds": 3, "executors_at_end": app.finished()["executors"]}


def kills(setup: Setup, seed: int, count: int, workers: bool, own: bool = False) -> Record:
    """kill -9 of one of two executors, or workers, at random moments of the job: one in each round except the first two and the last. The delay
    is drawn from 0 to the time of the shortest earlier round; a kill after the end of its round hits the next one. `own`: executors keep their
    versions in Spark's local directories."""
    kind, moments = random.Random(f"{seed} {workers}"), []
    name = f"kill-{'own-' if own else ''}{'workers' if workers else 'executors'}"
    settings = BUSY_BUDGET | ({"spark.andiron.cache.dir": None} if own else {})
    with alone(setup, Job(BUSY, rounds=count + 3, pause=20, hold=True, settings=settings), name, killed=True) as (cluster, app):
        for n in range(2, count + 2):
            app.await_mark(f"round-{n}")
            moment = kind.uniform(0, min(result["wall_ms"] / 1000 for result in app.results()))
            time.sleep(moment)
            inside = not app.has(f"done-{n}")
            gone = kill_worker(app, cluster, kind) if workers else kill_executor(app, kind)
            moments.append({"seconds": round(moment, 3), "ended": gone, "in_round": inside})
            app.await_mark(f"done-{n}")
        app.await_mark("held")
    walls = [result["wall_ms"] for result in app.results()[:-1]]
    return {"kills": count, "in_round": sum(moment["in_round"] for moment in moments), "moments": moments, "walls_ms": walls, "downloads": round(app.downloads(), 2)}


def kill_executor(app: Application, kind: random.Random) -> int:
    victim = kind.choice(app.executors())
    os.kill(victim, signal.SIGKILL)
    app.wait_until(f"end of executor {victim}", lambda: victim not in app.executors())
    return 1


def kill_worker(app: Application, cluster: Standalone, kind: random.Random) -> int:
    """The worker's executors must notice and end; another worker replaces it."""
    worker: Server = kind.choice(cluster.workers)
    orphans = [pid for pid in processes(worker.pid) if pid != worker.pid]
    cluster.kill_worker(worker)
    cluster.add_worker()
    app.wait_until(f"end of the executors of {worker.log.stem}", lambda: not processes(worker.pid))
    return len(orphans)


Check = Callable[[Setup], Record]
CHECKS: dict[str, Check] = {
    "packages": sharing_by_packages, "jars": sharing_by_jars, "own-directories": own_directories, "two-applications": two_applications,
    "dynamic-allocation": dynamic, "decommission": decommission,
}
