package andiron;

import andiron.internal.AndironDriver;
import andiron.internal.AndironExecutor;
import andiron.internal.Requirements;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * {@code spark.plugins=andiron.AndironPlugin}: checks Java, Scala, Spark, platform, settings and library when the
 * application starts, registers the cache's figures in Spark's metrics system, releases leases that a task's own
 * listener has missed, and exchanges figures and closed catalogs between executors and driver. An
 * {@link EnvironmentException} names an unsuitable component and the artifact to use. Written in Java, because Scala
 * classes for another Scala version fail before they can report it.
 */
public final class AndironPlugin implements SparkPlugin {

  @Override
  public DriverPlugin driverPlugin() {
    return fits(Requirements.problemOfDriver()) ? new AndironDriver() : null;
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return fits(Requirements.problem()) ? new AndironExecutor() : null;
  }

  /** Throws for a problem, unless Andiron is disabled. */
  private static boolean fits(String problem) {
    if (problem != null && !isOff()) throw new EnvironmentException(Requirements.CODE, problem, null);
    return problem == null;
  }

  private static boolean isOff() {
    SparkEnv env = SparkEnv.get();
    return env != null && env.conf().get("spark.andiron.enabled", "true").trim().equalsIgnoreCase("false");
  }
}
