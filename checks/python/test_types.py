import os
import subprocess
import sys
import tempfile
import unittest

from harness.facts import BUILD, ROOT


class Types(unittest.TestCase):
    """mypy accepts the annotations of the package."""

    def test_the_package_passes_mypy(self):
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        # The oldest Python of pyproject.toml without numpy, which is too new for it; then the running Python with numpy's types.
        for version, numpy in (("3.9", ""), (running, BUILD / "python-workers")):
            with self.subTest(python=version), tempfile.TemporaryDirectory(prefix="andiron-python") as cache:
                words = [sys.executable, "-m", "mypy", "--python-version", version, "--cache-dir", cache, "andiron"]
                variables = os.environ | {"PYTHONPATH": str(BUILD / "python-types"), "MYPYPATH": str(numpy)}
                told = subprocess.run(words, env=variables, cwd=ROOT / "python", capture_output=True, text=True, check=False)
                self.assertEqual((told.returncode, told.stderr), (0, ""), told.stdout)
