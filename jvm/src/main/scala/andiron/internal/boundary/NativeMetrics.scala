package andiron.internal.boundary

import java.nio.ByteBuffer

import andiron.AndironException

/**
 * The native entries for metrics, on the driver; the rules of [[Native]] apply. `metrics` is the handle of an
 * application's metrics. docs/internals/wire-format.md defines the JSON and the binary formats.
 */
private[andiron] object NativeMetrics {

  /**
   * Opens the metrics of an application: `settings` are `key=value` lines, `facts` the body of its Application event.
   * Returns the handle.
   */
  @native def open(settings: String, facts: String): Long

  /**
   * Declares an accumulator before its first update. `kind`: 0 sum of longs, 1 sum of doubles, 2 other, 3 a long that
   * is not a sum, 4 a double that is not a sum. Called again when the kind of an accumulator declared as other becomes
   * known.
   */
  @native def accumulator(metrics: Long, id: Long, name: String, kind: Int): Unit

  /** Task ends, packed into the first `length` bytes of a direct buffer. */
  @native def taskEnds(metrics: Long, buffer: ByteBuffer, length: Int): Unit

  /** Any other event; `kind` is one of [[EventKind]]. */
  @native def event(metrics: Long, kind: Int, json: String): Unit

  /** One task's cell of a step. */
  @native def stepCell(metrics: Long, cell: Array[Byte]): Unit

  /** The verdict on a step under `limits`, as JSON. */
  @native def judge(metrics: Long, step: String, limits: String): String

  /** The answer to a question; both are JSON. */
  @native def ask(metrics: Long, question: String): String

  /** The counters of the step with this number, as JSON. */
  @native def stepFigures(metrics: Long, step: Long): String

  /**
   * The samples of failed rows of the step with this number, or of all steps for 0: a JSON list of Failure bodies, each
   * with its application and run.
   */
  @native def failures(metrics: Long, step: Long): String

  /** Records the arrival of sentinel event number `number`. */
  @native def sentinel(metrics: Long, number: Long): Unit

  /** Waits at most `millis` (<= 100) for this sentinel; whether it has arrived. */
  @native def awaitSentinel(metrics: Long, number: Long, millis: Long): Boolean

  /** Sets the total number of events that Spark dropped before delivery to Andiron. */
  @native def droppedEvents(metrics: Long, count: Long): Unit

  /** Ships all changes and waits at most `millis` until they are durable; returns whether they are. */
  @native def flush(metrics: Long, millis: Long): Boolean

  /**
   * Ends the application; `json` is added to its Application event. Waits at most `millis`. Later events are still
   * counted.
   */
  @native def end(metrics: Long, json: String, millis: Long): Unit

  /** All figures, as JSON. */
  @native def figures(metrics: Long): String

  /** The application's series, as a JSON list of `name`, `tags` (each a list of key and value) and `value`. */
  @native def series(metrics: Long): String

  /** Throws a SettingException if the settings are not valid for publishing. */
  @native def atlasCheck(settings: String): Unit

  /**
   * Starts publishing this process's figures and ends the previous publisher. `application`: the owner of the cache;
   * `metrics`: the handle of its metrics, or 0. Returns the publisher's number.
   */
  @native def atlasStart(settings: String, application: String, metrics: Long): Long

  /** The delivery figures of a publisher, as JSON. */
  @native def atlasFigures(publisher: Long): String

  /** Publishes once more and stops; waits at most `millis`. False if there was no answer by then. Idempotent. */
  @native def atlasStop(publisher: Long, millis: Long): Boolean

  /** The report on an application from a log directory, as text or as an HTML page. */
  @native def report(logDirectory: String, application: String, html: Boolean): String

  /**
   * Runs the command `andiron` with a JSON list of arguments. Returns exit status and output as JSON (`status`, `out`,
   * `err`).
   */
  @native def command(arguments: String): String

  /**
   * The secret of a run, in hexadecimal. The same for the same log directory, which stores the file that it is derived
   * from.
   */
  @native def secret(logDirectory: String, run: String): String

  /** Throws if no sinks can be created from `settings`, the lines of MetricsFacts.sinks. Connects to no server. */
  @native def checkSinks(settings: String): Unit

  /** Builds the exception for a native error; called by the library. */
  private[internal] def failure(code: Int, message: String, cause: Throwable): Throwable = AndironException.of(code, message, cause)
}

/** The kinds of events for [[NativeMetrics.event]]. */
private[andiron] object EventKind {
  val StageSubmitted = 1
  val StageCompleted = 2
  val JobStart = 3
  val JobEnd = 4
  val Execution = 5
  val LogLine = 6
  val StepDeclared = 7

  /** A text instead of JSON: the error of a callback from Spark. */
  val CallbackFailed = 8
  val AccumulatorValues = 20
  val Speculation = 21
}
