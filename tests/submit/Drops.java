import andiron.Gate;
import andiron.JavaSteps;
import andiron.Step;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;

/** A user's program with 1,000 rows whose step drops every n-th. Arguments: n, and a directory that it writes if at most 1 % are dropped. */
public final class Drops {
  private Drops() {}

  public static void main(String[] arguments) {
    long every = Long.parseLong(arguments[0]);
    SparkSession spark = SparkSession.builder().appName("drops " + every).getOrCreate();
    System.out.println("APPLICATION " + spark.sparkContext().applicationId());
    try {
      Step step = Step.apply(spark, "halves");
      JavaSteps.gate(step, 0.01);
      MapFunction<Long, Long> half = n -> {
        if (n % every == 0) {
          throw new IllegalStateException("no half of " + n);
        }
        return n / 2;
      };
      JavaSteps.map(step, spark.range(0, 1000, 1, 4), half, Encoders.LONG()).write().parquet(arguments[1]);
      step.close();
    } finally {
      spark.stop();
    }
  }
}
