package andiron.internal.boundary

import java.nio.ByteBuffer

import andiron.AndironException

/**
 * The entries of the native library for metrics, on the driver; the rules are those of [[Native]]. `metrics` is the handle of an
 * application. docs/internals/wire-format.md defines the JSON and the bytes.
 */
private[andiron] object NativeMetrics {

  /** The metrics of an application: `settings` are `key=value` lines, `facts` the body of its Application event. */
  @native def open(settings: String, facts: String): Long

  /** Names an accumulator before its first update. `kind`: 0 sum of longs, 1 of doubles, 2 other, 3 a long that is no sum, 4 a double. Again when the kind of
   * one that was other is known. */
  @native def accumulator(metrics: Long, id: Long, name: String, kind: Int): Unit

  /** The end of a task, packed into the first `length` bytes of a direct buffer. */
  @native def taskEnds(metrics: Long, buffer: ByteBuffer, length: Int): Unit

  /** Any other event; `kind` is one of [[EventKind]]. */
  @native def event(metrics: Long, kind: Int, json: String): Unit

  /** One cell of a step, of one task. */
  @native def stepCell(metrics: Long, cell: Array[Byte]): Unit

  /** The verdict on a step, as JSON, by the limits in `limits`. */
  @native def judge(metrics: Long, step: String, limits: String): String

  /** The answer to a question, both as JSON. */
  @native def ask(metrics: Long, question: String): String

  /** What the step of this number has counted, as JSON. */
  @native def stepFigures(metrics: Long, step: Long): String

  /** The samples of failed rows of the step of this number, or of all steps if it is 0: a JSON list of Failure bodies, each with its application and run. */
  @native def failures(metrics: Long, step: Long): String

  /** Notes that the event number `number` has arrived. */
  @native def sentinel(metrics: Long, number: Long): Unit

  /** Waits at most `millis` (<= 100) for that. */
  @native def awaitSentinel(metrics: Long, number: Long, millis: Long): Boolean

  /** How many events Spark has dropped before they came here, in all. */
  @native def droppedEvents(metrics: Long, count: Long): Unit

  /** Ships what has changed and waits until it is durable, at most `millis`. */
  @native def flush(metrics: Long, millis: Long): Boolean

  /** The application has ended; `json` adds to its Application event. Waits at most `millis`. What comes later is still counted. */
  @native def end(metrics: Long, json: String, millis: Long): Unit

  /** All figures, as JSON. */
  @native def figures(metrics: Long): String

  /** The series of this application, as a JSON list of `name`, `tags` (each a list of key and value) and `value`. */
  @native def series(metrics: Long): String

  /** Throws a SettingException if the settings cannot be published by. */
  @native def atlasCheck(settings: String): Unit

  /**
   * Starts to publish the figures of this process; what published before ends. `application`: whose cache; `metrics`: the handle of its
   * metrics, or 0. The publisher's number.
   */
  @native def atlasStart(settings: String, application: String, metrics: Long): Long

  /** What has become of the points of a publisher, as JSON. */
  @native def atlasFigures(publisher: Long): String

  /** Publishes once more and ends; waits at most `millis`. False if no answer has come by then. Idempotent. */
  @native def atlasStop(publisher: Long, millis: Long): Boolean

  /** The report on an application in a log directory, as text or as an HTML page. */
  @native def report(logDirectory: String, application: String, html: Boolean): String

  /** The command `andiron` with a JSON list of arguments: its exit status, and what it prints, as JSON (`status`, `out`, `err`). */
  @native def command(arguments: String): String

  /** The secret of a run, as hexadecimal digits: the same for the same log directory, which has a file with what it is derived from. */
  @native def secret(logDirectory: String, run: String): String

  /** Throws if no sinks can be made of `settings`, lines of MetricsFacts.sinks; contacts nobody. */
  @native def checkSinks(settings: String): Unit

  /** Builds the exception for an error of the library, which calls it. */
  private[internal] def failure(code: Int, message: String, cause: Throwable): Throwable = AndironException.of(code, message, cause)
}

/** What an event of [[NativeMetrics.event]] is. */
private[andiron] object EventKind {
  val StageSubmitted = 1
  val StageCompleted = 2
  val JobStart = 3
  val JobEnd = 4
  val Execution = 5
  val LogLine = 6
  val StepDeclared = 7

  /** A text instead of JSON: what went wrong in a callback of Spark's. */
  val CallbackFailed = 8
  val AccumulatorValues = 20
  val Speculation = 21
}
