// Elements that extend beyond the window without a scrollable ancestor.
(() => {
  const scrolls = (e) => { for (let p = e.parentElement; p; p = p.parentElement) if (/auto|scroll|hidden/.test(getComputedStyle(p).overflowX)) return true; return false; };
  return [...document.querySelectorAll('body *')]
    .filter((e) => { const box = e.getBoundingClientRect(); return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1); })
    .filter((e) => !e.closest('svg') && !scrolls(e))
    .slice(0, 10).map((e) => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
})()
