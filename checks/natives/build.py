#!/usr/bin/env python3
"""Builds the native library for every platform of the jar on a Linux x86_64 machine.

    checks/natives/build.py [PLATFORM ...]

Builds the named platforms, or all, with zig's linker (from pinned Python packages) and rustup's standard library; checks the libraries;
puts them into build/natives/<platform>/ and makes the jar of each Scala version with `gradle jar -PnativesDir=build/natives`. Writes
build/natives.json, which tells `make dist` the platforms. Needs rustup, which installs missing targets.
"""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness.facts import BUILD, GRADLE, ROOT, installed

PINNED = Path(__file__).with_name("requirements.txt")
SCALA = ("2.12", "2.13")
GLIBC = (2, 17)
MOST_BYTES = 15_000_000
ALLOWED = re.compile(r"(libc|libm|libgcc_s|libpthread|libdl|librt|ld-linux-[a-z0-9-]+)\.so\.\d+")
ELF_MACHINES = {"linux-x86_64": 62, "linux-aarch64": 183}
MACH_MAGIC, MACH_ARM64, MACH_DYLIB = 0xFEEDFACF, 0x0100000C, 6
# LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB; LC_CODE_SIGNATURE.
MACH_LOAD, MACH_SIGNATURE = (0xC, 0x80000018, 0x8000001F), 0x1D


@dataclass(frozen=True)
class Platform:
    """One library of the jar. `linked` is the target's name for the linker, `zig` its name for zig's C compiler."""

    name: str
    target: str
    linked: str
    zig: str
    file: str


PLATFORMS = (
    Platform("linux-x86_64", "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu.2.17", "x86_64-linux-gnu.2.17", "libandiron.so"),
    Platform("linux-aarch64", "aarch64-unknown-linux-gnu", "aarch64-unknown-linux-gnu.2.17", "aarch64-linux-gnu.2.17", "libandiron.so"),
    Platform("macos-aarch64", "aarch64-apple-darwin", "aarch64-apple-darwin", "aarch64-macos", "libandiron.dylib"),
)


class BadLibrary(Exception):
    """The library cannot be shipped."""


def tools(platform: Platform, python: Path) -> dict[str, str]:
    """The tools for librdkafka's build, in place of the host's compiler, which would link a newer libc."""
    folder = python / "tools" / platform.name
    folder.mkdir(parents=True, exist_ok=True)
    variables = {"LDFLAGS": "-Wl,--undefined-version"} if platform.name.startswith("linux") else {}
    for variable, words in (("CC", f"cc -target {platform.zig}"), ("CXX", f"c++ -target {platform.zig}"), ("AR", "ar"), ("RANLIB", "ranlib")):
        tool = folder / variable.lower()
        tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m ziglang {words} "$@"\n')
        tool.chmod(0o755)
        variables[variable] = str(tool)
    return variables


def build(platform: Platform, build_id: str, python: Path) -> Path:
    """Builds the library, without debug sections."""
    subprocess.run(["rustup", "target", "add", platform.target], check=True, stderr=subprocess.DEVNULL)
    environment = os.environ | {
        "PYTHONPATH": str(python), "PATH": f"{python / 'bin'}:{os.environ['PATH']}", "ANDIRON_BUILD_ID": build_id,
        "CARGO_TARGET_DIR": str(ROOT / "target/natives"), "CARGO_PROFILE_RELEASE_DEBUG": "false",
    } | tools(platform, python)
    if platform.name.startswith("linux"):
        environment["CARGO_PROFILE_RELEASE_STRIP"] = "debuginfo"
    options = ["--locked", "--release", "-p", "andiron", "--lib", "--features", "tls", "--target", platform.linked]
    subprocess.run(["cargo-zigbuild", "zigbuild", *options], cwd=ROOT, env=environment, check=True)
    # zig leaves this file when a build asks for its version.
    (ROOT / "native/a.o").unlink(missing_ok=True)
    built = ROOT / "target/natives" / platform.target / "release" / platform.file
    stem, ending = platform.file.split(".")
    library = BUILD / "natives" / platform.name / f"{stem}-{build_id}.{ending}"
    shutil.rmtree(library.parent, ignore_errors=True)
    library.parent.mkdir(parents=True)
    shutil.copy(built, library)
    return library


def readelf(library: Path, *options: str) -> str:
    return subprocess.run(["readelf", "-W", *options, str(library)], check=True, capture_output=True, text=True).stdout


def check_elf(platform: Platform, library: Path) -> dict[str, object]:
    """Checks and returns the machine, the needed libraries, the versions of needed symbols and the exported symbols."""
    machine = struct.unpack_from("<H", library.read_bytes()[:64], 18)[0]
    if machine != ELF_MACHINES[platform.name]:
        raise BadLibrary(f"{library.name} is for machine {machine}, not {ELF_MACHINES[platform.name]}")
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf(library, "-d"))
    if foreign := [name for name in needed if not ALLOWED.fullmatch(name)]:
        raise BadLibrary(f"{library.name} needs {', '.join(foreign)}, which an executor may not have")
    versions = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", readelf(library, "-V"))}
    if max(versions) > GLIBC:
        raise BadLibrary(f"{library.name} needs glibc {max(versions)}, newer than {GLIBC}")
    symbols = [line.split() for line in readelf(library, "--dyn-syms").splitlines()]
    named = [words for words in symbols if len(words) == 8 and words[0].rstrip(":").isdigit()]
    # No needed library defines a strong symbol without a version: the loader would fail at its first call.
    open_ends = [words[7] for words in named if words[6] == "UND" and words[4] == "GLOBAL" and "@" not in words[7]]
    if open_ends:
        raise BadLibrary(f"{library.name} has symbols that nothing defines: {', '.join(open_ends[:10])}")
    given = sorted(words[7].split("@")[0] for words in named if words[6] != "UND" and words[4] == "GLOBAL")
    return {"glibc": ".".join(map(str, max(versions))), "needed": needed, "gives": given}


def check_mach(library: Path) -> dict[str, object]:
    magic, processor, _, kind = struct.unpack_from("<4I", library.read_bytes()[:16])
    if (magic, processor, kind) != (MACH_MAGIC, MACH_ARM64, MACH_DYLIB):
        raise BadLibrary(f"{library.name} is no arm64 library of macOS: {magic:#x}, {processor:#x}, {kind}")
    commands = mach_commands(library.read_bytes())
    needed = [name for number, name in commands if number in MACH_LOAD]
    if foreign := [name for name in needed if not name.startswith(("/usr/lib/", "/System/Library/"))]:
        raise BadLibrary(f"{library.name} needs {', '.join(foreign)}, which macOS does not have")
    if not any(number == MACH_SIGNATURE for number, _ in commands):
        raise BadLibrary(f"{library.name} has no signature, without which macOS on arm64 loads no code")
    if b"_JNI_OnLoad\0" not in library.read_bytes():
        raise BadLibrary(f"{library.name} has no JNI_OnLoad")
    return {"needed": needed, "gives": ["JNI_OnLoad"]}


def mach_commands(content: bytes) -> list[tuple[int, str]]:
    """The load commands: the number of each, and the name of the library for commands that name one."""
    (count,), at, found = struct.unpack_from("<I", content, 16), 32, []
    for _ in range(count):
        number, size = struct.unpack_from("<2I", content, at)
        name = ""
        if number in MACH_LOAD:
            (start,) = struct.unpack_from("<I", content, at + 8)
            name = content[at + start : at + size].split(b"\0")[0].decode()
        found.append((number, name))
        at += size
    return found


def check(platform: Platform, library: Path) -> dict[str, object]:
    found = check_elf(platform, library) if platform.name.startswith("linux") else check_mach(library)
    if "JNI_OnLoad" not in found["gives"]:  # type: ignore[operator]
        raise BadLibrary(f"{library.name} has no JNI_OnLoad")
    if library.stat().st_size > MOST_BYTES:
        raise BadLibrary(f"{library.name} has {library.stat().st_size} bytes, more than {MOST_BYTES}")
    return {"platform": platform.name, "file": library.name, "bytes": library.stat().st_size, "sha256": hashlib.sha256(library.read_bytes()).hexdigest(), **found}


def check_jar(jar: Path, found: list[dict[str, object]]) -> None:
    """Requires that the jar has each library as built, with its checksum, and no other library."""
    with zipfile.ZipFile(jar) as files:
        names = {name for name in files.namelist() if name.startswith("META-INF/native/") and not name.endswith("/")}
        expected = {f"META-INF/native/{one['platform']}/{one['file']}{more}" for one in found for more in ("", ".sha256")}
        if names != expected:
            raise BadLibrary(f"{jar.name} has {sorted(names)}, not {sorted(expected)}")
        facts = files.read("META-INF/andiron.properties").decode()
        for one in found:
            content = files.read(f"META-INF/native/{one['platform']}/{one['file']}")
            inside = hashlib.sha256(content).hexdigest()
            said = {f"library.{one['platform']}={one['file']}", f"bytes.{one['platform']}={len(content)}", f"sha256.{one['platform']}={inside}"}
            if inside != one["sha256"] or not said <= set(facts.splitlines()):
                raise BadLibrary(f"{jar.name} has another {one['file']} for {one['platform']} than was built, or says another size or checksum")


def jar(scala: str) -> Path:
    """Makes the jar of a Scala version with the libraries in build/natives."""
    subprocess.run([*GRADLE, "--quiet", "jar", f"-PscalaVersion={scala}", f"-PnativesDir={BUILD / 'natives'}"], cwd=ROOT, check=True)
    return next(path for path in (BUILD / f"scala-{scala}/libs").glob("andiron_*.jar") if "sources" not in path.name and "javadoc" not in path.name)


def main() -> int:
    unknown = set(sys.argv[1:]) - {platform.name for platform in PLATFORMS}
    if unknown:
        print(f"checks/natives/build.py: no platform {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in PLATFORMS)}", file=sys.stderr)
        return 2
    chosen = [platform for platform in PLATFORMS if platform.name in sys.argv[1:] or not sys.argv[1:]]
    build_id = subprocess.run([*GRADLE, "--quiet", "buildId"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()[-1]
    shutil.rmtree(BUILD / "natives", ignore_errors=True)
    python = installed(BUILD / "python-natives", PINNED)
    try:
        found = [check(platform, build(platform, build_id, python)) for platform in chosen]
        here = "linux-x86_64" in [platform.name for platform in chosen]
        jars = [jar(scala) for scala in SCALA]
        if here:
            for made in jars:
                check_jar(made, found)
    except BadLibrary as bad:
        print(f"natives: {bad}", file=sys.stderr)
        return 1
    (BUILD / "natives.json").write_text(json.dumps({"build": build_id, "jars": {made.name: made.stat().st_size for made in jars}, "libraries": found}, indent=2) + "\n")
    for one in found:
        print(f"{one['platform']:16}{one['bytes']:>12,} bytes  glibc {one.get('glibc', '-'):6}  {one['sha256'][:16]}  {one['file']}")  # type: ignore[index]
    for made in jars:
        print(f"{made.name}: {made.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
