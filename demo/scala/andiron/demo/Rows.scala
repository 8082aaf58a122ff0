package andiron.demo

import org.apache.spark.sql.{Column, DataFrame, Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.{coalesce, col, lit, struct}
import org.apache.spark.sql.types.StructType

/** One flight, defined in demo/sources.py, with the name of its version. */
final case class Flight(
    id: Int, version: String, origin: String, hour: Int, tailnum: String, dest: String,
    depDelay: Int, arrDelay: Int, distance: Int)

/** The metadata's facts about one flight; Features.None for unknown values. */
final case class Facts(
    temp: Int, wind: Int, visib: Int, precip: Int,
    year: Int, seats: Int, engines: Int, planeFlights: Int,
    altitude: Int, zone: Int, airportFlights: Int)

/** The rows written by demo/prepare.py, one partition per file. */
final class Rows(spark: SparkSession, data: String) {
  import Rows._

  def flights: Dataset[Flight] = spark.read.schema(flightEncoder.schema).csv(s"$data/flights").as[Flight](flightEncoder)

  /** Flights with their facts, sorted by version within partitions. */
  def joined: Dataset[(Flight, Facts)] = {
    val schema = StructType(flightEncoder.schema.fields ++ factsEncoder.schema.fields)
    withFacts(spark.read.schema(schema).csv(s"$data/joined").sortWithinPartitions("version"))
  }

  /** Flights joined by Spark with the tables of the metadata. */
  def sparkJoin: Dataset[(Flight, Facts)] = {
    val flight = flights.toDF()
    val weather = table("weather", "version string, origin string, hour int, temp int, wind int, visib int, precip int")
    val planes = table("planes", "version string, tailnum string, year int, seats int, engines int, planeFlights int")
    val airports = table("airports", "version string, dest string, altitude int, zone int, airportFlights int")
    withFacts(flight
      .join(weather, Seq("version", "origin", "hour"), "left")
      .join(planes, Seq("version", "tailnum"), "left")
      .join(airports, Seq("version", "dest"), "left"))
  }

  private def table(name: String, schema: String): DataFrame = spark.read.schema(schema).csv(s"$data/tables/$name.csv")
}

object Rows {
  val flightEncoder: Encoder[Flight] = Encoders.product[Flight]
  val factsEncoder: Encoder[Facts] = Encoders.product[Facts]
  private val pairEncoder: Encoder[(Flight, Facts)] = Encoders.product[(Flight, Facts)]

  private def withFacts(rows: DataFrame): Dataset[(Flight, Facts)] = {
    val flight = flightEncoder.schema.fieldNames.map(name => col(name))
    val facts = factsEncoder.schema.fieldNames.map(name => coalesce(col(name), lit(Features.None)).as(name))
    rows.select(together(flight).as("_1"), together(facts).as("_2")).as[(Flight, Facts)](pairEncoder)
  }

  private def together(columns: Array[Column]): Column = struct(columns.toIndexedSeq: _*)
}
