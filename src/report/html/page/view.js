// Which lines are shown, in which order, and which one is open: kept in the address, so that a view can be sent to others.
//
// `#verdict=failed&host=…&status=503&kind=read_timeout&q=words&from=1.2&to=3&sort=-time&bars=zero&index=12`

const DEFAULTS = { verdict: "", host: "", status: "", kind: "", q: "", from: "", to: "", sort: "line", bars: "view", index: "" };
const view = { ...DEFAULTS };
const watchers = [];

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const [key, fallback] of Object.entries(DEFAULTS)) view[key] = asked.get(key) ?? fallback;
}

function writeAddress() {
  const parts = new URLSearchParams();
  for (const [key, fallback] of Object.entries(DEFAULTS)) if (view[key] !== fallback) parts.set(key, view[key]);
  const text = parts.toString();
  // Replaced, not pushed: "back" leaves the page instead of undoing each letter of a search.
  try { history.replaceState(null, "", text !== "" ? `#${text}` : location.pathname + location.search); } catch { /* Not where it was opened from data. */ }
}

/** Changes some of the view, and tells everyone who draws it. */
function change(changes) {
  Object.assign(view, changes);
  writeAddress();
  for (const watcher of watchers) watcher(Object.keys(changes));
}

const isFiltered = () => ["verdict", "host", "status", "kind", "q", "from", "to"].some((key) => view[key] !== "");
const SHOW_ALL = { verdict: "", host: "", status: "", kind: "", q: "", from: "", to: "" };

/** The part of the run that is looked at, in microseconds. */
function span(length) {
  const seconds = (text, fallback) => text !== "" && Number.isFinite(+text) ? +text * 1e6 : fallback;
  const from = Math.max(0, seconds(view.from, 0));
  return { from, to: Math.max(from + 1, Math.min(length, seconds(view.to, length))) };
}

/** Whether a line passes every filter but those named. */
function passes(except = []) {
  const has = (key) => view[key] !== "" && !except.includes(key);
  const words = has("q") ? view.q.toLowerCase().split(/\s+/).filter(Boolean) : [];
  const tests = [];
  if (has("verdict")) tests.push((line) => line.verdict === view.verdict);
  if (has("host")) tests.push((line) => line.host === view.host);
  if (has("status")) tests.push((line) => String(line.status ?? "none") === view.status);
  if (has("kind")) tests.push((line) => line.reason === view.kind);
  if (has("from") || has("to")) {
    const { from, to } = span(Infinity);
    tests.push((line) => line.start != null && line.start <= to && line.end >= from);
  }
  if (words.length > 0) tests.push((line) => words.every((word) => haystack(line).includes(word)));
  return (line) => tests.every((test) => test(line));
}

const SEVERITY = Object.keys(VERDICTS);
const ORDERS = {
  line: (a, b) => a.place - b.place,
  result: (a, b) => SEVERITY.indexOf(a.verdict) - SEVERITY.indexOf(b.verdict)
    || (a.reason ?? "").localeCompare(b.reason ?? "") || (a.status ?? 0) - (b.status ?? 0),
  time: (a, b) => (a.total ?? -1) - (b.total ?? -1),
  url: (a, b) => a.host < b.host ? -1 : a.host > b.host ? 1 : a.path < b.path ? -1 : a.path > b.path ? 1 : 0,
  start: (a, b) => (a.start ?? Infinity) - (b.start ?? Infinity) || 0,
};

function chosen(lines) {
  const found = isFiltered() ? lines.filter(passes()) : lines.slice();
  const down = view.sort.startsWith("-");
  const order = ORDERS[view.sort.replace("-", "")] ?? ORDERS.line;
  if (order === ORDERS.line && !down) return found;
  return found.sort((a, b) => (down ? -order(a, b) : order(a, b)) || a.place - b.place);
}
