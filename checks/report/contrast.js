// The texts whose contrast with their background, by WCAG 2, is below 4.5 (3 for large text).
(() => {
  const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
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
})()
