#!/usr/bin/env python3
"""The tests of the core on another processor: built for Linux aarch64 with zig's linker, run by qemu-user.

    checks/natives/emulated.py

Runs all tests of `cargo test -p andiron` except those of the Kafka sink and those in LEFT_OUT. Needs rustup, and Debian's qemu-user,
libc6-arm64-cross and libgcc-s1-arm64-cross.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from checks.natives.build import BUILD, PINNED, PLATFORMS, ROOT, tools
from harness.facts import installed

SYSROOT = Path("/usr/aarch64-linux-gnu")
EMULATOR = f"qemu-aarch64 -L {SYSROOT}"
LEFT_OUT = {
    # qemu-user answers madvise and mincore itself instead of the kernel.
    "answered by the emulator": (
        "cache::bytes::tests::pages_go_with_the_last_stay_and_come_back_with_the_next", "cache::store::mapping::tests::a_page_that_the_file_lost_is_an_error",
        "cache::store::residency::tests::what_is_not_mapped_is_an_error"),
    # 4,000 series every 100 ms; processes that must write before they are killed, 150 ms after their start.
    "too fast for an emulator": (
        "gauges::tests::an_agent_that_is_not_there_or_does_not_read_holds_nobody_up", "what_was_acknowledged_survives_a_disk_that_forgets",
        "what_was_acknowledged_survives_a_kill"),
}


def main() -> int:
    if shutil.which("qemu-aarch64") is None or not (SYSROOT / "lib/ld-linux-aarch64.so.1").exists():
        print("natives-test: please install: apt-get install qemu-user libc6-arm64-cross libgcc-s1-arm64-cross", file=sys.stderr)
        return 2
    [platform] = [platform for platform in PLATFORMS if platform.name == "linux-aarch64"]
    python = installed(BUILD / "python-natives", PINNED)
    subprocess.run(["rustup", "target", "add", platform.target], check=True, stderr=subprocess.DEVNULL)
    environment = os.environ | {
        "PYTHONPATH": str(python), "PATH": f"{python / 'bin'}:{os.environ['PATH']}", "CARGO_TARGET_DIR": str(ROOT / "target/natives"),
        # Emulated code without optimisation is too slow for tests with steps of 100 ms.
        "CARGO_PROFILE_DEV_OPT_LEVEL": "1",
        # Some tests start their own program again, and one compiles a library and opens it.
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER": EMULATOR, "ANDIRON_TEST_RUNNER": EMULATOR, "CC": tools(platform, python)["CC"],
    }
    words = [
        "cargo-zigbuild", "test", "--locked", "-p", "andiron", "--no-default-features", "--no-fail-fast", "--lib", "--test", "*", "--target", platform.target]
    left_out = [word for names in LEFT_OUT.values() for name in names for word in ("--skip", name)]
    status = subprocess.run([*words, "--", *left_out], cwd=ROOT, env=environment, check=False).returncode
    for why, names in LEFT_OUT.items():
        print(f"natives-test: left out, since {why}: {', '.join(names)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
