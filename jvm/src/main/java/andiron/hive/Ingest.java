package andiron.hive;

import andiron.internal.Requirements;

/**
 * Writes events into the tables of a Hive database:
 * {@code spark-submit --class andiron.hive.Ingest <jar> --from kafka ...} or {@code --from log ...}. Without
 * {@code --follow} it stops after the events present at the start; with it, it continues. Creates missing tables and
 * views. It may be killed and restarted at any moment: the new run continues, and the views show every event once. Run
 * one at a time per database. Exit status: 0 done, 1 failed, 2 misused.
 */
public final class Ingest {

  private Ingest() {}

  public static void main(String[] arguments) {
    Requirements.exitUnlessMet("andiron.hive.Ingest");
    IngestCommand.main(arguments);
  }
}
