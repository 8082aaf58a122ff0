"""Runs the quick start of docs/guide/quick-start.md unchanged."""

import contextlib
import io
import re
import shutil
from pathlib import Path

from support import Application

PAGE = Path(__file__).resolve().parents[2] / "docs/guide/quick-start.md"


class QuickStart(Application):
    """The block runs as in a shell of PySpark, where `spark` is the session."""

    def test_the_quick_start_prices_each_valid_sale(self):
        (block,) = re.findall(r"<!-- quick start:.*?-->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        shell = {"__name__": "__main__", "spark": self.spark}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(block, shell)
        self.addCleanup(shutil.rmtree, shell["folder"])
        self.addCleanup(shell["catalog"].close)
        figures = shell["step"].figures
        self.assertEqual([figures["in"], figures["out"], figures["dropped"], figures.exact], [10000, 9900, 100, True], figures)
        priced = self.spark.read.parquet(f"{shell['folder']}/priced")
        self.assertEqual(priced.count(), 9900)
        self.assertEqual(priced.where("price != if(id % 2 = 0, 100, 200) + id % 1000").count(), 0)
        self.assertIn("valid sales", printed.getvalue())
