import org.apache.spark.sql.SparkSession;

/** An application that does not use Andiron. */
public final class Idle {

  public static void main(String[] arguments) {
    SparkSession spark = SparkSession.builder().appName("idle").getOrCreate();
    System.out.println("IDLE " + spark.range(10).count());
    spark.stop();
  }
}
