from support import CLUSTER, LOCAL, Application, records


class Kryo(Application):
    """The package's objects reach executors under Kryo."""

    master = CLUSTER
    conf = {"spark.serializer": "org.apache.spark.serializer.KryoSerializer"}

    def test_workers_read_under_kryo(self):
        contents = {name: records(seed, 1000, 1) for seed, name in enumerate("ab")}
        catalog = self.catalog_of(contents, "kryo")

        def read(rows):
            with catalog.cursor() as cursor:
                for name in rows:
                    yield name, bytes(cursor.advance(name))

        rdd = self.spark.sparkContext.parallelize(["a", "b"] * 8, 8)
        self.assertEqual(dict(rdd.mapPartitions(read).collect()), contents)


class KryoRegistered(Kryo):
    """The same checks in one process where every class must be registered."""

    master = LOCAL
    conf = Kryo.conf | {"spark.kryo.registrationRequired": "true"}
