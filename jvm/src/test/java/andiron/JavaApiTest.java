package andiron;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

import org.apache.spark.api.java.function.Function;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.types.DataTypes;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Everything a user calls, from Java. */
public class JavaApiTest {
  private SparkSession spark;
  private List<Version> versions;
  private Dataset<Row> rows;

  @Before
  public void start() throws Exception {
    spark = SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").getOrCreate();
    Path directory = Files.createTempDirectory("java-api");
    versions = new ArrayList<>();
    for (String name : Arrays.asList("a", "b")) {
      Path file = Files.write(directory.resolve(name), ("value of " + name).getBytes(StandardCharsets.UTF_8));
      versions.add(Version.of(name, file.toUri().toString()).withBytes(10));
    }
    rows = spark.range(0, 4, 1, 2).selectExpr("id", "case when id % 2 = 0 then 'a' else 'b' end as version");
  }

  @After
  public void stop() {
    spark.stop();
    SparkSession.clearActiveSession();
    SparkSession.clearDefaultSession();
  }

  private static List<String> sorted(Dataset<String> result) {
    List<String> values = new ArrayList<>(result.collectAsList());
    Collections.sort(values);
    return values;
  }

  @Test
  public void bytesMeetTheRowsOfTheirVersion() {
    try (Catalog<Bytes> catalog = VersionedData.catalog(spark, "letters", versions, Loader.bytes())) {
      Function2<Row, Bytes, String> f = (row, bytes) -> row.getLong(0) + new String(bytes.toArray(9, 1), StandardCharsets.UTF_8);
      assertEquals(Arrays.asList("0a", "1b", "2a", "3b"), sorted(JavaApi.mapWithVersion(rows, catalog, rows.col("version"), f, Encoders.STRING())));
    }
  }

  @Test
  public void rowsOfATableAreFoundInTheVersionThatARowNames() throws Exception {
    Table table = VersionedData.table(spark, Files.createTempDirectory("java-table").resolve("t").toUri().toString());
    JavaApi.publish(table, spark.range(3).selectExpr("id as k", "id * 10 as v"), "a", Arrays.asList("k"));
    JavaApi.publish(table, spark.range(2).selectExpr("id as k", "id * 100 as v"), "b", Collections.emptyList());
    assertEquals(Arrays.asList("a", "b"), JavaApi.versions(table));
    Function2<Row, TableVersion, String> f = (row, version) -> {
      Row found = version.getOrNull(row.getLong(0));
      return row.getLong(0) + "=" + (found == null ? "none" : found.getLong(1));
    };
    assertEquals(Arrays.asList("0=0", "1=100", "2=20", "3=none"), sorted(JavaApi.mapWithVersion(rows, table, rows.col("version"), f, Encoders.STRING())));
    assertEquals(100L, table.get("b", 1L).get().getLong(1));
    assertTrue(table.get("b", 2L).isEmpty());
  }

  @Test
  public void columnsOfATableAreAddedToRows() throws Exception {
    Table table = VersionedData.table(spark, Files.createTempDirectory("java-lookup").resolve("t").toUri().toString());
    JavaApi.publish(table, spark.range(3).selectExpr("id as k", "id * 10 as v", "'x' as w"), "a", Arrays.asList("k"));
    JavaApi.publish(table, spark.range(2).selectExpr("id as k", "id * 100 as v", "'y' as w"), "b", Collections.emptyList());
    Dataset<Row> named = rows.withColumnRenamed("id", "k");
    Dataset<Row> found = JavaApi.lookup(named, table, Arrays.asList("k"), named.col("version"), Collections.emptyList());
    assertEquals(Arrays.asList("0 0 x", "1 100 y", "2 20 x", "3 none"),
        sorted(found.selectExpr("concat_ws(' ', k, nvl(cast(v as string), 'none'), w)").as(Encoders.STRING())));
    Dataset<Row> unknown = JavaApi.lookup(rows.selectExpr("id", "'c' as version"), table, Collections.singletonMap("id", "k"),
        org.apache.spark.sql.functions.col("version"), Arrays.asList("v"), Missing.asNull());
    assertEquals(4, unknown.filter("v is null").count());
    assertThrows(SettingException.class, () -> JavaApi.lookupAsOf(named, table, Arrays.asList("k"), org.apache.spark.sql.functions.current_timestamp(), Arrays.asList("v")));
    Map<String, String> on = Collections.singletonMap("id", "k");
    assertThrows(SettingException.class, () -> JavaApi.lookupAsOf(rows, table, on, org.apache.spark.sql.functions.current_timestamp(), Arrays.asList("v")));
  }

  @Test
  public void objectsComeFromTheUsersLoader() {
    Function2<Version, java.io.InputStream, String> load =
        (version, in) -> version.name() + "=" + new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)).readLine();
    Function2<Row, String, String> f = (row, value) -> row.getLong(0) + value;
    try (Catalog<String> catalog = VersionedData.catalog(spark, "letters", versions, JavaApi.objects(load))) {
      assertEquals(Arrays.asList("0a=value of a", "1b=value of b", "2a=value of a", "3b=value of b"),
          sorted(JavaApi.mapWithVersion(rows, catalog, rows.col("version"), f, Encoders.STRING())));
    }
    Function<String, Long> size = value -> 7L;
    try (Catalog<String> catalog = VersionedData.catalog(spark, "letters", versions, JavaApi.objects(load, size));
        Lease<String> lease = catalog.lease("b")) {
      assertEquals("b=value of b", lease.value());
      assertEquals(7L, Andiron.cacheStats(spark).head().apply("residentBytes"));
    }
    Function<Version, String> custom = Version::source;
    try (Catalog<String> catalog = VersionedData.catalog(spark, "letters", versions, JavaApi.custom(custom, size));
        Lease<String> lease = catalog.lease("b")) {
      assertTrue(lease.value().endsWith("/b"));
    }
  }

  @Test
  public void cursorsLeasesAndSetsAreClosedByTry() {
    try (Catalog<Bytes> catalog = VersionedData.catalog(spark, "letters", versions, Loader.bytes())) {
      Bytes kept;
      try (Cursor<Bytes> cursor = catalog.cursor(); LeaseSet<Bytes> set = catalog.acquireAll("a", "b")) {
        kept = cursor.advance("b");
        assertEquals('b', kept.getByte(9));
        assertEquals('a', set.apply("a").getByte(9));
      }
      assertEquals(114, assertThrows(ReleasedException.class, () -> kept.getByte(0)).code());
      assertThrows(UnknownVersionException.class, () -> catalog.lease("c"));
      Function2<java.util.Iterator<Row>, Cursor<Bytes>, java.util.Iterator<String>> f = (partition, cursor) -> {
        List<String> out = new ArrayList<>();
        partition.forEachRemaining(row -> out.add(row.getLong(0) + ":" + (char) cursor.advance(row.getString(1)).getByte(9)));
        return out.iterator();
      };
      assertEquals(Arrays.asList("0:a", "1:b", "2:a", "3:b"), sorted(JavaApi.mapPartitionsWithCursor(rows, catalog, f, Encoders.STRING())));
    }
    assertEquals(0L, Andiron.cacheStats(spark).head().apply("leases"));
  }

  @Test
  public void whatScalaSaysInItsCollectionsJavaGetsInItsOwn() {
    try (Catalog<Bytes> catalog = VersionedData.catalog(spark, "letters", versions, Loader.bytes());
        LeaseSet<Bytes> set = catalog.acquireAll("b", "a")) {
      assertEquals(Arrays.asList("a", "b"), JavaApi.versions(catalog));
      assertEquals(Arrays.asList("b", "a"), JavaApi.versions(set));
      assertThrows(UnsupportedOperationException.class, () -> JavaApi.versions(set).add("c"));
      List<ExecutorCacheStats> stats = JavaApi.cacheStats(spark);
      assertEquals(Arrays.asList("driver"), Arrays.asList(stats.get(0).executor()));
      Map<String, Long> figures = JavaApi.figures(stats.get(0));
      assertEquals(Long.valueOf(2), figures.get("leases"));
      assertEquals(Long.valueOf(20), figures.get("residentBytes"));
      assertThrows(UnsupportedOperationException.class, () -> figures.put("leases", 0L));
      JavaApi.demand(catalog, Collections.singletonMap("a", 3L));
      SettingException e = assertThrows(SettingException.class, () -> JavaApi.demand(catalog, Collections.singletonMap("c", 3L)));
      assertTrue(e.getMessage(), e.getMessage().contains("'c'"));
    }
  }

  @Test
  public void aColumnFunctionTakesVersionAndArgument() {
    try (Catalog<Bytes> catalog = VersionedData.catalog(spark, "letters", versions, Loader.bytes())) {
      UDF2<Long, Bytes, String> f = (id, bytes) -> id + ":" + (char) bytes.getByte(9);
      Dataset<Row> result = rows.sortWithinPartitions("version")
          .select(catalog.udf(f, DataTypes.StringType).apply(rows.col("version"), rows.col("id")).as("x"));
      assertEquals(Arrays.asList("0:a", "1:b", "2:a", "3:b"), sorted(result.as(Encoders.STRING())));
    }
  }

  @Test
  public void rowsWithoutAVersionCanBeSkipped() {
    Dataset<Row> some = rows.selectExpr("id", "case when id = 0 then null else version end as version");
    Function2<Row, Bytes, String> f = (row, bytes) -> "" + row.getLong(0);
    try (Catalog<Bytes> catalog = VersionedData.catalog(spark, "letters", versions, Loader.bytes())) {
      Catalog<Bytes> skipping = catalog.missing(Missing.skip());
      assertEquals(Arrays.asList("1", "2", "3"), sorted(JavaApi.mapWithVersion(some, skipping, some.col("version"), f, Encoders.STRING())));
      assertEquals(1L, skipping.skippedRows());
    }
  }
}
