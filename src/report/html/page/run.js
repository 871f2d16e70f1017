// The run at a glance: how many requests were in flight when, and where lines failed. A part of it can be chosen.

const BUCKETS = 320;

/** Requests in flight on average, and lines that failed, in each of so many equal parts of the run. */
function load(lines, length) {
  const flying = new Float64Array(BUCKETS);
  const failed = new Uint32Array(BUCKETS);
  const width = length / BUCKETS;
  const bucket = (at) => Math.max(0, Math.min(BUCKETS - 1, Math.floor(at / width)));
  for (const line of lines) {
    if (line.start == null) continue;
    if (line.verdict === "failed" || line.verdict === "known") failed[bucket(line.end)] += 1;
    for (const exchange of line.exchanges) {
      const from = line.start + exchange.start;
      const to = from + exchange.total;
      for (let at = bucket(from); at <= bucket(to); at += 1) {
        flying[at] += Math.max(0, Math.min(to, (at + 1) * width) - Math.max(from, at * width)) / width;
      }
    }
  }
  return { flying, failed };
}

function drawRun(lines, length) {
  const { flying, failed } = load(lines, length);
  const highest = Math.max(1, ...flying);
  const mostFailed = Math.max(1, ...failed);
  const chart = svg("svg", { viewBox: `0 0 ${BUCKETS} 100`, preserveAspectRatio: "none", "aria-hidden": "true" });
  let path = "M0 100";
  flying.forEach((value, at) => { path += `V${(100 - (value / highest) * 94).toFixed(2)}H${at + 1}`; });
  chart.append(svg("path", { class: "flying", d: `${path}V100Z` }));
  failed.forEach((value, at) => {
    if (value === 0) return;
    const height = 18 + 42 * (value / mostFailed);
    chart.append(svg("rect", { class: "fails", x: at + 0.2, width: 0.6, y: 100 - height, height }));
  });
  const labels = el("div", { class: "ticks", "aria-hidden": "true" });
  const box = el("div", { class: "run-chart" }, chart);
  const handles = ["from", "to"].map((end) => drawHandle(end, length));
  const shade = ["before", "after"].map((side) => el("i", { class: `shade ${side}` }));
  const part = el("i", { class: "window" });
  const inView = el("i", { class: "in-view" });
  box.append(...shade, inView, part, ...handles);
  list.axisWatchers.push(({ from, to, own }) => {
    inView.hidden = own || to - from >= length;
    Object.assign(inView.style, { left: `${(from / length) * 100}%`, width: `${((to - from) / length) * 100}%` });
  });
  byId("run").replaceChildren(box, labels, el("p", { class: "peak", "aria-hidden": "true" }, `peak ${Math.round(highest)}`));
  dragToChoose(box, length);

  const place = () => {
    const { from, to } = span(length);
    const [left, right] = [(from / length) * 100, Math.min(100, (to / length) * 100)];
    shade[0].style.width = `${left}%`;
    shade[1].style.width = `${100 - right}%`;
    Object.assign(part.style, { left: `${left}%`, width: `${right - left}%` });
    box.classList.toggle("chosen", view.from !== "" || view.to !== "");
    [from, Math.min(to, length)].forEach((at, end) => {
      handles[end].style.left = `${[left, right][end]}%`;
      handles[end].setAttribute("aria-valuenow", Math.round(at / 1000));
      handles[end].setAttribute("aria-valuetext", time(at));
    });
    const width = box.clientWidth || 800;
    labels.replaceChildren(...drawTicks({ from: 0, to: length }, width)
      .map((tick) => tickLabel(tick.label, tick.left)));
  };
  place();
  watchers.push(place);
  addEventListener("resize", oncePerFrame(place));
}

const seconds = (micros) => String(+(micros / 1e6).toPrecision(5));

function choose(from, to, length) {
  const whole = from <= 0 && to >= length;
  change({ from: whole || from <= 0 ? "" : seconds(from), to: whole || to >= length ? "" : seconds(to) });
}

/** One end of what is chosen, moved with the arrow keys; the pointer draws a new choice instead. */
function drawHandle(end, length) {
  const label = end === "from" ? "Start of what is looked at" : "End of what is looked at";
  return el("i", {
    class: "handle", role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": Math.round(length / 1000),
    onkeydown(event) {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1e9, End: 1e9 }[event.key];
      if (step == null) return;
      event.preventDefault();
      const { from, to } = span(length);
      const least = length / 200;
      if (end === "from") choose(Math.max(0, Math.min(from + step * (length / 100), to - least)), to, length);
      else choose(from, Math.min(length, Math.max(to + step * (length / 100), from + least)), length);
    },
  });
}

function dragToChoose(box, length) {
  let anchor = null;
  const at = (event) => {
    const { left, width } = box.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width)) * length;
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    anchor = at(event);
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", (event) => {
    if (anchor == null) return;
    const [from, to] = [anchor, at(event)].sort((a, b) => a - b);
    if (to - from > length / 200) choose(from, to, length);
  });
  box.addEventListener("pointerup", (event) => {
    // A mere click, as it shows nothing, goes back to the whole run.
    if (anchor != null && Math.abs(at(event) - anchor) <= length / 200) choose(0, length, length);
    anchor = null;
  });
  box.addEventListener("pointercancel", () => { anchor = null; });
}
