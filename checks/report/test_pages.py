"""Checks of the report's pages in a real browser: on a desktop, on a phone, and with the dark theme."""

import tempfile
import unittest
from pathlib import Path

from checks.report import pages
from checks.report.browser import Browser

#: The texts whose contrast with their background, by WCAG 2, is below 4.5 (3 for large text).
CONTRAST = """(() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (element) => { const stack = []; for (let e = element; e; e = e.parentElement) stack.push(parse(getComputedStyle(e).backgroundColor));
    return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
  const low = new Map(), seen = new Set();
  const place = (element) => { let text = ''; for (let e = element; e; e = e.parentElement) text += e.tagName + '.' + e.className + '#' + (e.open === true) + ' '; return text; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest('svg') || !element.checkVisibility()) continue;
    const where = place(element);
    if (seen.has(where)) continue;
    seen.add(where);
    const style = getComputedStyle(element), back = ground(element);
    let ink = parse(style.color);
    for (let e = element; e; e = e.parentElement) ink[3] *= Number(getComputedStyle(e).opacity);
    ink = over(ink, back);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < wanted) low.set(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`, node.textContent.trim().slice(0, 40));
  }
  return [...low].slice(0, 10);
})()"""

#: Elements that extend beyond the window without a scrollable ancestor.
BEYOND = """(() => {
  const scrolls = (e) => { for (let p = e.parentElement; p; p = p.parentElement) if (/auto|scroll|hidden/.test(getComputedStyle(p).overflowX)) return true; return false; };
  return [...document.querySelectorAll('body *')]
    .filter((e) => { const box = e.getBoundingClientRect(); return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1); })
    .filter((e) => !e.closest('svg') && !scrolls(e))
    .slice(0, 10).map((e) => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
})()"""

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


class PagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory(prefix="andiron-pages-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.pages = pages.make(Path(cls.folder.name))
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
