// Every cell of a table as a point: cost across, accuracy up. `nas_lib/explorer.py` packs the data and writes the call
// of `mount`, for notebooks and pages alike. Nothing is fetched, nothing is stored.

const STYLE = `
:host { display: block; }
.all { --ink: #1f1f1f; --quiet: #595959; --line: #c8c8c8; color: var(--ink); font: 14px/1.45 system-ui, sans-serif;
  max-width: 1000px; color-scheme: light; }
.all.dark { --ink: #f0f0f0; --quiet: #b8b8b8; --line: #5a5a5a; color-scheme: dark; }
.row { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: end; margin: 0 0 8px; }
label { display: inline-flex; flex-direction: column; font-size: 12px; color: var(--quiet); min-width: 0; }
select, button { font: inherit; font-size: 13px; padding: 3px 6px; max-width: 100%; min-height: 28px; color: var(--ink); }
fieldset { border: 1px solid var(--line); border-radius: 4px; margin: 0 0 8px; padding: 4px 8px 8px; min-width: 0; }
fieldset .row { margin: 0; }
legend, summary, .quiet { font-size: 13px; color: var(--quiet); }
.mix:empty { display: none; }
summary { cursor: pointer; padding: 4px 0; }
p { margin: 4px 0; }
.parts { display: flex; flex-wrap: wrap; gap: 12px; }
.plot { position: relative; flex: 1 1 420px; min-width: 0; height: 380px; }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: pan-y; }
.plot > :last-child { cursor: crosshair; }
:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.one { flex: 1 1 250px; max-width: 400px; min-width: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; text-anchor: middle; }
.path input { flex: 1 1 140px; min-width: 0; min-height: 28px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; }
caption { text-align: left; color: var(--quiet); }
th, td { padding: 2px 8px; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
[hidden] { display: none !important; }
`;

const BODY = `
<div class="row"><label>horizontal axis<select class="cost"></select></label></div>
<fieldset><legend>Only cells with this operation on an edge</legend><div class="row edges"></div></fieldset>
<p class="quiet">Drag a rectangle over points, and only the cells in it stay: see what they have in common, and where they
  lie on another axis. With the keyboard: Enter at one cell, and again at another.</p>
<p class="count" role="status"></p>
<div class="parts">
  <div class="plot"><canvas aria-hidden="true"></canvas><canvas tabindex="0" role="application"
    aria-roledescription="scatter plot"></canvas></div>
  <div class="one"><div class="graph"></div><p class="told"></p></div>
</div>
<p class="mix"></p>
<p class="unseen said" aria-live="polite"></p>
<div class="row path" hidden><button type="button" class="play">Play</button>
  <input type="range" class="step" min="0" aria-label="evaluation of the search"><span class="where"></span></div>
<details><summary>The best of these in words</summary><div class="wide" tabindex="0" role="region"
  aria-label="the best of these cells"><table></table></div></details>
`;

const INK = {
  light: { ink: "#1f1f1f", quiet: "#595959", grid: "#e4e4e4", point: "#0072B2", other: "#8c8c8c", path: "#B34700" },
  dark: { ink: "#f0f0f0", quiet: "#b8b8b8", grid: "#3a3a3a", point: "#6cc1f5", other: "#8c8c8c", path: "#ff9f5a" },
};
const MARGIN = { left: 50, right: 32, top: 14, bottom: 42 };
const PLAYED = 12000; // milliseconds that a whole search takes, unless its steps would be longer than LONGEST
const LONGEST = 500;
const BEST = 10; // rows of the table
const STREWN = 8; // pixels

// Shows the view in an element, over what stands there; `data` is base64.
function mount(host, header, data) {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const accuracy = column(bytes, header.accuracy);
  const costs = header.costs.map((one) => column(bytes, one));
  const live = array(bytes, header.live);
  const kinds = array(bytes, header.accuracy.codes);
  const { cells: count, operations, edges, path } = header;
  const all = Uint32Array.from({ length: count }, (_, cell) => cell);
  const ranks = ranking(array(bytes, header.accuracy.values));
  const shares = new Uint32Array(ranks.length);
  for (const kind of kinds) shares[kind] += 1;

  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${STYLE}</style><section class="all" aria-label="all cells of the table">${BODY}</section>`;
  const find = (selector) => root.querySelector(selector);
  const [points, marks] = root.querySelectorAll("canvas");
  const chosen = edges.map(() => -1); // of each edge the operation asked for; -1 is any
  let x = costs[0];
  let within = null; // of each cell whether it lies in the rectangle asked for
  let [corner, far] = [null, null]; // of a rectangle that is being drawn, in pixels
  let shown = all;
  let picked = -1;
  let step = path ? path.cells.length - 1 : -1;
  let orders = {};
  let size = { width: 0, height: 0 };
  let look = INK.light;
  let timer = 0;

  // ---- the numbers

  const digits = (cell) => {
    const found = [];
    for (const _ of edges) {
      found.unshift(cell % operations.length);
      cell = Math.floor(cell / operations.length);
    }
    return found;
  };
  const places = Uint8Array.from({ length: count * edges.length }, (_, at) => digits(Math.floor(at / edges.length))[at % edges.length]);
  const opsOf = (cell) => places.subarray(cell * edges.length, (cell + 1) * edges.length);
  const best = all.reduce((one, cell) => (accuracy[cell] > accuracy[one] ? cell : one), 0);
  // Where a cost takes few values, points are strewn by some pixels: they would cover each other.
  const strewn = (cell) => (x.few ? (((cell * 0.618034) % 1) - 0.5) * STREWN : 0);
  const across = (cell) => MARGIN.left + ((x[cell] - x.low) / (x.high - x.low)) * (size.width - MARGIN.left - MARGIN.right) + strewn(cell);
  const up = (cell) =>
    size.height - MARGIN.bottom - ((accuracy[cell] - accuracy.low) / (accuracy.high - accuracy.low)) * (size.height - MARGIN.top - MARGIN.bottom);

  function sorted(by) {
    const values = by === "cost" ? x : accuracy;
    orders[by] ??= shown.slice().sort((a, b) => values[a] - values[b] || accuracy[a] - accuracy[b] || a - b);
    return orders[by];
  }

  // ---- words

  function words(cell) {
    const names = Array.from(opsOf(cell), (op, edge) => {
      const idle = operations[op].name !== "none" && !((live[cell] >> edge) & 1) ? " (without effect)" : "";
      return `${edges[edge].join("→")} ${operations[op].label}${idle}`;
    });
    const same = shares[kinds[cell]];
    const alike = header.kinds === "functions" && same > 1 ? `, which ${same} cells compute` : "";
    return {
      title: `${header.accuracy.label.replace(" (%)", "")} ${accuracy[cell].toFixed(2)} %, rank ${whole(ranks[kinds[cell]])} of ${whole(ranks.length)} ${header.kinds}${alike}`,
      cost: `${x.label}: ${plain(x[cell])}`,
      edges: names.join(", "),
      number: `cell number ${whole(cell)}`,
    };
  }

  function tell(cell, aloud) {
    picked = cell;
    const told = words(cell);
    const lines = [told.title, told.cost, told.number].map((line) => Object.assign(document.createElement("span"), { textContent: line }));
    find(".told").replaceChildren(...lines.flatMap((line) => [line, document.createElement("br")]));
    find(".graph").innerHTML = drawing(cell, told.edges);
    if (aloud) find(".said").textContent = [told.title, told.cost, told.edges].join("; ");
    drawMarks();
  }

  function summarise() {
    let sum = 0;
    let top = 0;
    const seen = new Set();
    for (const cell of shown) {
      sum += accuracy[cell];
      top = Math.max(top, accuracy[cell]);
      seen.add(kinds[cell]);
    }
    const several = header.kinds === "functions" ? ` (${whole(seen.size)} functions)` : "";
    const what = shown.length ? `: mean ${(sum / shown.length).toFixed(2)} %, best ${top.toFixed(2)} %` : "";
    find(".count").textContent = `${whole(shown.length)} of ${whole(count)} cells${several}${what}`;
    find(".mix").textContent = within && shown.length ? `Most often: ${edges.map(commonest).join(", ")}.` : "";
    const about = `${find(".count").textContent}. Arrow keys go from cell to cell: up and down by accuracy, left and right by ${x.label}. Enter at two cells keeps those between them, Escape shows all.`;
    marks.setAttribute("aria-label", about);
    tabulate();
  }

  function commonest(edge, at) {
    const found = operations.map(() => 0);
    for (const cell of shown) found[places[cell * edges.length + at]] += 1;
    const top = found.indexOf(Math.max(...found));
    return `${edge.join("→")} ${operations[top].label} (${Math.round((100 * found[top]) / shown.length)} %)`;
  }

  function tabulate() {
    const rows = [];
    const seen = new Set();
    const order = sorted("accuracy");
    for (let at = order.length - 1; at >= 0 && rows.length < BEST; at -= 1) {
      const cell = order[at];
      if (seen.has(kinds[cell])) continue;
      seen.add(kinds[cell]);
      const ops = Array.from(opsOf(cell), (op) => `<td>${operations[op].label}</td>`).join("");
      rows.push(`<tr><th scope="row">${whole(ranks[kinds[cell]])}</th><td>${accuracy[cell].toFixed(2)}</td><td>${plain(x[cell])}</td>${ops}</tr>`);
    }
    const heads = ["rank", header.accuracy.label, x.label, ...edges.map((edge) => edge.join("→"))];
    const head = heads.map((one) => `<th scope="col">${one}</th>`).join("");
    find("table").innerHTML = `<caption>The best ${rows.length} ${header.kinds} of the cells asked for</caption><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody>`;
  }

  // ---- pictures

  function drawing(cell, label) {
    const at = (node) => 30 + node * 90;
    const middle = 105;
    const bends = { "0,2": 0.62, "0,3": 0.72, "1,3": -0.62 };
    const dark = look === INK.dark;
    const parts = Array.from(opsOf(cell), (op, edge) => {
      const [from, to] = edges[edge];
      const { name, label: called, color, dark: onDark, width, dashes } = operations[op];
      if (name === "none") return "";
      const alive = (live[cell] >> edge) & 1;
      const ink = alive ? (dark ? onDark : color) : look.other;
      const bend = bends[edges[edge]] ?? 0;
      const length = at(to) - at(from);
      const high = middle - bend * length; // of the control point
      const [cx, cy] = [(at(from) + at(to)) / 2, high];
      const far = Math.hypot(at(to) - cx, middle - cy);
      const [ux, uy] = [(at(to) - cx) / far, (middle - cy) / far];
      const [tx, ty] = [at(to) - 17 * ux, middle - 17 * uy]; // the arrow's tip, at the node's rim
      const [sx, sy] = [at(from) + 15 * ux, middle - 15 * uy];
      const head = `${tx},${ty} ${tx - 9 * ux - 4.5 * uy},${ty - 9 * uy + 4.5 * ux} ${tx - 9 * ux + 4.5 * uy},${ty - 9 * uy - 4.5 * ux}`;
      const line = `M${sx},${sy} Q${cx},${cy} ${tx - 6 * ux},${ty - 6 * uy}`;
      const word = { x: cx, y: (sy + 2 * cy + ty) / 4 + (bend < 0 ? 17 : -7) }; // beyond the middle of the curve
      return (
        `<path d="${line}" fill="none" stroke="${ink}" stroke-width="${alive ? width : 1}" stroke-dasharray="${dashes.join(" ")}"/>` +
        `<polygon points="${head}" fill="${ink}"/>` +
        `<text x="${word.x}" y="${word.y}" fill="${alive ? look.ink : look.quiet}">${called}</text>`
      );
    });
    const nodes = ["in", "1", "2", "out"].map(
      (name, node) => `<circle cx="${at(node)}" cy="${middle}" r="15" fill="none" stroke="${look.ink}"/><text x="${at(node)}" y="${middle + 4}" fill="${look.ink}">${name}</text>`,
    );
    return `<svg viewBox="0 -14 330 206" role="img" aria-label="${label}">${parts.join("")}${nodes.join("")}</svg>`;
  }

  function pen(canvas) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(size.width * ratio);
    canvas.height = Math.round(size.height * ratio);
    const made = canvas.getContext("2d");
    made.scale(ratio, ratio);
    made.font = "12px system-ui, sans-serif";
    return made;
  }

  function drawPoints() {
    if (size.width < 120) return;
    const to = pen(points);
    const [bottom, right] = [size.height - MARGIN.bottom, size.width - MARGIN.right];
    to.strokeStyle = look.grid;
    to.fillStyle = look.quiet;
    to.textAlign = "center";
    for (const tick of ticks(x.low, x.high, size.width < 450 ? 4 : 6)) {
      const at = MARGIN.left + ((tick - x.low) / (x.high - x.low)) * (right - MARGIN.left);
      line(to, at, MARGIN.top, at, bottom);
      to.fillText(plain(tick), at, bottom + 16);
    }
    to.textAlign = "right";
    for (const tick of ticks(accuracy.low, accuracy.high, 8)) {
      const at = bottom - ((tick - accuracy.low) / (accuracy.high - accuracy.low)) * (bottom - MARGIN.top);
      line(to, MARGIN.left, at, right, at);
      to.fillText(plain(tick), MARGIN.left - 6, at + 4);
    }
    to.fillStyle = look.ink;
    to.textAlign = "center";
    to.fillText(x.label, (MARGIN.left + right) / 2, size.height - 6);
    to.save();
    to.translate(12, (MARGIN.top + bottom) / 2);
    to.rotate(-Math.PI / 2);
    to.fillText(header.accuracy.label, 0, 0);
    to.restore();
    const some = shown.length < count;
    if (some) dots(to, all, 2, look.other, 0.25);
    dots(to, shown, shown.length > 3000 ? 2.4 : shown.length > 300 ? 4 : 6, look.point, shown.length > 3000 ? 0.35 : 0.75);
  }

  function dots(to, cells, side, color, alpha) {
    to.globalAlpha = alpha;
    to.fillStyle = color;
    for (const cell of cells) to.fillRect(across(cell) - side / 2, up(cell) - side / 2, side, side);
    to.globalAlpha = 1;
  }

  function drawMarks() {
    if (size.width < 120) return;
    const to = pen(marks);
    to.fillStyle = look.ink;
    to.textAlign = across(best) > size.width - 60 ? "right" : "left";
    mark(to, best, 5, "diamond", look.ink);
    to.fillText("best", across(best) + (to.textAlign === "left" ? 9 : -9), up(best) + 4);
    if (path) drawPath(to);
    if (picked >= 0) {
      mark(to, picked, 8, "ring", look.ink);
      mark(to, picked, 4, "cross", look.ink);
    }
    if (corner && far) {
      to.lineWidth = 1.5;
      to.setLineDash([5, 3]);
      to.strokeRect(...corner, far[0] - corner[0], far[1] - corner[1]);
    }
  }

  function drawPath(to) {
    to.lineWidth = 1.5;
    to.strokeStyle = look.path;
    for (let at = Math.max(1, step - 30); at <= step; at += 1) {
      to.globalAlpha = at > step - 6 ? 1 : 0.35;
      line(to, across(path.cells[at - 1]), up(path.cells[at - 1]), across(path.cells[at]), up(path.cells[at]));
    }
    to.globalAlpha = 1;
    for (let at = 0; at <= step; at += 1) mark(to, path.cells[at], 3, "ring", look.path);
    const leaders = [...new Set(path.leaders.slice(0, step + 1))];
    for (const at of leaders) mark(to, path.cells[at], 5, "square", look.path);
    mark(to, path.cells[step], 7, "disc", look.path);
    find(".step").value = step;
    const [now, top] = [path.cells[step], path.cells[path.leaders[step]]];
    find(".where").textContent = `evaluation ${whole(step + 1)} of ${whole(path.cells.length)} (●): ${accuracy[now].toFixed(2)} %; incumbent (■): ${accuracy[top].toFixed(2)} %`;
    find(".step").setAttribute("aria-valuetext", find(".where").textContent);
  }

  function mark(to, cell, radius, shape, color) {
    const [a, b] = [across(cell), up(cell)];
    to.strokeStyle = to.fillStyle = color;
    to.lineWidth = 1.8;
    to.beginPath();
    if (shape === "diamond") for (const [i, j] of [[0, 1], [1, 0], [0, -1], [-1, 0]]) to.lineTo(a + radius * i, b + radius * j);
    else if (shape === "square") to.rect(a - radius, b - radius, 2 * radius, 2 * radius);
    else if (shape === "cross") return line(to, a - radius, b, a + radius, b), line(to, a, b - radius, a, b + radius);
    else to.arc(a, b, radius, 0, 7);
    to.closePath();
    if (shape === "ring" || shape === "square") to.stroke();
    else to.fill();
  }

  function redraw() {
    drawPoints();
    drawMarks();
  }

  // ---- what a reader does

  function filter() {
    const inside = (cell) => !within || within[cell];
    shown = all.filter((cell) => inside(cell) && chosen.every((op, edge) => op < 0 || places[cell * edges.length + edge] === op));
    orders = {};
    summarise();
    redraw();
  }

  function everything() {
    chosen.fill(-1);
    for (const select of selects) select.value = "-1";
    within = corner = far = null;
    filter();
  }

  function brush() {
    const [[left, right], [top, bottom]] = [0, 1].map((axis) => [corner[axis], far[axis]].sort((a, b) => a - b));
    const inside = (a, b) => left - 0.5 <= a && a <= right + 0.5 && top - 0.5 <= b && b <= bottom + 0.5;
    within = Uint8Array.from(all, (cell) => inside(across(cell), up(cell)));
    corner = far = null;
    filter();
    if (shown.length && !shown.includes(picked)) tell(sorted("accuracy").at(-1), false);
    find(".said").textContent = find(".mix").textContent;
  }

  const placeOf = (event) => {
    const box = marks.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  // Fingers scroll the page; a mouse or a pen draws a rectangle.
  function pressed(event) {
    nearest(event);
    if (event.pointerType === "touch" || event.button !== 0) return;
    [corner, far] = [placeOf(event), null];
    marks.setPointerCapture(event.pointerId);
  }

  function moved(event) {
    if (!corner || !event.buttons) return nearest(event);
    const end = placeOf(event);
    if (far || Math.hypot(end[0] - corner[0], end[1] - corner[1]) > 5) far = end;
    drawMarks();
  }

  function released() {
    if (corner && far) brush();
    corner = null;
  }

  function nearest(event) {
    const [a, b] = placeOf(event);
    let found = -1;
    let least = event.pointerType === "mouse" ? 400 : 2500; // pixels, squared
    for (const cell of shown) {
      const apart = (across(cell) - a) ** 2 + (up(cell) - b) ** 2;
      if (apart < least) [found, least] = [cell, apart];
    }
    if (found >= 0 && found !== picked) tell(found, false);
  }

  function keyed(event) {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Escape") return everything();
      if (corner && far) return brush();
      corner = [across(picked), up(picked)];
      find(".said").textContent = "One corner. Enter at another cell keeps those between.";
      return;
    }
    const by = { ArrowUp: ["accuracy", 1], ArrowDown: ["accuracy", -1], ArrowRight: ["cost", 1], ArrowLeft: ["cost", -1] }[event.key];
    const end = { Home: -1, End: 0 }[event.key]; // the best, the worst
    if ((!by && end === undefined) || !shown.length) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook goes to another cell otherwise
    const order = sorted(by ? by[0] : "accuracy");
    const place = order.indexOf(picked);
    const next = by ? (place < 0 ? order.length - 1 : place + by[1]) : (end + order.length) % order.length;
    const cell = order[Math.max(0, Math.min(order.length - 1, next))];
    if (corner) far = [across(cell), up(cell)];
    tell(cell, true);
  }

  function play(on) {
    clearInterval(timer);
    timer = 0;
    find(".play").textContent = on ? "Pause" : "Play";
    if (!on) return;
    const last = path.cells.length - 1;
    if (step === last) step = 0;
    const pause = Math.min(LONGEST, Math.max(40, PLAYED / path.cells.length));
    const stride = Math.max(1, Math.round((pause * path.cells.length) / PLAYED));
    timer = setInterval(() => {
      step = Math.min(last, step + stride);
      tell(path.cells[step], false);
      if (step === last) play(false);
    }, pause);
  }

  function theme() {
    if (!host.isConnected) return; // the cell was run again, and this is an output of before
    const dark = onDark(host);
    look = dark ? INK.dark : INK.light;
    find(".all").classList.toggle("dark", dark);
    if (picked >= 0) tell(picked, false);
    redraw();
  }

  find(".cost").append(...costs.map((one, at) => new Option(one.label, at)));
  find(".cost").addEventListener("change", (event) => {
    x = costs[event.target.value];
    orders = {};
    summarise();
    tell(picked, false);
    redraw();
  });
  const selects = edges.map((edge, at) => {
    const select = document.createElement("select");
    select.setAttribute("aria-label", `operation on edge ${edge.join("→")}`);
    select.append(new Option("any", -1), ...operations.map((one, op) => new Option(one.label, op)));
    select.addEventListener("change", () => {
      chosen[at] = Number(select.value);
      filter();
    });
    const label = document.createElement("label");
    label.append(edge.join("→"), select);
    find(".edges").append(label);
    return select;
  });
  const again = Object.assign(document.createElement("button"), { type: "button", textContent: "All cells" });
  again.addEventListener("click", everything);
  find(".edges").append(again);
  marks.addEventListener("pointerdown", pressed);
  marks.addEventListener("pointermove", moved);
  marks.addEventListener("pointerup", released);
  marks.addEventListener("pointercancel", released);
  marks.addEventListener("keydown", keyed);
  if (path) {
    find(".path").hidden = false;
    find(".step").max = path.cells.length - 1;
    find(".step").addEventListener("input", (event) => {
      play(false);
      step = Number(event.target.value);
      tell(path.cells[step], false);
    });
    find(".play").addEventListener("click", () => play(!timer));
  }

  const sizes = new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = find(".plot");
    size = { width, height };
    theme(); // a notebook attaches an output after it was made
  });
  sizes.observe(find(".plot"));
  const themes = new MutationObserver(() => setTimeout(theme, 100)); // style sheets come after their attribute
  for (const one of [document.documentElement, document.body]) themes.observe(one, { attributes: true });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", theme);
  summarise();
  tell(best, false);
}

function array(bytes, { at, length, bytes: width }) {
  const Kind = { 1: Uint8Array, 2: Uint16Array, 4: Float32Array }[width];
  return new Kind(bytes.slice(at, at + length * width).buffer); // a copy begins where its numbers may
}

// A value per cell, with its label and the ends of its axis.
function column(bytes, { label, range, values, codes }) {
  const known = array(bytes, values);
  const [low, high] = range;
  const room = 0.02 * (high - low) || 1;
  return Object.assign(Float32Array.from(array(bytes, codes), (code) => known[code]), {
    label,
    low: low - room,
    high: high + room,
    few: codes.bytes === 1,
  });
}

// Of each value its place among all, the greatest first.
function ranking(values) {
  const ranks = new Uint32Array(values.length);
  const order = Uint32Array.from(values, (_, at) => at).sort((a, b) => values[b] - values[a] || a - b);
  order.forEach((one, at) => (ranks[one] = at > 0 && values[one] === values[order[at - 1]] ? ranks[order[at - 1]] : at + 1));
  return ranks;
}

function ticks(low, high, about) {
  const rough = (high - low) / about;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * unit).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step || 0); // no -0
  return found;
}

function line(to, ...[a, b, c, d]) {
  to.beginPath();
  to.moveTo(a, b);
  to.lineTo(c, d);
  to.stroke();
}

function whole(number) {
  return number.toLocaleString("en");
}

function plain(number) {
  return number.toLocaleString("en", Math.abs(number) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 });
}

// Is what lies behind an element dark? Each place has its own word for that; the colour itself has one meaning.
function onDark(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    const parts = getComputedStyle(at).backgroundColor.match(/[\d.]+/g);
    const [red, green, blue, opaque = 1] = (parts ?? [0, 0, 0, 0]).map(Number);
    if (opaque > 0.5) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return document.body.matches(".vscode-dark, .vscode-high-contrast");
}
