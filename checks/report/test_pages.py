"""Checks of the report's pages in a real browser: on a desktop, on a phone, and with the dark theme."""

import tempfile
import unittest
from pathlib import Path

from checks.report import pages
from checks.report.browser import Browser

CONTRAST, BEYOND = (Path(__file__).with_name(f"{name}.js").read_text() for name in ("contrast", "beyond"))
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


class PagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.pages = pages.make(Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="andiron-pages-"))))
        cls.browser = cls.enterClassContext(Browser())

    def each(self, *names: str):
        """Opens every page in every window; yields the page's name and the window's width."""
        for name in names or pages.NAMES:
            for window, width, height, dark, phone in pages.WINDOWS:
                self.browser.open(self.pages[name], width, height, dark, phone)
                yield f"{name}, {window}", width

    def test_the_body_never_scrolls_sideways(self) -> None:
        for where, width in self.each():
            for how in ("true", OPEN_ALL):
                self.browser.value(how)
                self.assertEqual(self.browser.value("innerWidth"), width, f"{where}: the browser had to zoom out")
                self.assertEqual(self.browser.value(BEYOND), [], where)
                self.assertLessEqual(self.browser.value("document.documentElement.scrollWidth"), width, where)

    def test_the_smallest_phone_is_wide_enough(self) -> None:
        for name in pages.NAMES:
            self.browser.open(self.pages[name], 320, 568, phone=True)
            self.assertLessEqual(self.browser.value("document.documentElement.scrollWidth"), 320, name)

    def test_text_stands_out_from_its_ground(self) -> None:
        for where, _ in self.each("failing", "passing", "wide"):
            self.browser.value(OPEN_ALL)
            self.assertEqual(self.browser.value(CONTRAST), [], where)

    def test_dark_is_dark(self) -> None:
        shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
        self.browser.open(self.pages["failing"], 1280, 900)
        self.assertGreater(self.browser.value(shade), 700)
        self.browser.open(self.pages["failing"], 1280, 900, dark=True)
        self.assertLess(self.browser.value(shade), 120)

    def test_nothing_runs_and_nothing_is_fetched(self) -> None:
        for where, _ in self.each():
            self.assertEqual(self.browser.value("document.scripts.length"), 0, where)
            handlers = "[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((n) => n.startsWith('on')).length"
            self.assertEqual(self.browser.value(handlers), 0)
            self.assertEqual(self.browser.value("document.querySelectorAll('img,iframe,object,embed,link,form,base,video,audio').length"), 0)
            self.assertNotIn("owned", self.browser.value("document.title.toLowerCase().replace(/<script>.*/, '')"))
            asked = [e["params"]["request"]["url"] for e in self.browser.events if e.get("method") == "Network.requestWillBeSent"]
            self.assertEqual([url for url in asked if not url.startswith("file:")], [])
            said = [e for e in self.browser.events if e.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]
            self.assertEqual(said, [], where)

    def test_a_script_in_a_row_is_shown_as_text(self) -> None:
        self.browser.open(self.pages["hostile"], 1280, 900)
        self.assertIn("<script>document.title='owned'</script>", self.browser.value("document.body.textContent"))
        self.assertEqual(self.browser.value("document.querySelectorAll('h1').length"), 1)

    def test_rows_open_without_a_script(self) -> None:
        self.browser.open(self.pages["failing"], 1280, 900)
        row = "document.querySelector('.group .sample pre').checkVisibility()"
        self.assertFalse(self.browser.value(row))
        for place in (".group > summary", ".group .sample > summary"):
            x, y = self.browser.value(f"(() => {{ const e = document.querySelector('{place}'); e.scrollIntoView({{block: 'center'}});"
                                      " const b = e.getBoundingClientRect(); return [b.left + 30, b.top + b.height / 2]; })()")
            for kind in ("mousePressed", "mouseReleased"):
                self.browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.assertTrue(self.browser.value(row))

    def test_every_link_leads_somewhere(self) -> None:
        dead = "[...document.querySelectorAll('a[href]')].map((a) => a.getAttribute('href')).filter((h) => h !== '#top' && !document.getElementById(h.slice(1)))"
        for name in pages.NAMES:
            self.browser.open(self.pages[name], 1280, 900)
            self.assertEqual(self.browser.value(dead), [], name)

    def test_the_wide_run_is_read_at_once(self) -> None:
        self.browser.open(self.pages["wide"], 1280, 900)
        self.assertEqual(self.browser.value("document.querySelectorAll('#stages tbody > tr').length"), 70)
        top = "document.querySelector('#gates').getBoundingClientRect().top"
        self.assertLess(self.browser.value(top), 400)
