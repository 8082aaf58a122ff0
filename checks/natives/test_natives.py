import struct
import unittest

from checks.natives import build as natives


def dylib(commands: list[bytes]) -> bytes:
    head = struct.pack("<8I", natives.MACH_MAGIC, natives.MACH_ARM64, 0, natives.MACH_DYLIB, len(commands), sum(map(len, commands)), 0, 0)
    return head + b"".join(commands)


def load(name: str) -> bytes:
    text = name.encode() + b"\0" * (8 - len(name) % 8)
    return struct.pack("<6I", 0xC, 24 + len(text), 24, 0, 0, 0) + text


class MachTest(unittest.TestCase):
    def test_load_commands_are_read_with_their_names(self) -> None:
        signature = struct.pack("<4I", natives.MACH_SIGNATURE, 16, 0, 0)
        found = natives.mach_commands(dylib([load("/usr/lib/libSystem.B.dylib"), signature, load("/opt/x.dylib")]))
        self.assertEqual(found, [(0xC, "/usr/lib/libSystem.B.dylib"), (natives.MACH_SIGNATURE, ""), (0xC, "/opt/x.dylib")])


class PlatformsTest(unittest.TestCase):
    def test_each_platform_is_named_as_the_loader_names_it(self) -> None:
        loader = (natives.ROOT / "jvm/src/main/java/andiron/internal/Platform.java").read_text()
        self.assertEqual([platform.name for platform in natives.PLATFORMS], ["linux-x86_64", "linux-aarch64", "macos-aarch64"])
        for part in ("linux", "macos", "x86_64", "aarch64"):
            self.assertIn(f'"{part}"', loader)
