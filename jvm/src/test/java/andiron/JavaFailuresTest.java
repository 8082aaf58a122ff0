package andiron;

import static org.junit.Assert.assertEquals;

import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

import org.apache.spark.api.java.function.Function;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Failed rows as data, from Java. */
public class JavaFailuresTest {
  private SparkSession spark;

  @Before
  public void start() throws Exception {
    spark = SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").config("spark.plugins", "andiron.AndironPlugin")
        .config("spark.andiron.log.dir", Files.createTempDirectory("java-failures").resolve("log").toString()).getOrCreate();
  }

  @After
  public void stop() {
    spark.stop();
    SparkSession.clearActiveSession();
    SparkSession.clearDefaultSession();
  }

  @Test
  public void failedRowsAreADataFrameAndHaveGroups() {
    Step step = Step.apply(spark, "java");
    Function<Long, Object> key = id -> "member " + id;
    Function2<Long, Throwable, Object> group = (id, error) -> error.getMessage() + (id < 2 ? " early" : " late");
    MapFunction<Long, Long> f = id -> {
      if (id % 2 == 1) throw new IllegalStateException("gone");
      return id;
    };
    assertEquals(2, JavaSteps.map(JavaSteps.group(JavaSteps.keyed(step, key), group), spark.range(0, 4, 1, 1), f, Encoders.LONG()).count());
    List<String> groups = new ArrayList<>(step.failures().select("group").as(Encoders.STRING()).collectAsList());
    Collections.sort(groups);
    assertEquals(Arrays.asList("gone early", "gone late"), groups);
    assertEquals(2, Andiron.failures(spark).where("step = 'java' and row_key like 'member %'").count());
    assertEquals(0, Andiron.failures(spark, spark.conf().get("spark.andiron.log.dir"), spark.sparkContext().applicationId()).where("step = 'none'").count());
  }
}
