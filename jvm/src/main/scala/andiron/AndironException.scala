package andiron

import com.fasterxml.jackson.databind.JsonNode

/**
 * Base class of Andiron's exceptions. `code` identifies the error and is stable across releases; the message names
 * dataset, version, source and cause where applicable, and a remedy.
 */
class AndironException(val code: Int, message: String, cause: Throwable) extends RuntimeException(message, cause)

/** A row's version is null or not in the catalog. */
class UnknownVersionException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** The requested versions exceed the budget, or the budget did not become free in time. */
class BudgetException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** A version's source is missing, changed while it was read, or differs from the catalog's declaration. */
class SourceException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** A loader threw or took too long. */
class LoadException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** The local directory or disk under `spark.andiron.cache.dir` reported an error. */
class StoreException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** A lease, cursor, value or catalog was used after it was released or closed. */
class ReleasedException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** A setting or argument cannot be read, contradicts another, or is missing. */
class SettingException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** The metrics' log or reports cannot be used. */
class MetricsException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/**
 * A step exceeds a limit of its gate, or cannot be judged. The message has counts, ratio, limit and the most frequent
 * causes.
 */
class GateException(code: Int, message: String, val step: String, cause: Throwable) extends AndironException(code, message, cause)

private[andiron] object GateException {

  /** The exception for a step without available figures. */
  def unknown(step: Step, reason: String, cause: Throwable = null): GateException =
    new GateException(ErrorCode.GateUnknown, s"$step cannot be judged and therefore fails its gate: $reason", step.name, cause)

  private def percent(ratio: Double): String =
    new java.math.BigDecimal(100 * ratio).round(new java.math.MathContext(6)).stripTrailingZeros.toPlainString

  /** The exception for a verdict; None if the verdict passes. */
  def of(step: String, verdict: JsonNode): Option[GateException] =
    if (verdict.path("passed").asBoolean(false)) None
    else {
      var causes = Vector.empty[String]
      var sampled = 0L
      verdict.path("top_causes").forEach { cause =>
        val (group, error) = (cause.path("group").asText(), cause.path("error_class").asText())
        val name = if (group.isEmpty) error else group
        val example = if (group.isEmpty) cause.path("message").asText() else s"$error: ${cause.path("message").asText()}"
        val messages = cause.path("messages").asLong(1)
        sampled += cause.path("count").asLong()
        causes :+= s"${cause.path("count").asLong()} x $name: ${if (messages > 1) s"$messages different messages, for example: " else ""}$example"
      }
      val site = if (verdict.has("site")) s", ${verdict.path("site").asText()}," else ""
      val in = verdict.path("in").asLong()
      val dropped = verdict.path("dropped").asLong()
      val counts = s"step '$step'$site has dropped $dropped of $in ${if (in == 1) "row" else "rows"}"
      val ratio = if (verdict.has("ratio")) s" (${percent(verdict.path("ratio").asDouble())} %)" else ""
      val because = if (causes.isEmpty) "" else causes.mkString(if (sampled < dropped) s"; causes of $sampled sampled rows: " else "; causes: ", ", ", "")
      val reason = verdict.path("reason").asText()
      if (verdict.path("result").asText() == "unknown")
        Some(new GateException(ErrorCode.GateUnknown, s"step '$step' cannot be judged, and fails its gate for that: $reason$because", step, null))
      else Some(new GateException(ErrorCode.GateFailed, s"$counts$ratio: $reason$because", step, null))
    }
}

/** A table's files, rows or limits do not allow the operation. */
class TableException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** Native code panicked; the process continues. */
class NativePanicException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** The native library cannot be found, verified or loaded, or was built from other sources than these classes. */
class NativeLibraryException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** The jar does not support this Java, Scala, Spark or platform. The message names the jar or version to use. */
class EnvironmentException(code: Int, message: String, cause: Throwable) extends AndironException(code, message, cause)

/** Error codes raised by the JVM side. Numbers and meanings equal those of `Code` in native/src/error.rs. */
private[andiron] object ErrorCode {
  val UnknownVersion = 100
  val NullVersion = 101
  val SourceMissing = 103
  val SourceSizeMismatch = 104
  val SourceChanged = 105
  val ChecksumMismatch = 106
  val LoadFailed = 107
  val BudgetDeadlock = 110
  val DiskLimit = 112
  val CatalogClosed = 113
  val Released = 114
  val NotConfigured = 115
  val BadSetting = 116
  val EncryptionRefused = 117
  val Io = 119
  val GateFailed = 200
  val GateUnknown = 201
  val DirectCommitter = 202
  val AllDropped = 203
  val Unguarded = 204
  val BadHandle = 400
  val Panic = 401
  val AbiMismatch = 402
  val BadArgument = 403
  val TableDamaged = 500
  val TableFormat = 501
  val TableLimit = 502
  val TableSchema = 503
  val DuplicateKeys = 504
  val NullKey = 505
  val TableInUse = 506
  val TableConflict = 507
}

object AndironException {

  /** An exception of the class for `code`; an unknown code gives the base class with that number. */
  private[andiron] def of(code: Int, message: String, cause: Throwable): AndironException = make(code, readable(message), cause)

  /** Limit on a message's length: messages quote the user's names and messages, which may be of any length. */
  private val MostCharacters = 4000

  private def readable(message: String): String =
    if (message.length <= MostCharacters) message
    else {
      val half = MostCharacters / 2 - 50
      s"${message.take(half)} ... (${message.length - 2 * half} characters left out) ... ${message.takeRight(half)}"
    }

  private def make(code: Int, message: String, cause: Throwable): AndironException = code match {
    case 100 | 101                               => new UnknownVersionException(code, message, cause)
    case 102 | 109 | 110                         => new BudgetException(code, message, cause)
    case 103 | 104 | 105 | 106                   => new SourceException(code, message, cause)
    case 107 | 108                               => new LoadException(code, message, cause)
    case 111 | 112 | 117 | 118 | 119             => new StoreException(code, message, cause)
    case 113 | 114 | ErrorCode.BadHandle         => new ReleasedException(code, message, cause)
    case 200 | 201 | 202 | 203 | 204                         => new GateException(code, message, "", cause)
    case 300 | 301 | 302 | 303 | 304             => new MetricsException(code, message, cause)
    case 115 | 116 | ErrorCode.BadArgument       => new SettingException(code, message, cause)
    case 500 | 501 | 502 | 503 | 504 | 505 | 506 | 507 => new TableException(code, message, cause)
    case ErrorCode.Panic                         => new NativePanicException(code, message, cause)
    case ErrorCode.AbiMismatch                   => new NativeLibraryException(code, message, cause)
    case _                                       => new AndironException(code, message, cause)
  }
}
