package andiron.internal.boundary

import java.io.{BufferedReader, IOException, InputStreamReader}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.attribute.{FileTime, PosixFilePermissions}
import java.nio.file.{Files, Path, Paths}
import java.time.Instant
import java.util.concurrent.TimeUnit

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.internal.python.LeaseServer
import andiron.testing.{Sparks, SuiteRunner}

/**
 * Other users of the machine may write to java.io.tmpdir: they cannot make the sweep of unpacked libraries delete a
 * file, nor redirect the file that an executor writes for Python workers. Under root the attacker is the user `nobody`;
 * otherwise it is a process of the same user that exchanges directories.
 */
@RunWith(classOf[SuiteRunner])
class OtherUsersSuite extends AnyFunSuite {
  private val isRoot = Files.getAttribute(Paths.get("/proc/self"), "unix:uid") == 0
  private val nobody = 65534
  private val protection = Paths.get("/proc/sys/fs/protected_symlinks")
  private val old = Instant.now().minusSeconds(7200)

  private def run(command: String*): Unit = {
    val process = new ProcessBuilder(command: _*).redirectErrorStream(true).start()
    val said = new String(process.getInputStream.readAllBytes(), UTF_8)
    assert(process.waitFor() == 0, s"${command.mkString(" ")}: $said")
  }

  /** A directory like /tmp: each user creates files in it, and only a file's owner removes it. */
  private def withShared[A](body: Path => A): A = {
    val directory = Files.createTempDirectory(Paths.get("/tmp"), "other-users")
    try {
      run("chmod", "1777", directory.toString)
      body(directory)
    } finally Sparks.delete(directory)
  }

  private def deadProcess(): Long = {
    val dead = new ProcessBuilder("true").start()
    dead.waitFor()
    dead.pid()
  }

  private def directory(at: Path, mode: String, names: String*): Path = {
    Files.createDirectory(at)
    names.foreach(name => Files.setPosixFilePermissions(Files.createFile(at.resolve(name)), PosixFilePermissions.fromString("rw-------")))
    Files.setLastModifiedTime(Files.setPosixFilePermissions(at, PosixFilePermissions.fromString(mode)), FileTime.from(old))
  }

  private def names(directory: Path): Seq[String] = Option(directory.toFile.list()).toSeq.flatten.sorted

  private def sweep(tmp: Path): Unit = UnpackDirectory.sweep(tmp, Files.getOwner(tmp), Instant.now())

  /** Runs `body` under each setting of fs.protected_symlinks that can be had, and says which it is. */
  private def underProtections(body: String => Unit): Unit = {
    val before = if (Files.exists(protection)) Files.readString(protection).trim else "none"
    val settings = if (isRoot && Files.isWritable(protection)) Seq("0", "1") else Seq(before)
    try settings.foreach { setting =>
      if (setting != before || settings.size > 1) Files.writeString(protection, setting)
      body(s"fs.protected_symlinks $setting")
    } finally if (settings.size > 1) Files.writeString(protection, before): Unit
  }

  /** Exchanges the directory for a link to `victim`, in one step, as soon as the first of its many files has gone. */
  private def attack(tmp: Path, victim: Path, user: Seq[String]): Unit = {
    val target = tmp.resolve(s"andiron-${deadProcess()}-x")
    val script =
      """import ctypes, os, sys, time
        |target, victim, many = sys.argv[1], sys.argv[2], int(sys.argv[3])
        |os.umask(0o077)
        |os.mkdir(target)
        |for n in range(1, many + 1): open(f"{target}/libandiron-{n}.so", "w").close()
        |os.utime(target, (time.time() - 7200,) * 2)
        |os.symlink(victim, target + ".link")
        |files = os.open(target, os.O_RDONLY)
        |print("ready", flush=True)
        |while len(os.listdir(files)) == many: pass
        |assert ctypes.CDLL(None).renameat2(-100, target.encode(), -100, (target + ".link").encode(), 2) == 0
        |sys.stdin.read()""".stripMargin
    val words = user ++ Seq("/usr/bin/env", "python3", "-c", script, target.toString, victim.toString, OtherUsersSuite.Many.toString)
    val attacker = new ProcessBuilder(words: _*).redirectErrorStream(true).start()
    try {
      val said = new BufferedReader(new InputStreamReader(attacker.getInputStream, UTF_8)).readLine()
      assert(said == "ready")
      sweep(tmp)
    } finally {
      attacker.destroyForcibly()
      attacker.waitFor(20, TimeUnit.SECONDS): Unit
    }
  }

  for ((who, user) <- Seq("nobody" -> Seq("setpriv", s"--reuid=$nobody", s"--regid=$nobody", "--clear-groups"), "this user" -> Nil) if isRoot || user.isEmpty)
    test(s"a directory that $who exchanges for a link while it is swept leads nowhere") {
      underProtections { setting =>
        withShared { tmp =>
          withShared { mine =>
            val secrets = (1 to OtherUsersSuite.Many).map(n => s"libandiron-$n.so")
            val victim = directory(mine.resolve("secrets"), "rwx------", secrets: _*)
            attack(tmp, victim, user)
            assert(secrets.size - names(victim).size == 0, s"files are deleted, with $setting")
          }
        }
      }
    }

  test("a link that is put in the place of the secret's file while it is written leads nowhere") {
    withShared { tmp =>
      val victim = Files.write(tmp.resolve("victim"), "as it was".getBytes(UTF_8))
      val (written, link) = (tmp.resolve("andiron-python.new"), tmp.resolve("link"))
      val isOver = new java.util.concurrent.atomic.AtomicBoolean
      val attacker = new Thread(() =>
        while (!isOver.get)
          try {
            if (!Files.isSymbolicLink(link)) Files.createSymbolicLink(link, victim)
            if (Files.isRegularFile(written, NOFOLLOW_LINKS)) Files.move(link, written, ATOMIC_MOVE)
          } catch { case _: IOException => () })
      def publish(): Unit =
        try LeaseServer.publish(tmp, "127.0.0.1\n1\nsecret\n"): Unit
        catch { case _: IOException => () }
      attacker.start()
      try { (1 to 2000).foreach(_ => publish()) }
      finally {
        isOver.set(true)
        attacker.join()
      }
      assert(Files.readString(victim) == "as it was")
    }
  }

  test("only directories that belong to this user alone are swept") {
    withShared { tmp =>
      val dead = deadProcess()
      val library = "libandiron-1.so"
      val ours = directory(tmp.resolve(s"andiron-$dead-ours"), "rwx------", library)
      val shared = Seq("rwxrwxrwx", "rwxr-xr-x", "rwxrwx---").zipWithIndex.map { case (mode, n) => directory(tmp.resolve(s"andiron-$dead-$n"), mode, library) }
      val foreign = if (isRoot) Seq(directory(tmp.resolve(s"andiron-$dead-foreign"), "rwx------", library)) else Nil
      foreign.foreach { at => run("chown", "-R", s"$nobody:$nobody", at.toString) }
      sweep(tmp)
      assert(!Files.exists(ours))
      (shared ++ foreign).foreach(at => assert(names(at) == Seq(library), at))
    }
  }

  test("links, pipes and files of others' names stay, and what links lead to") {
    withShared { tmp =>
      val dead = deadProcess()
      val victim = directory(tmp.resolve("victim"), "rwx------", "libandiron-1.so")
      Files.createSymbolicLink(tmp.resolve(s"andiron-$dead-link"), victim)
      run("mkfifo", tmp.resolve(s"andiron-$dead-pipe").toString)
      Files.createFile(tmp.resolve(s"andiron-$dead-file"))
      val mixed = directory(tmp.resolve(s"andiron-$dead-mixed"), "rwx------", "letter.txt", "libandiron-1.so")
      val linked = directory(tmp.resolve(s"andiron-$dead-linked"), "rwx------")
      Files.createSymbolicLink(linked.resolve("libandiron-1.so"), victim.resolve("libandiron-1.so"))
      Files.setLastModifiedTime(linked, FileTime.from(old))
      sweep(tmp)
      assert(names(victim) == Seq("libandiron-1.so") && names(mixed) == Seq("letter.txt"))
      assert(names(tmp).map(_.stripPrefix(s"andiron-$dead-")).toSet == Set("victim", "link", "pipe", "file", "mixed"))
    }
  }
}

private object OtherUsersSuite {

  /** So many that their deletion takes longer than an exchange of their directory. */
  val Many = 2000
}
