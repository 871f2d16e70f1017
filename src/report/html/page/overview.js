// What came of the run as a whole: the headline, latencies, causes, hosts.

function tally(lines) {
  const counts = {};
  for (const line of lines) counts[line.verdict] = (counts[line.verdict] ?? 0) + 1;
  return counts;
}

/** Verdicts that occur, the worst first. */
const verdictsIn = (counts) => [...Object.keys(VERDICTS), ...Object.keys(counts).filter((name) => !(name in VERDICTS))].filter((name) => counts[name]);

function drawHeadline(lines, counts, length, began) {
  const failed = counts.failed ?? 0;
  const rest = [["flaky", counts.flaky], ["known", counts.known], ["fixed", counts.fixed]].filter(([, n]) => n);
  const verdict = lines.length === 0 ? "ok" : failed > 0 ? "failed" : (counts.flaky ? "flaky" : "ok");
  const words = lines.length === 0 ? ["No lines"]
    : failed > 0 ? [el("b", {}, count(failed)), ` of ${plural(lines.length, "line")} failed`]
      : counts.known > 0 ? [`No new failure in ${plural(lines.length, "line")}`]
      : [lines.length === 1 ? "The line is ok" : `All ${count(lines.length)} lines are ok`];
  const more = rest.map(([name, n]) => `${count(n)} ${name}`).join(", ");
  byId("headline").replaceChildren(
    el("span", { class: `glyph ${verdict}`, "aria-hidden": "true" }, verdictOf(verdict).glyph),
    el("span", {}, ...words, more && el("span", { class: "aside" }, failed > 0 ? `, ${more}` : ` (${more})`)),
  );
  const share = verdictsIn(counts);
  byId("share").setAttribute("aria-label", share.map((name) => `${count(counts[name])} ${name}`).join(", "));
  byId("share").replaceChildren(...share.map((name) => el("i", { class: name, style: { flexGrow: counts[name] } })));
  const requests = lines.reduce((sum, line) => sum + line.exchanges.length + line.leftOut, 0);
  const bytes = lines.reduce((sum, line) => sum + (line.wire ?? 0), 0);
  const facts = [
    ["began", began], ["took", length > 0 ? time(length) : null], ["requests", count(requests)],
    ["retries", count(lines.reduce((sum, line) => sum + line.retries, 0))], ["redirects", count(lines.reduce((sum, line) => sum + line.redirects, 0))],
    ["received", size(bytes)], ["rate", length > 0 ? `${count(+(requests / (length / 1e6)).toPrecision(3))} a second` : null],
  ].filter(([name, value]) => value != null && !(value === "0" && name !== "requests"));
  byId("facts").replaceChildren(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** Bars of a histogram over the logarithm of the time, eight to a power of ten. */
function bins(lines) {
  const found = new Map();
  for (const line of lines) {
    if (line.total == null || line.start == null) continue;
    const bin = Math.floor(Math.log10(Math.max(line.total, 1)) * 8);
    const counts = found.get(bin) ?? {};
    counts[line.verdict] = (counts[line.verdict] ?? 0) + 1;
    found.set(bin, counts);
  }
  return found;
}

/** The width of a name in the histogram, with some space. */
const NAME = 30;

/**
 * Where the marks stand, in percent of so many pixels. A name stands right of its mark, late ones stand left of it; those that
 * would lie upon each other stand together, at the last of them.
 */
function named(marks, x, pixels) {
  let names = [];
  return marks.map(({ name, value }, i) => {
    const at = x(value), late = at > 75;
    names.push(name);
    if (i + 1 < marks.length) {
      const next = x(marks[i + 1].value);
      const room = (late ? 0 : names.length * NAME) + (next > 75 ? 2 * NAME : 0);
      if (((next - at) / 100) * pixels < room) return { at, late };
    }
    const together = names.join(" ");
    names = [];
    return { at, late, name: together };
  });
}

function drawTimes(lines) {
  const found = bins(lines);
  const box = byId("times");
  if (found.size === 0) return box.replaceChildren(el("p", { class: "none" }, "No request left."));
  // Whole powers of ten at both ends, but no more than what is needed to keep the shape in view.
  const low = Math.min(...found.keys()) - 1;
  const high = Math.max(Math.max(...found.keys()) + 2, low + 16);
  const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
  const tallest = Math.max(...[...found.values()].map(sum));
  const bars = [];
  for (let bin = low; bin < high; bin += 1) {
    const counts = found.get(bin) ?? {};
    const title = `${time(10 ** (bin / 8))} to ${time(10 ** ((bin + 1) / 8))}: ${plural(sum(counts), "line")}`;
    const stack = verdictsIn(counts).reverse().map((name) => el("i", { class: name, style: { flexGrow: counts[name] } })).reverse();
    const height = sum(counts) === 0 ? 0 : Math.max(2, (sum(counts) / tallest) * 100);
    bars.push(el("div", { class: "bin", title }, el("div", { class: "stack", style: { height: `${height}%` } }, ...stack)));
  }
  const x = (micros) => ((Math.log10(Math.max(micros, 1)) * 8 - low) / (high - low)) * 100;
  const sorted = lines.filter((line) => line.start != null && line.total != null).map((line) => line.total).sort((a, b) => a - b);
  const marks = [["p50", 0.5], ["p90", 0.9], ["p99", 0.99]].map(([name, of]) => ({ name, value: quantile(sorted, of) }));
  const powers = [];
  for (let power = Math.ceil(low / 8); power <= Math.floor(high / 8); power += 1) powers.push(10 ** power);
  box.replaceChildren(
    el("dl", { class: "quantiles" }, ...[...marks, { name: "slowest", value: sorted.at(-1) }]
      .map(({ name, value }) => el("div", {}, el("dt", {}, name), el("dd", {}, time(value))))),
    el("div", { class: "histogram", role: "img", "aria-label": `Histogram of ${count(sorted.length)} times on a logarithmic axis` }, ...bars,
      ...named(marks, x, box.clientWidth).map(({ name, at, late }) => el("i", { class: late ? "quantile late" : "quantile", style: { left: `${at}%` }, "aria-hidden": "true" }, name && el("span", {}, name)))),
    el("div", { class: "ticks", "aria-hidden": "true" }, ...powers.map((at) => tickLabel(tick(at, at), x(at)))),
  );
}

function drawCauses(lines) {
  const causes = new Map();
  for (const line of lines) if (line.reason) causes.set(line.reason, (causes.get(line.reason) ?? 0) + 1);
  const sorted = [...causes].sort((a, b) => b[1] - a[1]);
  if (sorted.length === 0) {
    byId("causes").parentElement.hidden = true;
    byId("times").parentElement.classList.add("wide");
    return;
  }
  const most = sorted[0][1];
  const row = ([kind, n]) => el("li", {}, el("button", { type: "button", "aria-pressed": "false", "data-kind": kind,
    onclick: () => change({ kind: view.kind === kind ? "" : kind }) },
  el("span", { class: "name" }, kind), el("span", { class: "meter" }, el("i", { style: { width: `${(n / most) * 100}%` } })), el("span", { class: "number" }, count(n))));
  const press = () => byId("causes").querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", button.dataset.kind === view.kind));
  byId("causes").replaceChildren(el("ul", {}, ...sorted.slice(0, 14).map(row)), sorted.length > 14 && el("p", { class: "none" }, `and ${sorted.length - 14} more`) || "");
  watchers.push(press);
  press();
}

function hostsOf(lines) {
  const hosts = new Map();
  for (const line of lines) {
    if (line.host === "") continue;
    let host = hosts.get(line.host);
    if (host == null) hosts.set(line.host, host = { name: line.host, lines: 0, failed: 0, flaky: 0, retries: 0, times: [] });
    host.lines += 1;
    host.failed += line.verdict === "failed" || line.verdict === "known" ? 1 : 0;
    host.flaky += line.verdict === "flaky" ? 1 : 0;
    host.retries += line.retries;
    if (line.total != null && line.start != null) host.times.push(line.total);
  }
  for (const host of hosts.values()) host.times.sort((a, b) => a - b);
  return [...hosts.values()].sort((a, b) => b.failed - a.failed || b.lines - a.lines || (a.name < b.name ? -1 : 1));
}

/** So many hosts at first, and at most. */
const HOSTS_SHOWN = 8;
const MOST_HOSTS = 500;

function drawHosts(hosts) {
  const columns = ["Host", "Lines", "Failed", "Flaky", "Retries", "p50", "p99"];
  let all = false;
  const draw = () => {
    const slowest = Math.max(1, ...hosts.map((host) => quantile(host.times, 0.99) ?? 0));
    const row = (host) => {
      const p99 = quantile(host.times, 0.99);
      const number = (n, verdict) => el("td", { class: n > 0 ? `number ${verdict}` : "number zero" }, count(n));
      return el("tr", { class: view.host === host.name ? "chosen" : null },
        el("th", { scope: "row" }, el("button", { type: "button", "aria-pressed": String(view.host === host.name), onclick: () => change({ host: view.host === host.name ? "" : host.name }) }, host.name)),
        el("td", { class: "number" }, count(host.lines)), number(host.failed, "failed"), number(host.flaky, "flaky"), number(host.retries, ""),
        el("td", { class: "number" }, time(quantile(host.times, 0.5))),
        el("td", { class: "number" }, el("span", { class: "meter" }, el("i", { style: { width: `${((p99 ?? 0) / slowest) * 100}%` } })), el("span", { class: "value" }, time(p99))));
    };
    const shown = hosts.slice(0, all ? MOST_HOSTS : HOSTS_SHOWN);
    const more = hosts.length > HOSTS_SHOWN && el("button", { type: "button", class: "quiet more", "aria-expanded": String(all), onclick: () => { all = !all; draw(); } },
      all ? "Show fewer" : `Show ${hosts.length > MOST_HOSTS ? `${MOST_HOSTS} of` : "all"} ${plural(hosts.length, "host")}`);
    byId("hosts").replaceChildren(
      el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...columns.map((name, at) => el("th", { scope: "col", class: at > 0 ? "number" : null }, name)))), el("tbody", {}, ...shown.map(row)))),
      more || "");
  };
  draw();
  watchers.push((keys) => keys.includes("host") && draw());
}
