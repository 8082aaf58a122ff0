from support import MB, Application, figure, records


class Demand(Application):
    """The driver's demand reaches an executor that already knows the catalog."""

    conf = {"spark.andiron.cache.budgetBytes": "2560k"}

    def loads(self, version):
        def read(catalog):
            with catalog.cursor() as cursor:
                yield len(cursor.advance(version))

        before = sum(figure(self.spark, "loads").values())
        self.assertEqual(self.in_worker(read), [MB])
        self.nothing_leased()
        return sum(figure(self.spark, "loads").values()) - before

    def test_the_demand_decides_which_version_goes_first(self):
        self.catalog_of({name: records(seed, MB, 1) for seed, name in enumerate("abc")}, "hinted")
        self.assertEqual(self.loads("a"), 1)
        self.catalog.demand({"a": 100})
        self.assertEqual((self.loads("b"), self.loads("c")), (1, 1))
        self.assertEqual(self.loads("a"), 0, "the version in demand was evicted")
        self.catalog.demand({"c": 100})
        self.assertEqual((self.loads("b"), self.loads("c")), (1, 0), "the new hint did not replace the old one")
