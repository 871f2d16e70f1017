// Numbers as people read them, and elements. Times are microseconds.

const count = (n) => n.toLocaleString("en");
const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

function time(micros) {
  if (micros == null) return "–";
  if (micros < 50) return micros < 1 ? "0 ms" : "< 0.1 ms";
  if (micros < 950) return `${(micros / 1000).toFixed(1)} ms`;
  if (micros < 999_500) return `${Math.round(micros / 1000)} ms`;
  if (micros < 59_950_000) return `${(micros / 1e6).toFixed(micros < 9_950_000 ? 2 : 1)} s`;
  const seconds = Math.round(micros / 1e6);
  const two = (n) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} m`;
}

/** A place on an axis: round, and in the unit of the axis' step. */
function tick(micros, step) {
  if (step < 1000) return `${+(micros / 1000).toFixed(1)} ms`;
  if (step < 1e6 && micros < 1e6) return `${Math.round(micros / 1000)} ms`;
  if (micros >= 60e6 && step >= 1e6) return time(micros);
  return `${+(micros / 1e6).toFixed(step < 1e4 ? 3 : step < 1e5 ? 2 : 1)} s`;
}

/** About `most` round places between two times. */
function ticks(from, to, most) {
  const rough = Math.max((to - from) / most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  if (step > 5e6) step = [10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400].map((s) => s * 1e6).find((s) => s >= rough) ?? step;
  const places = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) places.push({ at, label: tick(at, step) });
  return places;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  let amount = bytes / 1024;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    if (amount < 1023.95) return `${amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} TiB`;
}

/** Where a label of an axis stands, in percent, without leaving the axis. */
function tickLabel(label, left) {
  return el("span", { style: { left: `${left}%` }, class: left < 2 ? "first" : left > 95 ? "last" : null }, label);
}

/** The value within which a share of sorted values lies. */
const quantile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

const byId = (id) => document.getElementById(id);

/** An element; text is never markup. `props`: class, on… listeners, style as an object, anything else an attribute. */
function el(name, props = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value == null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "style") Object.assign(element.style, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Calls back once before the next frame, however often it is asked to. */
function oncePerFrame(callback) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; callback(); });
  };
}
