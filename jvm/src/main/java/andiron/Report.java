package andiron;

import andiron.internal.Requirements;
import andiron.internal.metrics.ReportCommand;

/**
 * The command {@code andiron} for those who have the jar: {@code spark-submit --class andiron.Report <jar> report <application id> [--html <file>]},
 * and {@code apps}, {@code diff}, {@code events}, {@code failures} and {@code ship} alike. The same native code answers. {@code --log-dir} may be a URI of
 * {@code spark.andiron.log.archive} too, but for {@code ship}, which has to note in a log what it has shipped; without it the directory is
 * {@code spark.andiron.log.dir} of spark-submit's settings. Starts no SparkContext. Exit status: 0 done, 1 failed, 2 misused.
 */
public final class Report {

  private Report() {}

  public static void main(String[] arguments) {
    Requirements.exitUnlessMet("andiron.Report");
    ReportCommand.main(arguments);
  }
}
