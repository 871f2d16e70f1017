// Reads the data, draws, and connects the filters.

function drawFilters(lines, counts) {
  const verdicts = byId("verdicts");
  const choice = (name, word, n) => el("button", { type: "button", "data-verdict": name, onclick: () => change({ verdict: name }) },
    name !== "" && el("span", { class: `glyph ${name}`, "aria-hidden": "true" }, verdictOf(name).glyph), word, el("span", { class: "n" }, count(n)));
  verdicts.replaceChildren(choice("", "all", lines.length), ...verdictsIn(counts).map((name) => choice(name, verdictOf(name).word, counts[name])));
  const values = (key) => {
    const found = new Map();
    for (const line of lines) { const value = key(line); if (value != null && value !== "") found.set(value, (found.get(value) ?? 0) + 1); }
    return [...found];
  };
  const most = (a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1);
  fill("host", "any host", values((line) => line.host).sort(most).slice(0, 1000));
  fill("status", "any status", values((line) => String(line.status ?? "none")).sort((a, b) => (a[0] < b[0] ? -1 : 1)));
  fill("kind", "any cause", values((line) => line.reason).sort(most));
  const search = byId("search");
  search.addEventListener("input", oncePerFrame(() => change({ q: search.value.trim() })));
  byId("reset").addEventListener("click", () => change(SHOW_ALL));
  byId("align").replaceChildren(...[["view", "in view"], ["run", "whole run"], ["zero", "each from zero"]].map(([name, text]) => el("button", { type: "button", "data-bars": name, onclick: () => change({ bars: name }) }, text)));
  const show = () => {
    for (const button of verdicts.children) button.setAttribute("aria-pressed", String(button.dataset.verdict === view.verdict));
    for (const button of byId("align").children) button.setAttribute("aria-pressed", String(button.dataset.bars === view.bars));
    for (const key of ["host", "status", "kind"]) {
      const select = byId(key);
      // What the address asks for can be chosen even if no line has it.
      if (![...select.options].some((option) => option.value === view[key])) select.append(el("option", { value: view[key] }, view[key]));
      select.value = view[key];
      select.classList.toggle("set", view[key] !== "");
    }
    if (search.value.trim() !== view.q) search.value = view.q;
    byId("reset").classList.toggle("unused", !isFiltered());
  };
  watchers.push(show);
  show();
}

function fill(id, none, values) {
  const select = byId(id);
  select.replaceChildren(el("option", { value: "" }, none), ...values.map(([value, n]) => el("option", { value }, `${value === "none" ? "no response" : value} (${count(n)})`)));
  select.hidden = values.length < 2;
  select.addEventListener("change", () => change({ [id]: select.value }));
}

function startTheme() {
  const button = byId("theme");
  const root = document.documentElement;
  const names = { "": ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };
  const show = () => {
    const [glyph, name] = names[root.dataset.theme ?? ""];
    button.firstElementChild.textContent = glyph;
    button.setAttribute("aria-label", `Theme: ${name}`);
    button.title = `Theme: ${name}`;
  };
  button.addEventListener("click", () => {
    const systemIsDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const order = systemIsDark ? ["", "light", "dark"] : ["", "dark", "light"];
    const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % 3];
    if (next === "") delete root.dataset.theme; else root.dataset.theme = next;
    try { localStorage.setItem("gather-theme", next); } catch { /* Forgotten with the page. */ }
    show();
  });
  show();
}

function startKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) { event.preventDefault(); byId("search").focus(); }
    if (event.key === "Escape" && view.index !== "") closeLine();
    else if (event.key === "Escape" && event.target === byId("search")) change({ q: "" });
  });
}

/** How much of the window the filters take while they stand at its top. */
function measureBar() {
  const bar = byId("bar");
  const stands = getComputedStyle(bar).position === "sticky";
  document.documentElement.style.setProperty("--bar", stands ? `${bar.offsetHeight}px` : "0px");
}

function start() {
  document.documentElement.classList.remove("drawing");
  const rows = JSON.parse(byId("data").textContent);
  const lines = readLines(rows);
  const { first, length } = startAtZero(lines);
  const counts = tally(lines);
  readAddress();
  drawHeadline(lines, counts, length, first == null ? null : `${new Date(first / 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`);
  drawTimes(lines);
  drawCauses(lines);
  drawHosts(hostsOf(lines));
  drawFilters(lines, counts);
  drawLegend();
  startTheme();
  startKeys();
  measureBar();
  new ResizeObserver(measureBar).observe(byId("bar"));
  if (length > 0) drawRun(lines, length); else document.querySelector(".run").hidden = true;
  startList(lines, length);
  startDetails(lines);
  addEventListener("hashchange", () => { readAddress(); for (const watcher of watchers) watcher(Object.keys(DEFAULTS)); });
  if (isFiltered() || view.index !== "") byId("lines-title").scrollIntoView();
  revealChosen();
}

try {
  start();
} catch (error) {
  // What is there without scripts is better than half a page.
  document.documentElement.classList.remove("js");
  throw error;
}
