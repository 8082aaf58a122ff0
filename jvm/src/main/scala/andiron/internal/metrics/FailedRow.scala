package andiron.internal.metrics

import andiron.internal.util.UserError

/** A failed row in the form that samples show. All shown texts are redacted. No method throws. */
private[andiron] abstract class FailedRow(view: RowView[_]) {

  /** Text that identifies the row in every attempt; it is hashed and not shown. */
  def identity: String

  def hasKey: Boolean

  def key: Option[String]

  def record: String

  def version: Option[String]

  /** The user's group for the error. */
  def group(error: Throwable): Option[String]

  def message(error: Throwable): String = view.redacted(ErrorTexts.message(error))

  def stack(error: Throwable): String = view.redacted(ErrorTexts.stack(error))

  final def hash(place: String): Long = view.hash(place, identity)
}

private[andiron] object FailedRow {

  /** A row whose function threw, or whose result could not be written. */
  final class Read[T](row: T, view: RowView[T]) extends FailedRow(view) {
    private val rawKey = view.keyOf(row)
    private lazy val rawRecord = view.recordOf(row)

    override def identity: String = view.elsewhere.fold(rawKey.getOrElse(rawRecord))(there => RowView.shown(there.identity(row)))

    override def hasKey: Boolean = rawKey.nonEmpty

    override def key: Option[String] = rawKey.map(view.redacted)

    override def record: String = view.redacted(rawRecord)

    override def version: Option[String] = view.versionOf(row).map(view.redacted)

    override def group(error: Throwable): Option[String] = view.groupOf(row, error).map(view.redacted)

    override def message(error: Throwable): String = if (view.elsewhere.isEmpty || error.isInstanceOf[SafeToShow]) super.message(error) else HiddenMessage

    override def stack(error: Throwable): String = view.elsewhere match {
      case None                                               => super.stack(error)
      case Some(there) if error.isInstanceOf[SafeToShow]      => RowView.shown(there.stack(row))
      case _                                                  => ErrorTexts.frames(error)
    }
  }

  /**
   * A row that could not be read. Its key is unknown. Its columns are shown only if the user has not defined how rows
   * are shown.
   */
  final class Unread(columns: () => Seq[(String, Any)], view: RowView[_]) extends FailedRow(view) {
    private lazy val text = RowView.shown(RowView.ofColumns(columns()))

    override def identity: String = text

    override def hasKey: Boolean = false

    override def key: Option[String] = None

    override def record: String = if (view.describe.isEmpty && view.elsewhere.isEmpty) view.redacted(text) else HiddenRow

    override def version: Option[String] = None

    override def group(error: Throwable): Option[String] = None

    override def message(error: Throwable): String = if (view.elsewhere.isEmpty) super.message(error) else HiddenMessage

    override def stack(error: Throwable): String = if (view.elsewhere.isEmpty) super.stack(error) else ErrorTexts.frames(error)
  }

  private val HiddenRow = "(cannot be read; its columns are not shown, because describe defines how rows are shown)"
  private val HiddenMessage = "(not shown: the error is not the function's, and redact cannot be called here)"
}

/** Texts of errors; a method of the error that throws gives a replacement text. */
private[andiron] object ErrorTexts {

  def message(error: Throwable): String =
    try String.valueOf(error.getMessage)
    catch { case t: Throwable => s"(its message cannot be read: ${t.getClass.getName})" }

  def trace(error: Throwable): Array[StackTraceElement] =
    try error.getStackTrace.filter(_ != null)
    catch { case _: Throwable => Array.empty }

  /** Messages, causes and frames. */
  def stack(error: Throwable): String = {
    val text = new java.io.StringWriter
    try UserError.presentable(error).printStackTrace(new java.io.PrintWriter(text))
    catch { case t: Throwable => text.write(s"(cannot be printed: ${t.getClass.getName})") }
    text.toString
  }

  /** Class and frames only. */
  def frames(error: Throwable): String = trace(error).map(frame => s"\tat $frame").mkString(error.getClass.getName + "\n", "\n", "\n")
}
