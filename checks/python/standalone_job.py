"""The job of test_standalone.py: `spark-submit standalone_job.py FOLDER`, where FOLDER has the versions; writes FOLDER/told.json."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

LENGTH, COUNT = 100, 2000
VERSIONS = [f"v{i}" for i in range(4)]
ROWS = [(i, VERSIONS[i % len(VERSIONS)], i * 7919 % COUNT * LENGTH) for i in range(8000)]
EXECUTORS, PARTITIONS = 2, 8


def digest(records: Iterable[tuple[int, bytes]]) -> str:
    made = hashlib.sha256()
    for number, record in sorted(records):
        made.update(number.to_bytes(8, "big") + record)
    return made.hexdigest()


def main(folder: Path) -> None:
    from pyspark.sql import SparkSession

    import andiron
    import support

    spark = SparkSession.builder.appName("andiron-python-standalone").getOrCreate()
    try:
        support.eventually(lambda: andiron.cache_stats(spark), lambda: len(support.figure(spark, "leases").keys() - {"driver"}) == EXECUTORS)
        with andiron.catalog(spark, "standalone", {name: folder / name for name in VERSIONS}) as catalog:
            frame = spark.createDataFrame(ROWS, "id long, version string, at long").repartition(PARTITIONS, "id").sortWithinPartitions("version")
            found = [(row[0], bytes(row[1])) for row in frame.mapInPandas(support.reader(catalog, LENGTH), "id long, record binary").collect()]
            packages = set(spark.sparkContext.parallelize(range(PARTITIONS), PARTITIONS).map(lambda _: os.path.abspath(andiron.__file__)).collect())
            support.eventually(lambda: support.figure(spark, "leases"), lambda: not any(support.figure(spark, "leases").values()))
            loads = {executor: loads for executor, loads in support.figure(spark, "loads").items() if executor != "driver"}
        told = {"master": spark.sparkContext.master, "rows": len(found), "digest": digest(found), "loads": loads, "packages": sorted(packages)}
        (folder / "told.json").write_text(json.dumps(told))
    finally:
        spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
