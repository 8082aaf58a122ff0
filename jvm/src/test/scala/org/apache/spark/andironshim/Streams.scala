package org.apache.spark.andironshim

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}

/** A stream whose rows a test adds. Its class has another package in Spark 4.1, so that it is found by its name. */
final class MemoryRows private[andironshim] (made: AnyRef) {
  private def call(name: String, arguments: AnyRef*): AnyRef = {
    val method = made.getClass.getMethods.find(m => m.getName == name && m.getParameterCount == arguments.size).get
    method.invoke(made, arguments: _*)
  }

  def frame: Dataset[Long] = call("toDS").asInstanceOf[Dataset[Long]]

  def add(rows: Seq[Long]): Unit = {
    val method = made.getClass.getMethods.filter(m => m.getName == "addData" && m.getParameterCount == 1)
      .find(m => m.getParameterTypes.head.isAssignableFrom(rows.getClass)).get
    method.invoke(made, rows): Unit
  }
}

object Streams {
  private val Names = Seq("org.apache.spark.sql.execution.streaming.runtime.MemoryStream$", "org.apache.spark.sql.execution.streaming.MemoryStream$")

  def memory(spark: SparkSession): MemoryRows = {
    val companion = Names.iterator.map(name => scala.util.Try[Class[_]](Class.forName(name))).collectFirst { case scala.util.Success(found) => found }.get
    val module = companion.getField("MODULE$").get(null)
    val applies = companion.getMethods.filter(_.getName == "apply").filter(_.getParameterCount == 2)
    val encoder: Encoder[Long] = Encoders.scalaLong
    val apply = applies.find(_.getParameterTypes.exists(_.isInstance(spark))).orElse(applies.headOption).get
    val arguments = apply.getParameterTypes.map { kind =>
      if (kind.isInstance(encoder)) encoder else if (kind.isInstance(spark)) spark else spark.getClass.getMethod("sqlContext").invoke(spark)
    }
    new MemoryRows(apply.invoke(module, arguments: _*))
  }
}
