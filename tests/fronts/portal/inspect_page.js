// What a careful eye would object to on the open page, as a list of sentences. Run in the browser by test_looks.py.
() => {
  const found = [];
  const visible = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest("[aria-hidden=true]");
  const name = (e) => `${e.tagName.toLowerCase()} "${(e.textContent || e.name || "").trim().slice(0, 40)}"`;

  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) found.push(`scrolls sideways: ${width} in ${window.innerWidth}`);
  if (document.querySelectorAll("h1").length !== 1) found.push("not exactly one h1");
  if (!document.documentElement.lang || !document.title) found.push("no language or no title");

  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) found.push(`an id stands twice: ${ids}`);
  for (const e of document.querySelectorAll("[aria-describedby]"))
    for (const id of e.getAttribute("aria-describedby").split(" "))
      if (!document.getElementById(id)) found.push(`${name(e)} is described by ${id}, which isn't there`);

  for (const e of document.querySelectorAll("input:not([type=hidden]), button, a")) {
    if (!visible(e) || e.classList.contains("skip")) continue;
    if (e.tagName === "INPUT" && !e.labels.length) found.push(`${name(e)} has no label`);
    if (e.tagName !== "INPUT" && !(e.textContent.trim() || e.ariaLabel)) found.push(`${name(e)} has no name`);
    const target = e.type === "checkbox" ? e.labels[0] : e;
    const { width, height } = target.getBoundingClientRect();
    const inText = e.tagName === "A" && getComputedStyle(e).display === "inline";
    if (!inText && (width < 44 || height < 44) && !e.closest(".chips")) found.push(`${name(e)} is ${width} x ${height} px`);
    if (e.tagName === "INPUT" && parseFloat(getComputedStyle(e).fontSize) < 16) found.push(`${name(e)} is under 16 px`);
  }

  // WCAG 2.2, 1.4.3: every text against what lies behind it.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !visible(e) || e.closest("script, noscript, .skip")) continue;
    const behind = [];
    for (let up = e; up; up = up.parentElement) behind.unshift(getComputedStyle(up).backgroundColor);
    const [one, two] = [light(paint(behind)), light(paint([...behind, getComputedStyle(e).color]))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < 4.5) found.push(`${name(e)} has a contrast of ${contrast.toFixed(2)}`);
  }
  return found;
}
