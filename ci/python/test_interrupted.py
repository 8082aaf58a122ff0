import andiron
from support import LOCAL, Application, records

VALUE = records(1, 100, 100)


class Interrupted(Application):
    """Whatever comes between a request and its answer, no version shows another's bytes, and none stays mapped."""

    master = LOCAL

    def setUp(self):
        self.catalog = andiron.catalog(self.spark, "planes", {"v1": self.source("v1", VALUE), "v2": self.source("v2", VALUE[:10])})
        self.addCleanup(self.catalog.close)

    def test_an_interrupted_request_never_gives_another_versions_bytes(self):
        catalog = self.catalog

        def run(rows):
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

        found = self.spark.sparkContext.parallelize([0], 1).mapPartitions(run).collect()
        self.assertEqual(found, ["KeyboardInterrupt", "ReleasedError", "ReleasedError", "ReleasedError"])
        self.nothing_leased()

    def test_an_answer_to_another_request_ends_the_cursor(self):
        def late(cursor):
            cursor._channel._asked += 1
            cursor._channel._socket.sendall(b'{"op":"release","number":1}\n')
            return cursor.advance("v1")

        catalog = self.catalog

        def run(rows):
            try:
                yield repr(late(catalog.cursor()))
            except andiron.ReleasedError as error:
                yield type(error).__name__

        self.assertEqual(self.spark.sparkContext.parallelize([0], 1).mapPartitions(run).collect(), ["ReleasedError"])

    def test_a_version_that_was_released_is_unmapped_at_once(self):
        catalog = self.catalog

        def run(rows):
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

        self.assertEqual(self.spark.sparkContext.parallelize([0], 1).mapPartitions(run).collect(), [True] * 3)
