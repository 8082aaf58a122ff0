package andiron;

import andiron.internal.AndironDriver;
import andiron.internal.AndironExecutor;
import andiron.internal.Requirements;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * {@code spark.plugins=andiron.AndironPlugin}: checks Java, Scala, Spark, platform, settings and library when the application starts, shows the
 * cache's figures in Spark's metrics system, releases what a task's own listener has missed, and carries figures and closed catalogs between
 * executors and driver. An {@link EnvironmentException} names what does not fit, and the artifact to take. In Java, since Scala classes of
 * another Scala fail before they can say so.
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

  /** Throws for a problem, unless Andiron is turned off. */
  private static boolean fits(String problem) {
    if (problem != null && !isOff()) throw new EnvironmentException(Requirements.CODE, problem, null);
    return problem == null;
  }

  private static boolean isOff() {
    SparkEnv env = SparkEnv.get();
    return env != null && env.conf().get("spark.andiron.enabled", "true").trim().equalsIgnoreCase("false");
  }
}
