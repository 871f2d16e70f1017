// One line in full, beside the list.

function openLine(line, takeFocus = false) {
  list.active = list.found.indexOf(line);
  hideTip();
  change({ index: String(line.index) });
  if (list.active >= 0) reveal(list.active);
  if (takeFocus) byId("details").focus();
}

function closeLine() {
  if (view.index === "") return;
  const hadFocus = byId("details").contains(document.activeElement);
  change({ index: "" });
  if (hadFocus) byId("list").focus({ preventScroll: true });
}

function startDetails(lines) {
  const byIndex = new Map(lines.map((line) => [line.index, line]));
  const draw = () => {
    const line = view.index === "" ? null : byIndex.get(+view.index);
    const panel = byId("details");
    panel.hidden = line == null;
    if (line) {
      panel.replaceChildren(...drawDetails(line));
      panel.scrollTop = 0;
    }
  };
  watchers.push((keys) => keys.includes("index") && draw());
  draw();
}

function drawDetails(line) {
  const { glyph, word } = verdictOf(line.verdict);
  const place = [line.source, line.line].filter((part) => part != null).join(":") || `number ${line.index + 1}`;
  const facts = [
    ["id", line.id], ["line", place], ["status", line.status], ["time", line.total == null ? null : time(line.total)],
    ["waited", line.wait >= SHORTEST_WAIT ? `${time(line.wait)}${line.between >= SHORTEST_WAIT ? `, ${time(line.between)} of it between requests` : ""}` : null],
    ["left", line.start == null ? "never" : `${time(line.start)} into the run`],
    ["protocol", line.version == null ? null : `HTTP/${line.version}`], ["type", line.type],
    ["size", line.wire == null ? null : `${size(line.wire)}${line.decoded !== line.wire && line.decoded != null ? `, ${size(line.decoded)} decoded` : ""}`],
    ["retries ended by", line.stoppedBy?.replaceAll("_", " ")], ["asked to wait", line.retryAfter == null ? null : time(line.retryAfter)],
  ].filter(([, value]) => value != null);
  return [
    el("header", {},
      el("h2", { id: "details-title" }, el("span", { class: `glyph ${line.verdict}`, "aria-hidden": "true" }, glyph), ` ${word}: ${resultText(line)}`),
      el("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: closeLine }, "✕")),
    el("p", { class: "address" }, line.method !== "" && el("span", { class: "method" }, line.method), address(line.url)),
    line.failure && el("p", { class: "message" }, line.failure.message, el("small", {}, `${line.failure.kind}, in phase ${line.failure.phase}`)),
    line.failed.length > 0 && el("ul", { class: "unmet" }, ...line.failed.map((text) => el("li", {}, text))),
    el("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
    line.exchanges.length > 0 && el("h3", {}, line.exchanges.length === 1 ? "Request" : `${line.exchanges.length} requests`),
    line.exchanges.length > 0 && el("ol", { class: "exchanges" }, ...drawExchanges(line)),
  ].filter(Boolean);
}

/** A link, where it is one that can be followed: a URL of ours with nothing covered in it. */
function address(url) {
  return /^https?:\/\//i.test(url) && !url.endsWith("…") ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url) : el("span", {}, url);
}

function drawExchanges(line) {
  const axis = { from: line.start, to: line.start + Math.max(line.total ?? 1, 1), own: false };
  const rows = [];
  let end = 0;
  let { url } = line;
  line.exchanges.forEach((exchange, at) => {
    const waited = exchange.start - end;
    if (waited >= SHORTEST_WAIT && at > 0) rows.push(el("li", { class: "pause" }, `${time(waited)} waiting`));
    if (at === 1 && line.leftOut > 0) rows.push(el("li", { class: "pause" }, `${plural(line.leftOut, "request")} left out`));
    end = exchange.start + exchange.total;
    const how = ["", "redirected to", "tried again"][exchange.cause];
    const phases = [["connecting", exchange.connected], ["first byte", exchange.head == null ? null : exchange.head - exchange.connected],
      ["body", exchange.head == null ? null : exchange.total - exchange.head], ["total", exchange.total]].filter(([, value]) => value != null && value > 0);
    const [begin, finish] = [line.start + exchange.start, line.start + end];
    const only = { begin, start: begin, end: finish, exchanges: [{ ...exchange, start: 0, cause: 0 }], verdict: exchange.broken ? "failed" : "ok" };
    rows.push(el("li", {},
      el("p", {}, how && el("span", { class: "how" }, `${how} `), el("b", { class: exchange.broken ? "failed" : null }, outcome(exchange)), exchange.url !== url && el("span", { class: "address" }, ` ${exchange.url}`)),
      exchange.broken && exchange.failure && exchange.failure !== line.failure && el("p", { class: "why" }, exchange.failure.message),
      drawBars(only, axis),
      el("p", { class: "phases" }, [...phases.map(([name, value]) => `${name} ${time(value)}`), exchange.ip].filter(Boolean).join(" · ")),
    ));
    ({ url } = exchange);
  });
  return rows;
}
