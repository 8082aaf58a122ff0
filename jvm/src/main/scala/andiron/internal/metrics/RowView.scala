package andiron.internal.metrics

import org.apache.spark.sql.Row

/**
 * The presentation of failed rows, by the user's functions. An exception of such a function gives a replacement text.
 *
 * @param secret key for the hashes of rows, if `redact` is set
 * @param elsewhere set if redaction is a function in another language, already applied to key, record and version
 */
private[andiron] final case class RowView[T](
    key: Option[T => Any], describe: Option[T => String], version: Option[T => String], redact: Option[String => String],
    group: Option[(T, Throwable) => Any] = None, secret: Option[HashSecret] = None, elsewhere: Option[RedactedView[T]] = None) {

  /**
   * The row's key; None without a key function or for a null key, and also if the function throws, since a replacement
   * text would not identify the row.
   */
  def keyOf(row: T): Option[String] =
    try key.flatMap(f => Option[Any](f(row))).flatMap(of => Option(String.valueOf(of)))
    catch { case _: Throwable => None }

  /** The row itself as text. */
  def recordOf(row: T): String = RowView.shown(describe.fold(RowView.text(row))(_(row)))

  def versionOf(row: T): Option[String] = version.map(f => RowView.shown(f(row)))

  /** The user's group for the row's failure. */
  def groupOf(row: T, error: Throwable): Option[String] = group.map(f => RowView.shown(String.valueOf(f(row, error))))

  /** The text after redaction. */
  def redacted(text: String): String = redact.fold(text)(f => RowView.shown(f(text)))

  /** A hash that is equal for the same place and text in every attempt. */
  def hash(place: String, text: String): Long = secret.fold(FailureSamples.hash(place, text))(_.hash(place, text))
}

/**
 * A row after redaction by a function in another language, which cannot be called here: the input of its hash, which is
 * not shown, and its error's stack.
 */
private[andiron] final case class RedactedView[T](identity: T => String, stack: T => String)

/** An exception whose message may be shown without redaction. */
private[andiron] trait SafeToShow { this: Throwable => }

private[andiron] object RowView {
  def plain[T]: RowView[T] = RowView[T](None, None, None, None)

  /** The text, or a replacement text if it cannot be computed. */
  def shown(text: => String): String =
    try String.valueOf(text)
    catch { case t: Throwable => s"(not shown: ${t.getClass.getName})" }

  /** Columns as text. */
  def ofColumns(columns: Seq[(String, Any)]): String = columns.map { case (name, value) => s"$name=${text(value)}" }.mkString("[", ", ", "]")

  /**
   * Shows arrays, at any place in the row, by their elements, and bytes in hexadecimal: Java's own text of an array
   * differs in every attempt.
   */
  private def text(row: Any): String = row match {
    case bytes: Array[Byte]               => bytes.iterator.take(MostElements).map(b => f"${b & 0xff}%02x").mkString("0x", "", "")
    case array: Array[_]                  => joined(array.iterator, "[", ", ", "]")
    case row: Row if hasArray(row)        => joined(row.toSeq.iterator, "[", ",", "]")
    case Elements(all) if hasArray(row)   => joined(all.iterator, "[", ", ", "]")
    case some: Product if hasArray(row)   => joined(some.productIterator, (if (some.productPrefix.startsWith("Tuple")) "" else some.productPrefix) + "(", ",", ")")
    case other                            => String.valueOf(other)
  }

  private def joined(values: Iterator[Any], from: String, between: String, to: String): String =
    values.take(MostElements).map(text).mkString(from, between, to)

  private def hasArray(value: Any, depth: Int = 0): Boolean = depth < MostDepth && (value match {
    case _: Array[_]   => true
    case row: Row      => row.toSeq.exists(hasArray(_, depth + 1))
    case Elements(all) => all.iterator.take(MostElements).exists(hasArray(_, depth + 1))
    case some: Product => some.productIterator.exists(hasArray(_, depth + 1))
    case _             => false
  })

  /** Sequences that exist in memory, not computed on access. */
  private object Elements {
    def unapply(value: Any): Option[scala.collection.Seq[Any]] = value match {
      case all: scala.collection.IndexedSeq[_] => Some(all)
      case all: List[_]                        => Some(all)
      case _                                   => None
    }
  }

  private val MostElements = 4096
  private val MostDepth = 8
}
