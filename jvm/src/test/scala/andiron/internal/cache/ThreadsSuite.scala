package andiron.internal.cache

import java.io.{ByteArrayInputStream, InputStream}
import java.lang.ref.WeakReference
import java.net.{URL, URLClassLoader}
import java.security.PrivilegedAction
import java.util.concurrent.{Callable, CountDownLatch, TimeUnit}

import org.apache.hadoop.security.UserGroupInformation
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.Sparks.eventually
import andiron.internal.util.DaemonThread
import andiron.testing.SuiteRunner

object ThreadsSuite {
  val inherited = new InheritableThreadLocal[AnyRef]

  /** Keeps a thread waiting that it has made; of its own class loader's classes there is only this one. */
  final class Maker extends Callable[CountDownLatch] {
    override def call(): CountDownLatch = {
      val end = new CountDownLatch(1)
      inherited.set(this)
      try Waiter.start(end)
      finally inherited.remove()
      end
    }
  }

  object Waiter {
    def start(end: CountDownLatch): Unit = DaemonThread("threads-suite", () => end.await()).start()
  }

  /** Defines `Maker` itself and leaves everything else to its parent. */
  final class OneClass(urls: Array[URL]) extends URLClassLoader(urls, classOf[ThreadsSuite].getClassLoader) {
    override def loadClass(name: String, resolve: Boolean): Class[_] =
      if (name != classOf[Maker].getName) super.loadClass(name, resolve)
      else Option(findLoadedClass(name)).getOrElse(findClass(name))
  }
}

@RunWith(classOf[SuiteRunner])
class ThreadsSuite extends AnyFunSuite {
  import ThreadsSuite._

  private def newLoader(): OneClass =
    new OneClass(Array(classOf[Maker].getProtectionDomain.getCodeSource.getLocation))

  /** The thread is created by a class of a class loader that is otherwise unreachable. */
  private def makeAndForget(): (WeakReference[ClassLoader], CountDownLatch) = {
    val loader = newLoader()
    val maker = loader.loadClass(classOf[Maker].getName).getDeclaredConstructor().newInstance().asInstanceOf[Callable[CountDownLatch]]
    val thread = Thread.currentThread()
    val before = thread.getContextClassLoader
    thread.setContextClassLoader(loader)
    try {
      val end = maker.call()
      (new WeakReference[ClassLoader](loader), end)
    } finally thread.setContextClassLoader(before)
  }

  test("a thread of Andiron's does not keep the class loader of who made it") {
    val (loader, end) = makeAndForget()
    try eventually("collected")({ System.gc(); loader.get() == null })
    finally end.countDown()
  }

  test("it has no thread-locals and no class loader of its maker's, and its errors reach nobody else") {
    var seen: Seq[AnyRef] = Nil
    @volatile var escaped: Throwable = null
    val before = Thread.getDefaultUncaughtExceptionHandler
    inherited.set("the maker's")
    Thread.setDefaultUncaughtExceptionHandler((_, error) => escaped = error)
    try {
      val thread = DaemonThread("threads-suite", () => {
        seen = Seq(inherited.get, Thread.currentThread().getContextClassLoader)
        throw new IllegalStateException("as loaders may")
      })
      assert(thread.isDaemon)
      thread.start()
      thread.join()
    } finally {
      inherited.remove()
      Thread.setDefaultUncaughtExceptionHandler(before)
    }
    assert(seen == Seq(null, null) && escaped == null)
  }

  test("what reads ahead is the job's user with its class loader, and has no thread-locals of it") {
    val loader = newLoader()
    var readers = Set.empty[(String, AnyRef, AnyRef)]
    val in = new InputStream {
      private val bytes = new ByteArrayInputStream(new Array[Byte](64))
      override def read(): Int = bytes.read()
      override def read(target: Array[Byte], start: Int, length: Int): Int = {
        if (Thread.currentThread().getName.endsWith("-read")) readers += ((
          UserGroupInformation.getCurrentUser.getShortUserName, Thread.currentThread().getContextClassLoader, inherited.get))
        bytes.read(target, start, length)
      }
    }
    val caller = new Thread(() => UserGroupInformation.createRemoteUser("somebody").doAs(new PrivilegedAction[Unit] {
      override def run(): Unit = {
        inherited.set("the job's")
        val chunks = new ReadAhead(in, 16)
        try assert(Iterator.continually(chunks.next()).takeWhile(_.isDefined).flatten.map(_.length).sum == 64)
        finally chunks.close()
      }
    }))
    caller.setContextClassLoader(loader)
    caller.start()
    caller.join(TimeUnit.SECONDS.toMillis(20))
    assert(readers == Set(("somebody", loader, null)))
    loader.close()
  }
}
