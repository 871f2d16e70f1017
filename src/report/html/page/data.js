// The data of the page as objects: one a line of the list. The order of the fields is that of row.rs.

/** What a verdict looks like. `known` and `fixed` compare a run with an older one. */
const VERDICTS = {
  failed: { glyph: "✗", word: "failed" },
  flaky: { glyph: "~", word: "flaky" },
  known: { glyph: "≈", word: "known" },
  skipped: { glyph: "–", word: "skipped" },
  fixed: { glyph: "↑", word: "fixed" },
  ok: { glyph: "✓", word: "ok" },
};
const verdictOf = (name) => VERDICTS[name] ?? { glyph: "•", word: name };

function readFailure(cells) {
  return cells && { kind: cells[0], phase: cells[1], message: cells[2] };
}

function readLines(rows) {
  let source = null;
  return rows.map((row, place) => {
    const [index, line, newSource, id, method, url, verdict, status, failure, start, wait, total, exchanges, leftOut, more] = row;
    source = newSource ?? source;
    const [version, type, wire, decoded, stoppedBy, retryAfter, failed] = more;
    const read = {
      place, index, line, id, method, url, verdict, status, start, wait, total, leftOut,
      source: line == null ? null : source,
      failure: readFailure(failure),
      version, type, wire, decoded, stoppedBy, retryAfter, failed,
      ...splitUrl(url, failure),
    };
    read.exchanges = readExchanges(exchanges, read);
    // A relative line has the host that it was sent to.
    if (read.host === "" && read.exchanges.length > 0) read.host = splitUrl(read.exchanges[0].url, failure).host;
    read.retries = read.exchanges.filter((exchange) => exchange.cause === 2).length;
    read.redirects = read.exchanges.filter((exchange) => exchange.cause === 1).length;
    read.reason = reason(read);
    measure(read);
    return read;
  });
}

/** Host with port, and what comes after it. A line that is no request has no host. */
function splitUrl(url, failure) {
  const match = failure?.[1] === "input" ? null : /^[a-z]+:\/\/(?:[^\/?#]*@)?([^\/?#]*)(.*)$/i.exec(url);
  return match ? { host: match[1].toLowerCase(), path: match[2] } : { host: "", path: url };
}

function readExchanges(cells, line) {
  let { method, url } = line;
  return cells.map((cell) => {
    const [cause, newMethod, newUrl, status, failure, start, lookup, connect, tls, head, total, ip, followedBy] = cell;
    method = newMethod ?? method;
    url = newUrl ?? url;
    const last = followedBy == null;
    const read = { cause, method, url, status, start: start ?? 0, lookup, connect, tls, head, total: total ?? 0, ip, followedBy };
    read.failure = last ? line.failure : readFailure(failure);
    read.broken = last ? ["failed", "known"].includes(line.verdict) : read.failure != null || followedBy.startsWith("retry");
    read.connected = Math.min(Math.max(lookup ?? 0, connect ?? 0, tls ?? 0), read.total);
    return read;
  });
}

/** Why a line failed, in a word that can be counted and filtered by. */
function reason(line) {
  if (line.verdict !== "failed" && line.verdict !== "known") return null;
  if (line.failure) return line.failure.kind;
  if (line.failed.length > 0) return "expectation";
  return line.status == null ? "no response" : `status ${line.status}`;
}

/** Where the line lies in time: it waits from `begin` on, its first request leaves at `start`, all is over at `end`. */
function measure(line) {
  const busy = line.exchanges.reduce((sum, exchange) => sum + exchange.total, 0);
  line.between = Math.max(0, (line.total ?? 0) - busy);
  line.queued = Math.max(0, (line.wait ?? 0) - line.between);
  if (line.start == null) return;
  line.begin = line.start - line.queued;
  line.end = line.start + (line.total ?? 0);
}

/** Shifts all times so that the run begins at 0; says when that was (since 1970), and how long it is. */
function startAtZero(lines) {
  let first = Infinity;
  let last = -Infinity;
  for (const line of lines) {
    if (line.start == null) continue;
    first = Math.min(first, line.start);
    last = Math.max(last, line.end);
  }
  if (first === Infinity) return { first: null, length: 0 };
  for (const line of lines) {
    if (line.start == null) continue;
    line.start -= first;
    line.end -= first;
    line.begin = Math.max(0, line.begin - first);
  }
  return { first, length: Math.max(last - first, 1) };
}

/** What the search looks through, in lower case; made when it is first searched. */
function haystack(line) {
  line.text ??= [line.method, line.url, line.id, line.source && `${line.source}:${line.line}`, line.status, line.reason,
    line.failure?.message, ...line.failed, line.type, line.exchanges.length > 1 ? line.exchanges.map((e) => e.url).join(" ") : null]
    .filter((part) => part != null).join("\n").toLowerCase();
  return line.text;
}
