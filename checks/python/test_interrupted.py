import os
import threading

import andiron
from harness.wait import until
from support import Application, eventually, figure, outcome, records

VALUE = records(1, 100, 100)


def forked(action):
    """A child process that runs the action and ends."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    return child


class Interrupted(Application):
    """If a request is interrupted before its answer, no version shows another's bytes, and none stays mapped."""

    def setUp(self):
        self.catalog_of({"v1": VALUE, "v2": VALUE[:10]}, "planes")

    def test_an_interrupted_request_never_gives_another_versions_bytes(self):
        def run(catalog):
            for error in (KeyboardInterrupt, InterruptedError):
                cursor = catalog.cursor()
                answers = cursor._channel._answers

                class Interrupted:
                    def readline(self):
                        raise error

                    def close(self):
                        answers.close()

                cursor._channel._answers = Interrupted()
                for version in ("v1", "v2"):
                    try:
                        cursor.advance(version)
                        yield "bytes"
                    except (KeyboardInterrupt, andiron.ReleasedError) as raised:
                        yield type(raised).__name__

        found = self.in_worker(run)
        self.assertEqual(found, ["KeyboardInterrupt", "ReleasedError", "ReleasedError", "ReleasedError"])
        self.nothing_leased()

    def test_an_answer_to_another_request_ends_the_cursor(self):
        def late(cursor):
            cursor._channel._asked += 1
            cursor._channel._socket.sendall(b'{"op":"release","number":1}\n')
            return cursor.advance("v1")

        (kind, *_), = self.in_worker(lambda catalog: [outcome(late, catalog.cursor())])
        self.assertEqual(kind, "ReleasedError")

    def test_a_closed_cursor_holds_nothing_while_a_forked_process_lives(self):
        closed, end = self.folder / "closed", self.folder / "end"

        def wait():
            until(end.exists, 300)

        def run(catalog):
            cursor = catalog.cursor()
            cursor.advance("v1")
            child = forked(wait)
            cursor.close()
            closed.touch()
            wait()
            yield os.waitpid(child, 0)[1]

        found = []
        job = threading.Thread(target=lambda: found.extend(self.in_worker(run)))
        job.start()
        try:
            eventually(lambda: "the cursor is not closed", closed.exists)
            eventually(lambda: figure(self.spark, "leases"), lambda: not any(figure(self.spark, "leases").values()), 60)
            self.assertEqual(found, [], "the task still runs")
        finally:
            end.touch()
            job.join(180)
        self.assertEqual(found, [0])

    def test_a_forked_process_does_not_end_the_cursor_of_its_parent(self):
        def run(catalog):
            cursor = catalog.cursor()
            cursor.advance("v1")
            child = forked(cursor.close)
            yield os.waitpid(child, 0)[1], len(cursor.advance("v2"))

        self.assertEqual(self.in_worker(run), [(0, 10)])

    def test_a_version_that_was_released_is_unmapped_at_once(self):
        def run(catalog):
            import gc
            import weakref

            gc.disable()
            try:
                with catalog.cursor() as cursor:
                    mapping = weakref.ref(cursor.advance("v1")._memory.obj)
                    yield mapping() is not None
                    cursor.advance("v2")
                    yield mapping() is None
                    mapping = weakref.ref(cursor.advance("v1")._memory.obj)
                yield mapping() is None
            finally:
                gc.enable()

        self.assertEqual(self.in_worker(run), [True] * 3)
