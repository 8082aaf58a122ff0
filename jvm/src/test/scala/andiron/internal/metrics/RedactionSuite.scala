package andiron.internal.metrics

import java.nio.file.{Files, Path}
import java.nio.file.attribute.PosixFilePermissions

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** The log of redacted rows. */
@RunWith(classOf[SuiteRunner])
class RedactionSuite extends AnyFunSuite {
  private val phones = Seq("+15550001", "+15550002", "+15550003")

  private def unsigned(hash: Long): String = java.lang.Long.toUnsignedString(hash)

  private def keyHashes(log: String): Set[String] = "\"key_hash\":\"(\\d+)\"".r.findAllMatchIn(log).map(_.group(1)).toSet

  /** Every row but one fails. Returns the logged events. */
  private def logOf(directory: Path, conf: (String, String)*)(operators: Step => StepRows[String]): String = {
    withSpark("local[2]", settings(directory) ++ conf: _*) { spark =>
      val step = Step(spark, "phones")
      val rows = spark.sparkContext.parallelize(phones :+ "", 2)
      assert(operators(step).map(rows)(phone => if (phone.isEmpty) 0 else throw new IllegalArgumentException(s"no member has $phone")).count() == 1)
      assert(MetricsApplication.of(spark.sparkContext).get.flush(20000))
      step.close()
    }
    logged(directory)
  }

  private def hidden(step: Step): StepRows[String] = step.keyed[String](phone => phone).redact(_.replaceAll("\\+\\d+", "PHONE"))

  test("hashes of redacted keys and rows cannot be tried out, and nothing else tells them") {
    for (operators <- Seq[Step => StepRows[String]](hidden, _.redact(_.replaceAll("\\+\\d+", "PHONE")))) withDirectory { directory =>
      val log = logOf(directory)(operators)
      assert(log.contains("no member has PHONE"))
      phones.foreach { phone =>
        assert(!log.contains(phone))
        val place = "\"site\":\"([^\"]*)\"".r.findFirstMatchIn(log).get.group(1)
        Seq("", place).foreach(of => assert(!log.contains(unsigned(FailureSamples.hash(of, phone))), s"$of $phone"))
      }
    }
  }

  test("without redact the hash is that of the key alone") {
    withDirectory { directory =>
      val log = logOf(directory)(_.keyed[String](phone => phone))
      assert(keyHashes(log) == phones.map(phone => unsigned(FailureSamples.hash("", phone))).toSet)
    }
  }

  test("a run has the same hashes after a restart, another run has others") {
    withDirectory { directory =>
      val secret = directory.resolve("log").resolve("hash.secret")
      def run(id: String, at: Path = directory): Set[String] = {
        val before = if (Files.exists(at.resolve("log"))) keyHashes(logged(at)) else Set.empty[String]
        keyHashes(logOf(at, "spark.andiron.run.id" -> id)(hidden)) -- before
      }
      val first = run("nightly")
      assert(first.size == 3)
      assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(secret)) == "rw-------")
      assert(run("nightly").isEmpty, "they are known already")
      val other = run("weekly")
      assert(other.size == 3 && other.intersect(first).isEmpty)
      withDirectory(elsewhere => assert(run("nightly", elsewhere).intersect(first).isEmpty))
    }
  }

  test("the secret is in no setting and in no log, and one that others could read is not used") {
    withDirectory { directory =>
      val log = directory.resolve("log")
      logOf(directory)(hidden)
      val secret = log.resolve("hash.secret")
      val content = Files.readAllBytes(secret)
      val hex = content.map(b => f"${b & 0xff}%02x").mkString
      files(log).filterNot(_ == "hash.secret").foreach { file =>
        val bytes = Files.readAllBytes(log.resolve(file))
        assert(bytes.toSeq.indexOfSlice(content.toSeq) < 0 && !new String(bytes, "ISO-8859-1").contains(hex), file)
      }
      val before = keyHashes(logged(directory))
      Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-r-----"))
      assert((keyHashes(logOf(directory)(hidden)) -- before).size == 3)
    }
  }

  test("what is cut is redacted first, also in messages and stacks") {
    withDirectory { directory =>
      withSpark("local[2]", settings(directory): _*) { spark =>
        val step = Step(spark, "cut")
        val redacting = step.keyed[Int](n => "k" * (190 + n) + "SECRET").describe(n => "r" * (2040 + n) + "SECRET").version(_ => "SECRET")
          .redact(text => if (text.contains("SECRET")) text.replace("SECRET", "*") else s"left as it was: $text")
        assert(redacting.map(spark.sparkContext.parallelize(0 until 12, 2)) { n =>
          val length = if (n % 2 == 0) 490 + n else 5960 + n
          if (n == 0) n else throw new IllegalStateException("m" * length + "SECRET", new RuntimeException("SECRET"))
        }.count() == 1)
        assert(MetricsApplication.of(spark.sparkContext).get.flush(20000))
        val log = logged(directory)
        assert(log.contains("kkk") && log.contains("mmm") && log.contains("rrr"))
        Seq("kkkS", "mmmS", "rrrS", "SEC").foreach(part => assert(!log.contains(part), part))
      }
    }
  }
}
