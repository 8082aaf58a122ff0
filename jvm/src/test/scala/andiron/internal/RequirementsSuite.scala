package andiron.internal

import java.util.Properties

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

@RunWith(classOf[SuiteRunner])
class RequirementsSuite extends AnyFunSuite {

  private val jar = {
    val facts = new Properties
    Seq("version" -> "0.1.0", "scala" -> "2.13", "library.linux-x86_64" -> "libandiron.so", "library.macos-aarch64" -> "libandiron.dylib").foreach {
      case (key, value) => facts.setProperty(key, value)
    }
    facts
  }

  private def said(
      java: String = "17", scala: String = "2.13.8", spark: String = "3.5.4", platform: String = "linux-x86_64", facts: Properties = jar): Option[String] =
    Option(Requirements.said(facts, new Requirements.Found(java, "/opt/java", scala, spark, platform)))

  private def told(said: Option[String], parts: String*): Unit = {
    val text = said.getOrElse(fail("nothing is said"))
    parts.foreach(part => assert(text.contains(part), text))
  }

  test("this process has what the jar needs") {
    assert(Requirements.problem() == null && Requirements.problemOfDriver() == null)
    Requirements.require()
  }

  test("Java below 17 is refused with both versions and the setting") {
    for (old <- Seq("1.8", "9", "11", "16", "")) told(said(java = old), "Java 17 or newer", s"Java $old (/opt/java)", "JAVA_HOME", "spark.executorEnv.JAVA_HOME")
    for (good <- Seq("17", "21", "25")) assert(said(java = good).isEmpty)
  }

  test("another Scala is refused, and the artifact to take is named") {
    told(said(scala = "2.12.18"), "Scala 2.13, andiron_2.13", "this Spark, 3.5.4, has Scala 2.12.18", "andiron_2.12-0.1.0.jar", "--packages dev.andiron:andiron_2.12:0.1.0")
    told(said(scala = "2.11.12"), "Scala 2.11.12", "andiron_2.12 and andiron_2.13 only")
    told(said(scala = "2.130.1"), "Scala 2.130.1")
    for (good <- Seq("2.13.8", "2.13.18")) assert(said(scala = good).isEmpty)
  }

  test("Spark before 3.5 is refused; vendors' versions of later ones are taken") {
    for (old <- Seq("2.4.8", "3.0.1", "3.4.4", "3.4.1-amzn-0")) told(said(spark = old), s"Spark 3.5 or newer, and this is Spark $old")
    for (good <- Seq("3.5.0", "3.5.1-amzn-1", "3.5.0.3.3.5180.0-1", "3.10.0", "4.0.4", "4.2.0", "5.0.0-preview1", "unknown")) assert(said(spark = good).isEmpty)
  }

  test("a platform without a library is refused where one is asked for") {
    told(said(platform = "linux-riscv64"), "linux-riscv64", "It has linux-x86_64, macos-aarch64", "-Dandiron.native.path")
    assert(said(platform = null).isEmpty)
    told(said(facts = null), Requirements.FACTS)
    assert(said(facts = null, platform = null).isEmpty)
  }

  test("all that does not fit is said at once; without Spark, how to start") {
    told(said(java = "11", scala = "2.12.18", spark = "3.4.4", platform = "linux-riscv64"), "Java 11", "andiron_2.12-0.1.0.jar", "Spark 3.4.4", "linux-riscv64")
    told(said(scala = null, spark = null), "Spark is not on the class path", "spark-submit")
    told(said(scala = null), "Scala is not on the class path")
  }
}
