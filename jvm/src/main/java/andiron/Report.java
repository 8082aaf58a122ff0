package andiron;

import andiron.internal.Requirements;
import andiron.internal.metrics.ReportCommand;

/**
 * The command {@code andiron} as part of the jar:
 * {@code spark-submit --class andiron.Report <jar> report <application id> [--html <file>]}, and likewise {@code apps},
 * {@code diff}, {@code events}, {@code failures} and {@code ship}, with the same native implementation.
 * {@code --log-dir} may also be a URI as in {@code spark.andiron.log.archive}, except for {@code ship}, which must
 * record its progress in the log; the default is {@code spark.andiron.log.dir} in spark-submit's settings. Starts no
 * SparkContext. Exit status: 0 done, 1 failed, 2 misused.
 */
public final class Report {

  private Report() {}

  public static void main(String[] arguments) {
    Requirements.exitUnlessMet("andiron.Report");
    ReportCommand.main(arguments);
  }
}
