"""Checks the state after an application's end: no crash, no complaint of the JVM or of Andiron, no files."""

import re
import shutil
from pathlib import Path

VM_WARNING = re.compile(r"^(?=(?:WARNING|FATAL ERROR) in native method|WARNING: JNI local refs)", re.MULTILINE)
CRASH = re.compile(r"A fatal error has been detected by the Java Runtime|exit (?:code|status):? ?1(?:34|39)|exitStatus 1(?:34|39)")
OWN_ERROR = re.compile(r"^.* ERROR (?:andiron|ExecutorCache|CallbackGuard|Housekeeper|LoaderPool|VersionLoading).*$", re.MULTILINE)
# The lock of the cache directory's root stays; `filler` is the file that fills the disk.
KEPT = (".andiron.lock", "filler")


def jni_warnings(text: str) -> list[str]:
    """Complaints of -Xcheck:jni about Andiron's native methods; those of the JDK cause some too, which do not count."""
    ours = []
    for block in VM_WARNING.split(text)[1:]:
        lines = block.splitlines()
        frames = [line for line in lines[1:] if re.match(r"\s+at ", line)]
        linking = frames and "NativeLibraries.load" in frames[0] and any("at andiron." in frame for frame in frames)
        if not frames or re.search(r"at andiron\.", frames[0]) or linking:
            ours.append("\n".join(lines[:8]))
    return ours


def logs(spark_home: Path, folder: Path) -> dict[str, str]:
    """All output of the application's processes, by file. Logs in Spark's home are moved into the folder first."""
    printed = "".join(file.read_text(errors="replace") for file in sorted(folder.glob("*.out")))
    for application in re.findall(r"^application: (\S+)$", printed, re.MULTILINE):
        if (work := spark_home / "work" / application).is_dir():
            shutil.move(work, folder / "executors" / application)
    files = [*sorted(folder.glob("*.out")), *sorted(folder.glob("*.err")), *sorted(folder.glob("executors/*/*/std*"))]
    return {str(file.relative_to(folder)): file.read_text(errors="replace") for file in files}


def inspect(spark_home: Path, folder: Path, killed: bool) -> tuple[int, list[str]]:
    """The number of crashes, and all other faults. `killed`: processes had no chance to remove their temporary files."""
    texts = logs(spark_home, folder)
    dumps = len(list(folder.glob("hs_err_*")))
    crashes = dumps or sum(len(CRASH.findall(text)) for text in texts.values())
    wrong = [f"{name}: {found}" for name, text in texts.items() for found in (*jni_warnings(text), *OWN_ERROR.findall(text))]
    left = [path for path in (folder / "cache").rglob("*") if path.name not in KEPT]
    left += [] if killed else list((folder / "tmp").glob("andiron-*"))
    if left:
        wrong.append("left behind: " + ", ".join(sorted(str(path.relative_to(folder)) for path in left)[:10]))
    return crashes, wrong
