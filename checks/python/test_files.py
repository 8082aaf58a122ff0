import sqlite3
from pathlib import Path

import andiron
from support import CLUSTER, Application, outcome


class Files(Application):
    """Libraries that open files by name run in workers."""

    master = CLUSTER

    def database(self, folder: Path) -> Path:
        folder.mkdir()
        path = folder / "places 100%.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("create table places (id integer primary key, name text)")
            database.executemany("insert into places values (?, ?)", [(i, f"place {i}") for i in range(100)])
        database.close()
        return path

    def look_up(self, catalog, locate, suffix=""):
        def read(rows):
            with catalog.cursor() as cursor:
                for row in rows:
                    path = locate(cursor, row.version)
                    database = sqlite3.connect(f"{(path / suffix if suffix else path).as_uri()}?mode=ro&immutable=1", uri=True)
                    yield row.id, path.name, database.execute("select name from places where id = ?", (row.id,)).fetchone()[0]
                    database.close()

        rows = self.spark.range(0, 100, 1, 4).selectExpr("id", "'v' as version")
        found = rows.rdd.mapPartitions(read).collect()
        self.assertEqual({(id, name) for id, _, name in found}, {(i, f"place {i}") for i in range(100)})
        self.nothing_leased()
        return {name for _, name, _ in found}

    def test_bytes_have_a_path(self):
        path = self.database(self.folder / "bytes")
        with andiron.catalog(self.spark, "bytes", {"v": str(path)}) as catalog:
            names = self.look_up(catalog, lambda cursor, version: cursor.advance(version).path)
            self.assertTrue(all(name.endswith(".bytes") for name in names), names)
            self.look_up(catalog, lambda cursor, version: cursor.path(version))

    def test_files_and_directories_keep_their_names(self):
        path = self.database(self.folder / "named")
        with andiron.catalog(self.spark, "file", {"v": str(path)}, files=True) as catalog:
            self.assertEqual(self.look_up(catalog, lambda cursor, version: cursor.path(version)), {path.name})
        with andiron.catalog(self.spark, "directory", {"v": str(path.parent)}, files=True) as catalog:
            self.look_up(catalog, lambda cursor, version: cursor.path(version), path.name)

    def test_what_does_not_fit_together_says_so(self):
        path = self.database(self.folder / "misused")
        with andiron.catalog(self.spark, "misused", {"v": str(path)}, files=True) as catalog:
            def read(catalog):
                cursor = catalog.cursor()
                yield from (outcome(cursor.advance, "v"), outcome(cursor.path, "w"))

            (bad, text, _), (unknown, named, _) = self.in_worker(read, catalog)
            self.assertEqual((bad, unknown), ("ArgumentError", "UnknownVersionError"))
            self.assertIn("cursor.path", text)
            self.assertIn("'w'", named)

        def late(catalog):
            cursor = catalog.cursor()
            value = cursor.advance("v")
            cursor.close()
            yield outcome(lambda: value.path)

        with andiron.catalog(self.spark, "kept", {"v": str(path)}) as kept:
            (kind, text, _), = self.in_worker(late, kept)
            self.assertEqual((kind, "was released" in text), ("ReleasedError", True), text)

    def test_totals(self):
        path = self.database(self.folder / "totals")
        with andiron.catalog(self.spark, "totals", {"v": str(path)}) as catalog:
            self.look_up(catalog, lambda cursor, version: cursor.path(version))
            each = andiron.cache_stats(self.spark)
            self.assertEqual(andiron.cache_totals(self.spark)["loads"], sum(told["figures"].get("loads", 0) for told in each))
