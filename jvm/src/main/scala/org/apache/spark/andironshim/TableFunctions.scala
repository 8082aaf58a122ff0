package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.spark.SparkContext
import org.apache.spark.sql.{Column, SparkSession, SparkSessionExtensions}
import org.apache.spark.sql.catalyst.{FunctionIdentifier, InternalRow}
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry
import org.apache.spark.sql.catalyst.expressions.{Expression, ExpressionInfo, Literal}
import org.apache.spark.sql.catalyst.expressions.codegen.{CodegenContext, ExprCode}
import org.apache.spark.sql.catalyst.expressions.codegen.Block._
import org.apache.spark.sql.functions
import org.apache.spark.sql.types.{DataType, NullType, StringType}
import org.apache.spark.unsafe.types.UTF8String
import org.slf4j.LoggerFactory

/** The tables that functions name. Each method throws if the name, or a type of an argument, does not fit. */
trait LookupTables {

  /** `name` is None if the argument is no constant text. */
  def lookup(name: Option[String], version: DataType, key: Seq[DataType]): LookupSource

  def times(name: Option[String], time: DataType): VersionTimes

  /** The error for a call of the function with this number of arguments. */
  def refuse(function: String, arguments: Int): Nothing
}

/**
 * The versions of a table by the time from which on they are valid, ascending. Any thread.
 *
 * @param micros the times in microseconds since 1970; of equal ones the last version holds
 */
final class VersionTimes(val label: String, micros: Array[Long], names: Array[String]) extends Serializable {
  private val texts = names.map(UTF8String.fromString)

  /** The name of the version that is valid at `time`; null before the first. */
  def at(time: Long): UTF8String = {
    var (low, high) = (0, micros.length)
    while (low < high) {
      val middle = (low + high) >>> 1
      if (micros(middle) <= time) low = middle + 1 else high = middle
    }
    if (low == 0) null else texts(low - 1)
  }

  override def equals(other: Any): Boolean = other match {
    case that: VersionTimes => label == that.label && java.util.Arrays.equals(micros, that.allMicros) && texts.sameElements(that.allTexts)
    case _                  => false
  }

  override def hashCode: Int = label.hashCode + 31 * java.util.Arrays.hashCode(micros)

  private def allMicros: Array[Long] = micros
  private def allTexts: Array[UTF8String] = texts
}

/** The name of the version that is valid at a time. */
private[andironshim] final case class TableVersionAt(times: VersionTimes, time: Expression) extends Expression {
  override def children: Seq[Expression] = Seq(time)

  override def nullable: Boolean = true

  override def foldable: Boolean = time.foldable

  override def dataType: DataType = StringType

  override def prettyName: String = TableFunctions.VersionAt

  override def toString: String = s"$prettyName(${times.label}, $time)"

  override def sql: String = s"$prettyName('${times.label}', ${time.sql})"

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): TableVersionAt = copy(time = newChildren.head)

  override def eval(input: InternalRow): Any = {
    val at = time.eval(input)
    if (at == null) null else times.at(at.asInstanceOf[Long])
  }

  override protected def doGenCode(ctx: CodegenContext, ev: ExprCode): ExprCode = {
    val of = ctx.addReferenceObj("versionTimes", times, classOf[VersionTimes].getName)
    val at = time.genCode(ctx)
    ev.copy(code = code"""
       |${at.code}
       |UTF8String ${ev.value} = ${at.isNull} ? null : $of.at(${at.value});
       |boolean ${ev.isNull} = ${ev.value} == null;
     """.stripMargin)
  }
}

/** For `spark.sql.extensions`: adds the functions of tables to every session. */
final class TableExtensions extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit =
    TableFunctions.all.foreach { function => extensions.injectFunction((FunctionIdentifier(function.name), function.info, function.build)) }
}

/** The functions of tables: their expressions, and how sessions get them. */
object TableFunctions {
  private val log = LoggerFactory.getLogger("andiron.TableFunctions")

  /** The name of the function that gives a record. */
  val Lookup = "andiron_lookup"

  /** The name of the function that gives the name of the version that is valid at a time. */
  val VersionAt = "andiron_version_at"

  private[andironshim] final case class Function(name: String, usage: String, build: Seq[Expression] => Expression) {
    def info: ExpressionInfo = new ExpressionInfo(TableFunctions.getClass.getName.stripSuffix("$"), null, name, usage, "", "", "", "", "", "", "scala_udf")
  }

  private[andironshim] val all: Seq[Function] = Seq(
    Function(Lookup, "_FUNC_(table, version, key...) - The record of the key in the version of the table, as a struct; null if there is none.", lookup),
    Function(VersionAt, "_FUNC_(table, time) - The name of the table's version that is valid at the time; null before the first.", versionAt))

  @volatile private var tables: Option[LookupTables] = None

  /** Adds the functions to future sessions. Call it before the first session. */
  def prepare(context: SparkContext, by: LookupTables): Unit =
    try {
      tables = Some(by)
      StepPlanning.extend(context, classOf[TableExtensions].getName)
    } catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("sessions have the functions of tables from their first use on", e) }

  /** Adds the functions to the session, unless it has them. The method is looked up, since Spark 4 has it in a subclass. */
  def install(session: SparkSession, by: LookupTables): Unit = {
    tables = Some(by)
    val state = session.getClass.getMethod("sessionState").invoke(session)
    val registry = state.getClass.getMethod("functionRegistry").invoke(state).asInstanceOf[FunctionRegistry]
    all.foreach { function =>
      val name = FunctionIdentifier(function.name)
      if (!registry.functionExists(name)) registry.registerFunction(name, function.info, function.build)
    }
  }

  /** A call of the function with this name. */
  def call(function: String, arguments: Seq[Column]): Column = functions.call_function(function, arguments: _*)

  private def lookup(arguments: Seq[Expression]): Expression = arguments match {
    case Seq(table, version, first, others @ _*) =>
      val keys = first +: others
      val source = of(Lookup, arguments).lookup(text(table), version.dataType, keys.map(_.dataType))
      if ((version +: keys).exists(_.dataType == NullType)) Literal(null, source.result) else TableLookup(source, version, keys)
    case _ => of(Lookup, arguments).refuse(Lookup, arguments.size)
  }

  private def versionAt(arguments: Seq[Expression]): Expression = arguments match {
    case Seq(table, time) =>
      val times = of(VersionAt, arguments).times(text(table), time.dataType)
      if (time.dataType == NullType) Literal(null, StringType) else TableVersionAt(times, time)
    case _ => of(VersionAt, arguments).refuse(VersionAt, arguments.size)
  }

  private def text(argument: Expression): Option[String] = argument match {
    case Literal(value: UTF8String, _: StringType) => Some(value.toString)
    case _                                         => None
  }

  private def of(function: String, arguments: Seq[Expression]): LookupTables =
    tables.getOrElse(throw new IllegalStateException(s"$function of ${arguments.size} arguments: no application with Andiron runs here"))
}
