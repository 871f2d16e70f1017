// The list of lines: only those near the window are elements, so that its length does not matter.

/** Rows drawn beyond each edge of the window. */
const OVERSCAN = 12;

/** Most rows of a printed list. */
const MOST_PRINTED = 1000;

const COLUMNS = [
  { order: "line", title: "Line", class: "c-line" },
  { order: "result", title: "Result", class: "c-result" },
  { order: "time", title: "Time", class: "c-time" },
  { order: "url", title: "URL", class: "c-url" },
  { order: "start", title: "Started", class: "c-bars" },
];

const list = { all: [], found: [], drawn: new Map(), axis: { from: 0, to: 1, own: false }, active: -1, length: 0, printing: false, axisWatchers: [] };

const rowHeight = () => list.rowHeight ??= parseFloat(getComputedStyle(byId("list")).getPropertyValue("--row"));

function startList(lines, length) {
  list.all = lines;
  list.length = length;
  const grid = byId("list");
  drawHead();
  grid.addEventListener("keydown", onKey);
  byId("rows").addEventListener("click", (event) => { const line = lineAt(event); if (line && getSelection().isCollapsed) openLine(line); });
  byId("rows").addEventListener("pointermove", (event) => {
    const line = event.pointerType === "mouse" && event.target.closest(".c-bars") ? lineAt(event) : null;
    if (line) showTip(line, event.clientX, event.clientY); else hideTip();
  });
  byId("rows").addEventListener("pointerleave", hideTip);
  grid.addEventListener("blur", hideTip);
  let settled;
  addEventListener("scroll", oncePerFrame(() => {
    hideTip();
    drawRows();
    clearTimeout(settled);
    settled = setTimeout(fitAxis, 90);
  }), { passive: true });
  addEventListener("resize", oncePerFrame(() => { list.rowHeight = null; redraw(); }));
  addEventListener("beforeprint", () => { list.printing = true; redraw(); });
  addEventListener("afterprint", () => { list.printing = false; redraw(); });
  watchers.push((keys) => {
    if (keys.every((key) => key === "index")) markChosen(); else find();
  });
  find();
}

function find() {
  const kept = list.found[list.active];
  list.found = chosen(list.all);
  list.active = kept ? list.found.indexOf(kept) : -1;
  const all = list.all.length;
  byId("shown").textContent = isFiltered() ? `${count(list.found.length)} of ${count(all)}` : count(all);
  byId("list").setAttribute("aria-rowcount", list.found.length + 1);
  for (const head of byId("head").querySelectorAll("[role=columnheader]")) {
    const order = head.dataset.order;
    head.setAttribute("aria-sort", view.sort === order ? "ascending" : view.sort === `-${order}` ? "descending" : "none");
  }
  redraw();
}

/** Draws everything anew: the lines, their size or the axis have changed. */
function redraw() {
  list.axis = axisFor(list.found, seen(), list.length);
  list.drawn.clear();
  const rows = byId("rows");
  rows.classList.toggle("printing", list.printing);
  rows.replaceChildren(el("div", { class: "backdrop", "aria-hidden": "true" }, el("div", { class: "lines-at" })));
  rows.style.height = list.printing || list.found.length === 0 ? "" : `${list.found.length * rowHeight()}px`;
  if (list.found.length === 0) rows.append(el("p", { class: "none" }, list.all.length === 0 ? "There are no lines." : "No line is like that."));
  drawAxis();
  drawRows();
}

/** The lines in the window; if none is, those that come into it first. */
function seen() {
  const top = byId("rows").getBoundingClientRect().top;
  const height = rowHeight();
  const least = Math.max(0, byId("head").getBoundingClientRect().bottom);
  const first = Math.max(0, Math.floor((least - top) / height));
  const last = Math.ceil((innerHeight - top) / height);
  return list.found.slice(first, Math.max(last, first + 12));
}

/** Where the bars show what is in the window, they are drawn anew once it stands still. */
function fitAxis() {
  if (view.bars !== "view") return;
  const axis = axisFor(list.found, seen(), list.length);
  if (axis.from === list.axis.from && axis.to === list.axis.to) return;
  list.axis = axis;
  drawAxis();
  for (const [at, row] of list.drawn) row.lastElementChild.replaceChildren(drawBars(list.found[at], axis));
}

function drawAxis() {
  const axis = byId("axis");
  const places = drawTicks(list.axis, axis.clientWidth || 400);
  axis.replaceChildren(...places.map(({ label, left }) => tickLabel(label, left)));
  for (const watcher of list.axisWatchers) watcher(list.axis);
  byId("rows").querySelector(".lines-at").replaceChildren(...places.map(({ left }) => el("i", { style: { left: `${left}%` } })));
}

function drawRows() {
  const rows = byId("rows");
  const height = rowHeight();
  const top = rows.getBoundingClientRect().top;
  let first = Math.max(0, Math.floor(-top / height) - OVERSCAN);
  let last = Math.min(list.found.length, Math.ceil((innerHeight - top) / height) + OVERSCAN);
  if (list.printing) [first, last] = [0, Math.min(list.found.length, MOST_PRINTED)];
  for (const [at, row] of list.drawn) {
    if (at >= first && at < last) continue;
    row.remove();
    list.drawn.delete(at);
  }
  const fresh = document.createDocumentFragment();
  for (let at = first; at < last; at += 1) {
    if (list.drawn.has(at)) continue;
    const row = drawRow(list.found[at], at);
    row.style.top = `${at * height}px`;
    list.drawn.set(at, row);
    fresh.append(row);
  }
  rows.append(fresh);
  if (list.printing && last < list.found.length) rows.append(el("p", { class: "none" }, `and ${count(list.found.length - last)} more`));
  markChosen();
}

function drawRow(line, at) {
  const { glyph, word } = verdictOf(line.verdict);
  const cell = (name, ...children) => el("div", { class: name, role: "gridcell" }, ...children);
  const notes = [
    line.retries > 0 && `${line.retries + 1} attempts`,
    line.redirects > 0 && plural(line.redirects, "redirect"),
  ].filter(Boolean);
  const method = line.method === "GET" || line.method === "" ? null : el("span", { class: "method" }, line.method);
  const bars = cell("c-bars", drawBars(line, list.axis));
  bars.setAttribute("aria-label", line.start == null ? "never left" : `at ${time(line.start)}`);
  return el("div", { class: "row", role: "row", id: `row-${at}`, "aria-rowindex": at + 2, "data-at": at },
    cell("c-line", line.line == null ? String(line.index + 1) : String(line.line)),
    cell("c-result", el("span", { class: `glyph ${line.verdict}`, role: "img", "aria-label": word }, glyph), el("span", { class: "what", title: line.failure?.message }, resultText(line))),
    cell("c-time", time(line.total)),
    cell("c-url", el("span", { class: "url", title: line.url }, method, line.host && el("span", { class: "host" }, line.host), el("span", { class: "path" }, line.path)),
      line.failed.length > 0 && el("span", { class: "unmet-note" }, line.failed[0], line.failed.length > 1 && `, and ${line.failed.length - 1} more`),
      notes.length > 0 && el("span", { class: "notes" }, notes.join(", "))),
    bars,
  );
}

function drawHead() {
  const sort = (order) => change({ sort: view.sort === order ? `-${order}` : order });
  const head = ({ order, title, class: name }) => el("div", { class: name, role: "columnheader", "data-order": order },
    el("button", { type: "button", onclick: () => sort(order) }, title, el("span", { class: "arrow", "aria-hidden": "true" })),
    order === "start" && el("div", { id: "axis", class: "ticks", "aria-hidden": "true" }));
  byId("head").replaceChildren(el("div", { class: "row head", role: "row", "aria-rowindex": 1 }, ...COLUMNS.map(head)));
}

function lineAt(event) {
  const row = event.target.closest(".row");
  return row == null ? null : list.found[+row.dataset.at];
}

/** Shows which line the keys are on, and which one is open. */
function markChosen() {
  for (const [at, row] of list.drawn) {
    row.classList.toggle("active", at === list.active);
    row.setAttribute("aria-selected", String(view.index !== "" && list.found[at].index === +view.index));
  }
  const grid = byId("list");
  if (list.drawn.has(list.active)) grid.setAttribute("aria-activedescendant", `row-${list.active}`);
  else grid.removeAttribute("aria-activedescendant");
}

/** Scrolls only as far as it takes to have a line in the window, clear of what stands over the list. */
function reveal(at) {
  const height = rowHeight();
  const top = byId("rows").getBoundingClientRect().top + at * height;
  const least = byId("head").getBoundingClientRect().bottom;
  // On a narrow window the open line stands below the list, not beside it.
  const panel = byId("details").getBoundingClientRect();
  const most = panel.width >= innerWidth ? panel.top : innerHeight;
  if (top < least) scrollBy(0, top - least);
  else if (top + height > most) scrollBy(0, top + height - most + 8);
  drawRows();
}

/** Goes to the line that is open, if it is in the list. */
function revealChosen() {
  const at = list.found.findIndex((line) => line.index === +view.index);
  if (view.index === "" || at < 0) return;
  list.active = at;
  reveal(at);
}

function onKey(event) {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const page = Math.max(1, Math.floor(innerHeight / rowHeight()) - 6);
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
  if (step != null && list.found.length > 0) {
    event.preventDefault();
    list.active = Math.max(0, Math.min(list.found.length - 1, Math.max(list.active, step > 0 ? -1 : 0) + step));
    reveal(list.active);
    const line = list.found[list.active];
    if (!byId("details").hidden) return openLine(line);
    const bars = list.drawn.get(list.active).querySelector(".c-bars").getBoundingClientRect();
    return showTip(line, bars.left, bars.bottom - 8);
  }
  if (event.key === "Enter" && list.active >= 0) openLine(list.found[list.active], true);
}
