package stranger

/** Programs of users': names that they import beside Andiron's keep their meaning, in either order. That this compiles is the test. */
object Imports {
  object SparkFirst {
    import org.apache.spark._
    import andiron._

    def step(session: sql.SparkSession): Step = Step(session, "spark-first")
    def conf: SparkConf = new SparkConf().set(AndironConf.LogDirectory.key, "log")
    def list: java.util.List[String] = new java.util.ArrayList[String]
  }

  object AndironFirst {
    import andiron._
    import org.apache.spark._

    def step(session: sql.SparkSession): Step = Step(session, "andiron-first")
    def gate(step: Step): Gate = Gate(step)
    def qualified(session: sql.SparkSession): andiron.Step = andiron.Step(session, "qualified")
    def conf: SparkConf = new SparkConf()
    def list: java.util.List[String] = new java.util.ArrayList[String]
  }

  object Alone {
    import andiron._

    def step(session: org.apache.spark.sql.SparkSession): Step = Step(session, "alone")
    def attempt: util.Try[Int] = util.Try(1)
    def list: java.util.List[String] = new java.util.ArrayList[String]
  }

  object WithSql {
    import org.apache.spark.sql._
    import org.apache.spark.sql.functions._
    import andiron._

    def rows(step: Step, all: Dataset[String])(implicit encoder: Encoder[Int]): Dataset[Int] = step.map(all)(_.length)
    def column: Column = col("a")
  }
}
