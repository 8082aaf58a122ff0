import static org.apache.spark.sql.functions.lit;

import andiron.AndironException;
import andiron.Bytes;
import andiron.Catalog;
import andiron.ExecutorCacheStats;
import andiron.JavaApi;
import andiron.Loader;
import andiron.Version;
import andiron.VersionedData;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;

/** Jobs with two tasks that wait for one load, which succeeds or fails. */
public final class Load {
  private static SparkSession spark;
  private static String directory;

  private Load() {}

  /** Starts Spark; versions are files of that directory. */
  public static void start(String folder) {
    directory = folder;
    spark = SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.local.dir", directory).config("spark.andiron.cache.failureMemory", "0").getOrCreate();
  }

  /** A file with Hadoop's checksum beside it, so that it is loaded as a stream. */
  private static String source(String name) throws IOException {
    Path file = new Path(directory, name);
    FileSystem files = file.getFileSystem(spark.sparkContext().hadoopConfiguration());
    if (!files.exists(file)) {
      try (FSDataOutputStream out = files.create(file)) {
        out.write(new byte[1000]);
      }
    }
    return file.toString();
  }

  /** The sizes that two tasks saw, or the class and message of Andiron's exception; then the sum of remaining leases, waits and bytes. */
  public static String run(String version) throws IOException {
    String answer;
    Catalog<Bytes> catalog = VersionedData.catalog(spark, "panics", Arrays.asList(Version.of("v", source(version))), Loader.bytes());
    try {
      Function2<Long, Bytes, Long> f = (id, bytes) -> bytes.size();
      List<Long> sizes = JavaApi.mapWithVersion(spark.range(0, 2, 1, 2), catalog, lit("v"), f, Encoders.LONG()).collectAsList();
      answer = sizes.toString();
    } catch (Exception e) {
      answer = e.toString();
      for (Throwable t = e; t != null; t = t.getCause()) {
        if (t instanceof AndironException) {
          answer = t.getClass().getName() + ": " + t.getMessage();
        }
      }
    }
    catalog.close();
    ExecutorCacheStats stats = JavaApi.cacheStats(spark).get(0);
    return answer + " left=" + (stats.apply("leases") + stats.apply("waiting") + stats.apply("reservedBytes"));
  }

  public static void stop() {
    spark.stop();
  }
}
