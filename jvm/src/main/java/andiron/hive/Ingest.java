package andiron.hive;

import andiron.internal.Requirements;

/**
 * Puts events into the tables of a Hive database: {@code spark-submit --class andiron.hive.Ingest <jar> --from kafka ...} or
 * {@code --from log ...}; without {@code --follow} what there is, with it also what comes. Makes tables and views that are not there. May be
 * killed and started again at any moment: nothing is lost, and the views show every event once. One at a time for one database. Exit status:
 * 0 done, 1 failed, 2 misused.
 */
public final class Ingest {

  private Ingest() {}

  public static void main(String[] arguments) {
    Requirements.exitUnlessMet("andiron.hive.Ingest");
    IngestCommand.main(arguments);
  }
}
