package andiron.internal.boundary

import java.nio.charset.StandardCharsets.{ISO_8859_1, UTF_8}
import java.nio.file.attribute.{FileTime, PosixFilePermissions}
import java.nio.file.{Files, Path, Paths}
import java.time.Instant
import java.util.Properties

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.internal.Platform
import andiron.testing.SuiteRunner

@RunWith(classOf[SuiteRunner])
class NativeLibrarySuite extends AnyFunSuite {
  private val platform = Platform.current
  private val facts = {
    val p = new Properties
    p.load(getClass.getClassLoader.getResourceAsStream("META-INF/andiron.properties"))
    p
  }
  private val resource = s"META-INF/native/$platform/${facts.getProperty(s"library.$platform")}"

  private def library: Array[Byte] = {
    val in = getClass.getClassLoader.getResourceAsStream(resource)
    try in.readAllBytes()
    finally in.close()
  }

  private def withProperty[A](key: String, value: String)(body: => A): A = {
    val before = Option(System.getProperty(key))
    System.setProperty(key, value)
    try body
    finally before.fold(System.clearProperty(key))(System.setProperty(key, _))
  }

  private def withTmp[A](body: Path => A): A = {
    val tmp = Files.createTempDirectory("native-library-suite")
    withProperty("java.io.tmpdir", tmp.toString)(body(tmp))
  }

  private def names(directory: Path): Seq[String] = directory.toFile.list().toSeq.sorted

  /** A folder that stands before the jar, with these facts changed. */
  private def overlay(at: Path, changed: (String, String)*): Path = {
    val copy = new Properties
    facts.stringPropertyNames.forEach { key => copy.setProperty(key, facts.getProperty(key)); () }
    changed.foreach { case (key, value) => if (value == null) copy.remove(key) else copy.setProperty(key, value) }
    Files.createDirectories(at.resolve(s"META-INF/native/$platform"))
    val out = Files.newOutputStream(at.resolve("META-INF/andiron.properties"))
    try copy.store(out, null)
    finally out.close()
    at
  }

  test("the library of the jar loads once and says the build of the jar") {
    val first = NativeLibrary.load()
    assert(first.build == System.getProperty("andiron.test.buildId"))
    assert(first.origin == resource && resource.contains(first.build))
    assert(NativeLibrary.load() eq first)
  }

  test("two class loaders of one process load a copy each") {
    withTmp { tmp =>
      val loaded = Seq.fill(2)(new IsolatedLoader).map(_.loadLibrary().toString)
      assert(loaded.distinct.size == 1 && loaded.head.contains(facts.getProperty("build")))
      assert(names(tmp).isEmpty)
    }
  }

  test("a damaged library is refused before it is linked, and leaves nothing behind") {
    withTmp { tmp =>
      val at = overlay(Files.createTempDirectory("overlay"))
      val bytes = library
      bytes(bytes.length / 2) = (bytes(bytes.length / 2) ^ 1).toByte
      Files.write(at.resolve(resource), bytes)
      val message = new IsolatedLoader(Some(at)).failure().getMessage
      assert(message.contains(s"$resource is damaged") && message.contains(facts.getProperty(s"sha256.$platform")))
      assert(names(tmp).forall(_.startsWith("overlay")))
    }
  }

  test("a jar without a library for this platform names the resource, the platform and what it has") {
    withTmp { tmp =>
      val at = overlay(tmp.resolve("overlay"), s"library.$platform" -> null, "library.plan9-mips" -> "libandiron.so")
      val message = new IsolatedLoader(Some(at)).failure().getMessage
      assert(message.contains(platform) && message.contains(s"META-INF/native/$platform/") && message.contains("It has plan9-mips"))
    }
  }

  test("an override path that is not a file fails without a way back, and the failure is remembered") {
    withProperty(NativeLibrary.PathProperty, "/nowhere/libandiron.so") {
      val loader = new IsolatedLoader
      val first = loader.failure()
      assert(first.getMessage.contains("/nowhere/libandiron.so") && first.getMessage.contains(NativeLibrary.PathProperty))
      System.clearProperty(NativeLibrary.PathProperty)
      assert(loader.failure() eq first)
    }
  }

  test("an override path loads that file where it is, for one class loader") {
    withTmp { tmp =>
      val file = Files.write(tmp.resolve("libmine.so"), library)
      withProperty(NativeLibrary.PathProperty, file.toString) {
        assert(new IsolatedLoader().loadLibrary().toString.contains(file.toString))
        val second = new IsolatedLoader().failure()
        assert(second.getMessage.contains("already loaded in another classloader") && second.getMessage.contains("one class loader only"))
      }
      assert(names(tmp) == Seq("libmine.so"))
    }
  }

  test("a library of another build is refused by the handshake") {
    withTmp { tmp =>
      val at = overlay(tmp.resolve("overlay"), "build" -> "0123456789ab")
      val e = new IsolatedLoader(Some(at)).failure()
      assert(e.getMessage.contains("0123456789ab") && e.getMessage.contains(facts.getProperty("build")))
      assert(e.getClass.getMethod("code").invoke(e) == NativeLibrary.Mismatch)
    }
  }

  test("a glibc that is too old is the root cause, with what to do about it") {
    withTmp { tmp =>
      val needed = "GLIBC_2\\.\\d\\d".r
      val text = new String(library, ISO_8859_1)
      val newest = needed.findAllIn(text).max
      val file = Files.write(tmp.resolve("libfuture.so"), text.replace(newest, "GLIBC_9.99").getBytes(ISO_8859_1))
      withProperty(NativeLibrary.PathProperty, file.toString) {
        val e = new IsolatedLoader().failure()
        assert(e.getCause.isInstanceOf[UnsatisfiedLinkError] && e.getCause.getMessage.contains("GLIBC_9.99"))
        assert(e.getMessage.contains("glibc is older than GLIBC_9.99"))
      }
    }
  }

  test("a file that is no library says so") {
    withTmp { tmp =>
      val file = Files.createFile(tmp.resolve("libempty.so"))
      withProperty(NativeLibrary.PathProperty, file.toString) {
        assert(new IsolatedLoader().failure().getMessage.contains("not a library for this platform"))
      }
    }
  }

  test("a temporary directory that does not exist names the setting") {
    withProperty("java.io.tmpdir", "/nowhere/tmp") {
      val e = new IsolatedLoader().failure()
      assert(e.getMessage.contains("/nowhere/tmp") && e.getMessage.contains("-Djava.io.tmpdir"))
      assert(e.getCause.isInstanceOf[java.io.IOException])
    }
  }

  test("the directory is fresh, its owner's only, and carries the process id") {
    withTmp { tmp =>
      val made = Seq.fill(2)(UnpackDirectory.create())
      assert(made.map(_.path).distinct.size == 2)
      made.foreach { d =>
        assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(d.path)) == "rwx------")
        assert(d.path.getFileName.toString.startsWith(s"andiron-${ProcessHandle.current().pid()}-"))
        Files.write(d.path.resolve("libandiron.so"), Array[Byte](1))
        d.delete()
      }
      assert(names(tmp).isEmpty)
    }
  }

  test("what dead processes left is swept; the living, the young and the foreign stay") {
    withTmp { tmp =>
      val self = ProcessHandle.current().pid()
      val dead = new ProcessBuilder("true").start()
      dead.waitFor()
      val started = ProcessHandle.current().info.startInstant.get
      def directory(name: String, made: Instant): Unit = {
        val path = Files.createDirectory(tmp.resolve(name), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")))
        Files.write(path.resolve("libandiron.so"), Array[Byte](1))
        Files.setLastModifiedTime(path, FileTime.from(made))
        ()
      }
      val old = started.minusSeconds(3600)
      directory(s"andiron-${dead.pid()}-dead", old)
      directory(s"andiron-$self-before-us", old)
      directory(s"andiron-$self-ours", started.plusMillis(1))
      directory(s"andiron-${dead.pid()}-young", started.plusSeconds(3500))
      directory("andiron-notes", old)
      UnpackDirectory.sweep(tmp, Files.getOwner(tmp), started.plusSeconds(3600))
      assert(names(tmp).toSet == Set("andiron-notes", s"andiron-$self-ours", s"andiron-${dead.pid()}-young"))
    }
  }

  test("platforms have one name each") {
    assert(Platform.name("Linux", "amd64") == "linux-x86_64")
    assert(Platform.name("Mac OS X", "aarch64") == "macos-aarch64")
    assert(Platform.name("Windows 11", "amd64") == "windows-x86_64")
    assert(Platform.name("Linux", "riscv64") == "linux-riscv64")
  }

  test("the linker's messages are explained") {
    assert(Linking.advice("x.so: failed to map segment from shared object").contains("noexec"))
    assert(Linking.advice("Error loading shared library ld-linux-x86-64.so.2: No such file").contains("built for glibc"))
    assert(Linking.advice("something new").contains(NativeLibrary.PathProperty))
  }

  test("the checksum beside the library is that of the library") {
    val in = getClass.getClassLoader.getResourceAsStream(s"$resource.sha256")
    val line = try new String(in.readAllBytes(), UTF_8) finally in.close()
    assert(line == s"${facts.getProperty(s"sha256.$platform")}  ${Paths.get(resource).getFileName}\n")
  }
}
