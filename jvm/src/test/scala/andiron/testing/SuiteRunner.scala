package andiron.testing

import org.junit.runner.manipulation.{Filterable, NoTestsRemainException, Filter => JUnitFilter}
import org.junit.runner.notification.{Failure, RunNotifier}
import org.junit.runner.{Description, Runner}
import org.scalatest.events._
import org.scalatest.{Args, ConfigMap, DynaTags, Filter, Reporter, Stopper, Suite, Tracker}

/**
 * Runs a ScalaTest suite under JUnit: `@RunWith(classOf[SuiteRunner])`.
 *
 * ScalaTest's own runner is silent about canceled tests and about a failing `afterAll`; here both fail, as do pending tests.
 * An ignored test is reported as skipped, which the build refuses.
 */
final class SuiteRunner(suiteClass: Class[_ <: Suite]) extends Runner with Filterable {
  private val suite: Suite = suiteClass.getDeclaredConstructor().newInstance()
  private var chosen: Set[String] = suite.testNames

  override def getDescription: Description = {
    val all = Description.createSuiteDescription(suiteClass)
    suite.testNames.filter(chosen).foreach(name => all.addChild(describe(name)))
    all
  }

  override def testCount: Int = chosen.size

  override def filter(filter: JUnitFilter): Unit = {
    chosen = chosen.filter(name => filter.shouldRun(describe(name)))
    if (chosen.isEmpty) throw new NoTestsRemainException
  }

  override def run(notifier: RunNotifier): Unit =
    try {
      val status = suite.run(None, Args(report(notifier), Stopper.default, onlyChosen, ConfigMap.empty, None, new Tracker))
      status.waitUntilCompleted()
      status.unreportedException.foreach(fail(notifier, getDescription, _))
    } catch { case e: Exception => fail(notifier, getDescription, e) }

  private def onlyChosen: Filter =
    if (chosen == suite.testNames) Filter.default
    else {
      val tag = "andiron.testing.Chosen"
      Filter(tagsToInclude = Some(Set(tag)), dynaTags = DynaTags(Map.empty, Map(suite.suiteId -> chosen.map(_ -> Set(tag)).toMap)))
    }

  private def report(notifier: RunNotifier): Reporter = {
    case e: TestStarting  => notifier.fireTestStarted(describe(e.testName))
    case e: TestSucceeded => notifier.fireTestFinished(describe(e.testName))
    case e: TestIgnored   => notifier.fireTestIgnored(describe(e.testName))
    case e: TestFailed    => end(notifier, e.testName, e.throwable, e.message)
    case e: TestCanceled  => end(notifier, e.testName, e.throwable, s"canceled, which counts as failed: ${e.message}")
    case e: TestPending   => end(notifier, e.testName, None, "pending, which counts as failed")
    case e: SuiteAborted  => fail(notifier, getDescription, e.throwable.getOrElse(new AssertionError(e.message)))
    case _                =>
  }

  private def end(notifier: RunNotifier, name: String, cause: Option[Throwable], message: String): Unit = {
    fail(notifier, describe(name), cause.getOrElse(new AssertionError(message)))
    notifier.fireTestFinished(describe(name))
  }

  private def fail(notifier: RunNotifier, what: Description, cause: Throwable): Unit = notifier.fireTestFailure(new Failure(what, cause))

  private def describe(name: String): Description = Description.createTestDescription(suiteClass, name)
}
