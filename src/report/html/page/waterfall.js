// The bars: what a line did when. Waiting, connecting, until the first byte, body; attempts and hops one after the other.

/** Shorter waits between two requests are the program's own work. */
const SHORTEST_WAIT = 1000;

const PHASES = { wait: "waiting", connect: "connecting", first: "first byte", body: "body" };

/** The pieces of a line's bar, from its first wait to its end. */
function pieces(line) {
  if (line.start == null) return [];
  const all = [];
  const add = (phase, from, to, exchange) => to > from && all.push({ phase, from, to, exchange });
  if (line.start - line.begin >= SHORTEST_WAIT) add("wait", line.begin, line.start);
  let at = line.start;
  for (const exchange of line.exchanges) {
    const from = line.start + exchange.start;
    if (from - at >= SHORTEST_WAIT) add("wait", at, from);
    const head = exchange.head ?? exchange.total;
    add("connect", from, from + exchange.connected, exchange);
    add("first", from + exchange.connected, from + Math.max(head, exchange.connected), exchange);
    add("body", from + head, from + exchange.total, exchange);
    at = from + exchange.total;
  }
  if (line.end - at >= SHORTEST_WAIT) add("wait", at, line.end);
  return all;
}

/** How long each phase took, over all exchanges. */
function phaseTimes(line) {
  const sums = { wait: line.wait ?? 0, connect: 0, first: 0, body: 0 };
  for (const piece of pieces(line)) if (piece.phase !== "wait") sums[piece.phase] += piece.to - piece.from;
  return sums;
}

/** What the bars are drawn on: the time since a line's first request, the run, or the part of it that the lines `seen` took. */
function axisFor(found, seen, length) {
  const whole = span(length);
  if (view.bars === "run") return { ...whole, own: false };
  let [from, to] = [Infinity, 1];
  for (const line of view.bars === "zero" ? found : seen) {
    if (line.start == null) continue;
    from = Math.min(from, line.start);
    to = Math.max(to, view.bars === "zero" ? line.total ?? 0 : line.end);
  }
  if (view.bars === "zero") return { from: 0, to, own: true };
  if (from === Infinity) return { ...whole, own: false };
  const margin = (to - from) * 0.02;
  from = Math.max(whole.from, from - margin);
  return { from, to: Math.max(from + 1, Math.min(whole.to, to + margin)), own: false };
}

function drawBars(line, axis) {
  const bars = el("div", { class: "bars" });
  const shift = axis.own ? line.start : 0;
  const scale = 100 / (axis.to - axis.from);
  let lastEnd = null;
  for (const { phase, from, to, exchange } of pieces(line)) {
    const left = Math.max(0, (from - shift - axis.from) * scale);
    const right = Math.min(100, (to - shift - axis.from) * scale);
    if (right < 0 || left > 100 || right <= left) continue;
    const name = `piece ${phase}${exchange?.broken ? " broken" : ""}`;
    bars.append(el("i", { class: name, style: { left: `${left}%`, width: `${right - left}%` } }));
    lastEnd = right;
  }
  for (const exchange of line.exchanges) {
    const at = (line.start + exchange.start - shift - axis.from) * scale;
    if (exchange.cause > 0 && at >= 0 && at <= 100) {
      bars.append(el("i", { class: exchange.cause === 1 ? "mark hop" : "mark retry", style: { left: `${at}%` } }));
    }
  }
  const failed = line.verdict === "failed" || line.verdict === "known";
  if (failed && lastEnd != null && lastEnd < 100) bars.append(el("i", { class: "end", style: { left: `${lastEnd}%` } }));
  return bars;
}

/** Lines at round times, behind the bars. */
function drawTicks(axis, width) {
  const places = ticks(axis.from, axis.to, Math.max(2, Math.floor(width / 84)));
  return places.map(({ at, label }) => ({ label, left: ((at - axis.from) / (axis.to - axis.from)) * 100 }));
}

/** What is told of a line beside its bar. */
function showTip(line, x, y) {
  const tip = byId("tip");
  const times = phaseTimes(line);
  const rows = Object.entries(PHASES)
    .filter(([phase]) => times[phase] > 0)
    .flatMap(([phase, name]) => [el("dt", {}, el("i", { class: `piece ${phase}` }), name), el("dd", {}, time(times[phase]))]);
  const story = line.exchanges.length > 1 ? line.exchanges.map(outcome).join(" → ") : null;
  tip.replaceChildren(
    el("p", { class: "tip-title" }, resultText(line), line.start == null ? ", never left" : ` at ${time(line.start)}`),
    el("dl", {}, ...rows, el("dt", { class: "sum" }, "total"), el("dd", { class: "sum" }, time(line.total))),
    story ? el("p", { class: "story" }, story) : "",
  );
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(8, y - box.height - 10) : y + 18}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

/** What came of one exchange, in a word. */
const outcome = (exchange) => exchange.failure?.kind ?? (exchange.status == null ? "no response" : String(exchange.status));

/** What came of a line, in a word. */
const resultText = (line) => line.failure?.kind ?? (line.status == null ? "no response" : String(line.status));

function drawLegend() {
  const item = (name, text) => el("span", {}, el("i", { class: name }), text);
  byId("legend").append(
    ...Object.entries(PHASES).map(([phase, name]) => item(`piece ${phase}`, name)),
    item("piece first broken", "failed attempt"),
    item("mark hop", "redirect"),
  );
}
