import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;

import andiron.Andiron;
import andiron.Bytes;
import andiron.Catalog;
import andiron.ExecutorCacheStats;
import andiron.JavaApi;
import andiron.Loader;
import andiron.Version;
import andiron.VersionedData;
import java.util.Arrays;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.api.java.function.Function2;

/** A user's program: every row is multiplied by the number in the file of its version. Arguments: the two files. */
public final class Smoke {
  private Smoke() {}

  public static void main(String[] files) {
    SparkSession spark = SparkSession.builder().getOrCreate();
    Catalog<Bytes> catalog = VersionedData.catalog(
        spark, "smoke", Arrays.asList(Version.of("v0", files[0]), Version.of("v1", files[1])), Loader.bytes());
    Dataset<Row> rows = spark.range(0, 1000, 1, 4).withColumn("version", expr("concat('v', id % 2)"));
    Function2<Row, Bytes, Long> times = (row, bytes) -> row.getLong(0) * bytes.getLong(0);
    Dataset<Long> products = JavaApi.mapWithVersion(rows, catalog, col("version"), times, Encoders.LONG());
    long sum = products.agg(expr("sum(value)")).head().getLong(0);
    catalog.close();
    long leases = 0;
    for (ExecutorCacheStats stats : scala.jdk.javaapi.CollectionConverters.asJava(Andiron.cacheStats(spark))) {
      leases += stats.apply("leases");
    }
    System.out.println("SMOKE master=" + spark.sparkContext().master() + " sum=" + sum + " leases=" + leases);
    spark.stop();
  }
}
