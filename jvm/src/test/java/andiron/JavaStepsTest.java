package andiron;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collections;

import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Steps and gates, from Java. */
public class JavaStepsTest {
  private SparkSession spark;
  private Dataset<Long> rows;

  @Before
  public void start() throws Exception {
    spark = SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").config("spark.plugins", "andiron.AndironPlugin")
        .config("spark.andiron.log.dir", Files.createTempDirectory("java-steps").resolve("log").toString()).getOrCreate();
    rows = spark.range(0, 100, 1, 4);
  }

  @After
  public void stop() {
    spark.stop();
    SparkSession.clearActiveSession();
    SparkSession.clearDefaultSession();
  }

  private static Long reciprocal(Long n) {
    if (n % 10 == 0) throw new IllegalArgumentException("no history of " + n);
    return 1000 / n;
  }

  @Test
  public void datasets() {
    try (Step step = Step.apply(spark, "java")) {
      StepCounter own = step.counter("own");
      StepRows<Long> keyed = JavaSteps.keyed(step, n -> "member-" + n);
      assertEquals(90, JavaSteps.map(keyed, rows, n -> { own.increment(); return reciprocal(n); }, Encoders.LONG()).count());
      assertEquals(10, step.figures().dropped());
      assertEquals(100, step.figures().apply("own"));
      assertTrue(step.figures().exact());
    }
    Step flat = Step.apply(spark, "java-flat");
    assertEquals(200, JavaSteps.flatMap(flat, rows, n -> Arrays.asList(n, n).iterator(), Encoders.LONG()).count());
    Step filter = Step.apply(spark, "java-filter");
    assertEquals(50, JavaSteps.filter(filter, rows, n -> n % 2 == 0).count());
    assertEquals(50, filter.figures().out());
  }

  @Test
  public void rdds() {
    JavaRDD<Integer> numbers = JavaSparkContext.fromSparkContext(spark.sparkContext()).parallelize(Arrays.asList(0, 1, 2, 4), 2);
    Step step = Step.apply(spark, "java-rdd");
    assertEquals(Arrays.asList(8, 4, 2), JavaSteps.map(step, numbers, n -> 8 / n).collect());
    assertEquals(1, step.figures().dropped());
    assertEquals(Arrays.asList(1), JavaSteps.filter(Step.apply(spark, "java-rdd-filter"), numbers, n -> n == 1).collect());
    assertEquals(0, JavaSteps.flatMap(Step.apply(spark, "java-rdd-flat"), numbers, n -> Collections.<Integer>emptyIterator()).count());
  }

  @Test
  public void gates() {
    Step step = Step.apply(spark, "java-gate");
    Gate strict = JavaSteps.gate(step, 0.01);
    Gate loose = JavaSteps.gate(step, 0.5, 50, 10, ZeroRows.fail());
    Dataset<Long> result = JavaSteps.map(step, rows, JavaStepsTest::reciprocal, Encoders.LONG());
    JavaSteps.guard(() -> result.collectAsList(), new Gate[] {loose});
    GateException failure = assertThrows(GateException.class, () -> JavaSteps.guard(() -> result.collectAsList(), new Gate[] {strict}));
    assertEquals(200, failure.code());
    assertTrue(failure.getMessage(), failure.getMessage().contains("10 of 100"));
    assertTrue(Andiron.report(spark).contains("java-gate"));
  }
}
