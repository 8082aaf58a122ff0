#!/usr/bin/env python3
"""Projects that use build/repo like a user's build: with Gradle, Maven and sbt, for both Scala versions.

    checks/dist/consumers.py [gradle] [maven] [sbt]

The files of each project are in checks/dist/consumer. It resolves jar, sources and scaladoc by coordinates from the repository in the folder, compiles a program against
the jar and runs it. Gradle needs no network; Maven fetches its plugins and sbt. Needs `make dist`, and Debian's maven.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

from harness.facts import GRADLE, GROUP, ROOT, VERSION
from harness.process import jdk

REPOSITORY = ROOT / "build/repo"
WORK = ROOT / "build/consumers"
SBT, SBT_SCALA = "1.9.9", {"2.12": "2.12.18", "2.13": "2.13.8"}
TEMPLATES = Path(__file__).with_name("consumer")
ANSWER = "code 7"


class Refused(Exception):
    """A tool failed to resolve, compile or run."""


def run(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=900)
    if done.returncode != 0:
        raise Refused(f"{words[0]} ended with {done.returncode}:\n" + "\n".join(done.stdout.splitlines()[-25:]))
    return done.stdout


def filled(template: str, **more: str) -> str:
    text = (TEMPLATES / template).read_text()
    return Template(text).substitute(repository=REPOSITORY.as_uri(), group=GROUP, version=VERSION, sbt=SBT, **more)


def project(tool: str, scala: str, build: str) -> Path:
    folder = WORK / f"{tool}-{scala}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "src/main/java").mkdir(parents=True)
    shutil.copy(TEMPLATES / "Uses.java", folder / "src/main/java")
    (folder / build).write_text(filled(build, scala=scala, full=SBT_SCALA[scala]))
    return folder


def gradle(scala: str) -> str:
    folder = project("gradle", scala, "build.gradle")
    (folder / "settings.gradle").write_text("rootProject.name = 'uses'\n")
    # A separate Gradle home: artifacts that another build has fetched prove nothing about this repository.
    return run([*GRADLE, "--offline", "-g", str(folder / "home"), "-q", "uses"], folder)


def maven(scala: str) -> str:
    if not shutil.which("mvn"):
        raise Refused("mvn is missing: apt-get install maven")
    folder = project("maven", scala, "pom.xml")
    shutil.rmtree(WORK / "maven-home" / GROUP.replace(".", "/"), ignore_errors=True)
    run(["mvn", "-B", "-q", f"-Dmaven.repo.local={WORK / 'maven-home'}", "compile"], folder)
    jars = sorted((WORK / "maven-home" / GROUP.replace(".", "/") / f"andiron_{scala}" / VERSION).glob("*.jar"))
    main = next(jar for jar in jars if jar.name == f"andiron_{scala}-{VERSION}.jar")
    return run([jdk("java"), "-cp", f"{folder / 'target/classes'}:{main}", "Uses"], folder) + "\n".join(jar.name for jar in jars)


def sbt(scala: str) -> str:
    launcher = WORK / f"launcher/sbt-launch-{SBT}.jar"
    if not launcher.exists():
        launcher.parent.mkdir(exist_ok=True)
        (launcher.parent / "build.gradle").write_text(filled("launcher.gradle"))
        (launcher.parent / "settings.gradle").write_text("rootProject.name = 'launcher'\n")
        run([*GRADLE, "-q", "launcher"], launcher.parent)
    folder = project("sbt", scala, "build.sbt")
    (folder / "project").mkdir()
    (folder / "project/build.properties").write_text(f"sbt.version={SBT}\n")
    home = [f"-Dsbt.{name}={WORK / 'sbt-home' / name.replace('.', '-')}" for name in ("global.base", "boot.directory", "ivy.home", "coursier.home")]
    words = ["java", "-Xmx1g", *home, "-Dsbt.color=false", "-Dsbt.supershell=false", "-Dsbt.server.autostart=false", "-jar", str(launcher)]
    return run([*words, "show updateClassifiers", "run"], folder)


TOOLS = {"gradle": gradle, "maven": maven, "sbt": sbt}


def main() -> int:
    wanted = sys.argv[1:] or list(TOOLS)
    WORK.mkdir(parents=True, exist_ok=True)
    bad = 0
    for tool in wanted:
        for scala in ("2.12", "2.13"):
            try:
                printed = TOOLS[tool](scala)
                if ANSWER not in printed:
                    raise Refused(f"the program did not print {ANSWER!r}:\n{printed[-2000:]}")
                lacking = [f"andiron_{scala}-{VERSION}{of}.jar" for of in ("-sources", "-javadoc") if f"andiron_{scala}-{VERSION}{of}.jar" not in printed]
                if lacking:
                    raise Refused(f"{', '.join(lacking)} not resolved")
                print(f"{tool}, Scala {scala}: resolved, compiled, ran", flush=True)
            except (Refused, subprocess.TimeoutExpired) as error:
                bad += 1
                print(f"consumers: {tool}, Scala {scala}: {error}", file=sys.stderr, flush=True)
    print(f"{2 * len(wanted) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
