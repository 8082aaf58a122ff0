import subprocess
import sys
import tempfile
import unittest
import zipfile
from email.parser import Parser
from pathlib import Path

from checks.python.environment import wheel
from harness.facts import PIP, ROOT, VERSION

PACKAGE = ROOT / "python/andiron"
IMPORT = """
import importlib.util, sys
sys.path.insert(0, sys.argv[1])
foreign = ("numpy", "pandas", "pyarrow", "pyspark")
print([name for name in foreign if importlib.util.find_spec(name)])
import andiron
print([name for name in andiron.__all__ if not hasattr(andiron, name)], andiron.__version__, andiron.__file__)
"""


class Wheel(unittest.TestCase):
    """The wheel that users build."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="andiron-python")))
        cls.wheel = wheel(cls.folder)

    def test_it_has_the_package_and_nothing_else(self):
        with zipfile.ZipFile(self.wheel) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        about = f"andiron-{VERSION}.dist-info/"
        self.assertEqual(self.wheel.name, f"andiron-{VERSION}-py3-none-any.whl")
        self.assertEqual({name: text for name, text in content.items() if not name.startswith(about)},
                         {f"andiron/{file.name}": file.read_bytes() for file in PACKAGE.iterdir() if file.is_file()})
        self.assertIn("andiron/py.typed", content)
        made, told = (Parser().parsestr(content[about + name].decode()) for name in ("WHEEL", "METADATA"))
        self.assertEqual((made["Root-Is-Purelib"], made.get_all("Tag")), ("true", ["py3-none-any"]))
        self.assertEqual((told["Name"], told["Version"]), ("andiron", VERSION))
        self.assertTrue(all("extra ==" in needed for needed in told.get_all("Requires-Dist", [])), told)

    def test_every_name_is_there_without_numpy_pandas_pyarrow_and_pyspark(self):
        target = self.folder / "installed"
        subprocess.run([*PIP, "install", "--root-user-action=ignore", "--no-deps", "--no-index", "--target", target, self.wheel], check=True)
        # -S and -I leave only the standard library on the path.
        told = subprocess.run([sys.executable, "-I", "-S", "-c", IMPORT, target], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(told.stdout.splitlines(), ["[]", f"[] {VERSION} {target}/andiron/__init__.py"])
