// The live picture: takes pictures with their answers from a WebSocket of the same origin, draws them on a canvas,
// and says how old what it shows is. Runs without reruns of the page; a rerun only hands over the chosen stream.

const OLD_AFTER_MS = 1200; // with a tick and the fade of 0.4 s the picture is grey within 2 s
const OLDEST_MS = 6000; // a stream of few pictures gets three of its own intervals, but no more than this
const TICK_MS = 200;
const TINTS = ["#ffd65e", "#7dd3fc", "#f9a8d4", "#86efac", "#c4b5fd", "#fdba74"];
const REASONS = {
  too_small: "too small to tell", too_blurred: "too blurred to tell",
  turned_away: "turned away", spread_too_wide: "cannot tell",
};
const COUNTS = [
  ["captured", "taken"], ["answered", "answered"], ["superseded", "replaced by a newer one"],
  ["expired", "too old"], ["late", "answered too late"], ["retention", "deleted unread"], ["dead_lettered", "unreadable"],
];
const states = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  let state = states.get(parentElement);
  if (state && state.key === data.path) return state.stop;
  if (state) state.stop();
  state = start(parentElement, data.path);
  states.set(parentElement, state);
  return state.stop;
}

function start(root, path) {
  const at = (selector) => root.querySelector(selector);
  const state = {
    key: path, root, at, socket: null, ended: false, retry: 500, last: null, figures: null, stream: null,
    problem: null, bitmap: null, received: 0, base: 0, connected: false, listed: 0, interval: 0,
  };
  state.stop = () => {
    state.ended = true;
    clearInterval(state.timer);
    clearTimeout(state.again);
    window.removeEventListener("resize", state.resize);
    if (state.socket) state.socket.close();
    if (states.get(root) === state) states.delete(root);
  };
  state.resize = () => draw(state);
  window.addEventListener("resize", state.resize);
  state.timer = setInterval(() => tick(state), TICK_MS);
  at(".stage").dataset.age = "none";
  connect(state);
  tick(state);
  return state;
}

function connect(state) {
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const socket = new WebSocket(scheme + location.host + state.key);
  socket.binaryType = "arraybuffer";
  state.socket = socket;
  socket.onopen = () => { state.connected = true; state.retry = 500; };
  socket.onmessage = (event) => {
    if (typeof event.data === "string") take(state, JSON.parse(event.data));
    else picture(state, socket, event.data);
  };
  socket.onclose = () => {
    state.connected = false;
    if (state.ended || state.socket !== socket) return;
    state.again = setTimeout(() => connect(state), state.retry);
    state.retry = Math.min(state.retry * 2, 5000);
  };
}

function take(state, status) {
  state.figures = status.figures;
  state.stream = status.stream;
  state.problem = status.problem;
}

async function picture(state, socket, buffer) {
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  take(state, head);
  const blob = new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" });
  const bitmap = await createImageBitmap(blob);
  if (state.ended || state.socket !== socket) return bitmap.close();
  // a hidden page is given no frames to draw: the confirmation waits, and so does the server
  requestAnimationFrame(() => {
    if (state.ended) return bitmap.close();
    if (state.bitmap) state.bitmap.close();
    state.bitmap = bitmap;
    state.last = head.picture;
    const now = performance.now();
    if (state.received) state.interval += (Math.min(now - state.received, OLDEST_MS) - state.interval) * 0.2;
    state.received = now;
    state.base = head.picture.age_ms;
    draw(state);
    if (state.received - state.listed > 240) list(state);
    if (socket.readyState === WebSocket.OPEN) socket.send("drawn");
  });
}

function draw(state) {
  if (!state.bitmap) return;
  const stage = state.at(".stage");
  const canvas = state.at("canvas");
  stage.style.aspectRatio = `${state.bitmap.width} / ${state.bitmap.height}`;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  pen.drawImage(state.bitmap, 0, 0, width, height);
  const taken = [];
  for (const face of [...state.last.faces].sort((a, b) => b.box.width - a.box.width)) {
    drawFace(pen, face, width, height, ratio, taken);
  }
  canvas.dataset.picture = state.last.id;
}

function drawFace(pen, face, width, height, ratio, taken) {
  const line = Math.max(2, width / 420);
  const x = face.box.x * width, y = face.box.y * height, w = face.box.width * width, h = face.box.height * height;
  const tint = face.years === null ? "#b9b9b9" : tintOf(face);
  pen.setLineDash(face.years === null ? [line * 4, line * 3] : []);
  for (const [style, size] of [["rgb(18 20 24 / 70%)", line + 2 * ratio], [tint, line]]) {
    pen.strokeStyle = style;
    pen.lineWidth = size;
    pen.beginPath();
    pen.roundRect(x, y, w, h, 6 * ratio);
    pen.stroke();
  }
  pen.setLineDash([]);
  const size = Math.min(22 * ratio, Math.max(13 * ratio, w * 0.13));
  const text = face.years === null
    ? (REASONS[face.reason] || "no age")
    : `${Math.round(face.years)} (${Math.round(face.low)}–${Math.round(face.high)})`;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const plate = { w: pen.measureText(text).width + size * 0.9, h: size * 1.5 };
  const left = Math.max(0, Math.min(x - line / 2, width - plate.w));
  const tops = [y - plate.h - line, y + h + line, y, y + h - plate.h];
  const free = (top) => top >= 0 && top + plate.h <= height
    && !taken.some((o) => left < o.x + o.w && o.x < left + plate.w && top < o.y + o.h && o.y < top + plate.h);
  const top = tops.find(free) ?? Math.max(0, Math.min(y, height - plate.h));
  taken.push({ x: left, y: top, w: plate.w, h: plate.h });
  pen.fillStyle = "rgb(18 20 24 / 84%)";
  pen.beginPath();
  pen.roundRect(left, top, plate.w, plate.h, 5 * ratio);
  pen.fill();
  pen.fillStyle = tint;
  pen.fillRect(left, top, Math.max(2, size / 7), plate.h);
  pen.fillStyle = "#fff";
  pen.textBaseline = "middle";
  pen.fillText(text, left + size * 0.5, top + plate.h * 0.53);
}

function tintOf(face) {
  const number = Number.parseInt(face.track ?? "0", 10);
  return TINTS[(Number.isFinite(number) ? number : 0) % TINTS.length];
}

function list(state) {
  state.listed = performance.now();
  const faces = state.last.faces;
  const items = [...faces].sort((a, b) => a.box.x - b.box.x).map((face) => {
    const item = document.createElement("li");
    item.className = face.years === null ? "face unsure" : "face";
    item.style.setProperty("--tint", face.years === null ? "#b9b9b9" : tintOf(face));
    const years = document.createElement("b");
    years.textContent = face.years === null ? "?" : Math.round(face.years);
    const words = document.createElement("span");
    const small = document.createElement("small");
    if (face.years === null) {
      words.textContent = REASONS[face.reason] || "no age";
      small.textContent = face.detail || "";
    } else {
      words.textContent = "years";
      const sure = `${Math.round(face.coverage * 100)} % sure: ${Math.round(face.low)} to ${Math.round(face.high)}`;
      const who = face.track === null ? "" : `person ${Number(face.track) + 1}, ${face.frames.toLocaleString("en")} pictures`;
      small.append(sure, document.createElement("br"), who);
    }
    words.append(small);
    item.append(years, words);
    return item;
  });
  state.at(".faces").replaceChildren(...items);
  state.at(".nobody").hidden = faces.length > 0;
  state.at("canvas").setAttribute("aria-label", faces.length
    ? `Live picture, ${faces.length} face${faces.length === 1 ? "" : "s"}: ` + items.map((item) => item.textContent).join("; ")
    : "Live picture without a face");
}

function tick(state) {
  const silent = state.last ? performance.now() - state.received : null;
  const stage = state.at(".stage");
  const old = silent === null || silent > Math.min(Math.max(OLD_AFTER_MS, 3 * state.interval), OLDEST_MS);
  if (old && state.last && state.listed < state.received) list(state);
  stage.dataset.age = silent === null ? "none" : old ? "old" : "live";
  const badge = state.at(".badge");
  badge.dataset.state = silent === null ? "waiting" : old ? "old" : "live";
  const figures = state.figures || {};
  state.at(".badge-text").textContent = silent === null ? "waiting" : old ? "stopped" : "live";
  const veil = state.at(".veil");
  veil.textContent = old ? why(state, silent) : "";
  veil.classList.toggle("on", old);
  const show = (name, text) => { state.at(`[data-figure="${name}"]`).textContent = text; };
  show("fps", old ? "0" : number(figures.fps));
  show("p50", old ? "–" : milliseconds(figures.p50_ms));
  show("p95", old ? "–" : milliseconds(figures.p95_ms));
  show("age", silent === null ? "–" : state.base === null ? `${ago(silent)} ago, plus the way` : `${ago(state.base + silent)} old`);
  const counts = (state.stream && state.stream.counts) || {};
  const parts = COUNTS.filter(([name]) => name in counts).map(([name, words]) => `${counts[name].toLocaleString("en")} ${words}`);
  show("counts", parts.length ? parts.join(" · ") : "not reported yet");
}

function why(state, silent) {
  if (!state.connected) return "Connection lost. Trying again …";
  if (silent === null) {
    if (state.problem) return `Waiting for the message broker …`;
    if (state.stream && !state.stream.online) return "This stream has ended.";
    return "Waiting for the first answer …";
  }
  const since = `No answer for ${Math.round(silent / 1000)} s.`;
  if (state.stream && !state.stream.online) return `${since} The stream has ended.`;
  if (state.problem) return `${since} The message broker is away.`;
  return since;
}

const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(value < 10 ? 1 : 0));
const milliseconds = (value) => (value === null || value === undefined ? "–" : `${Math.round(value)} ms`);
const ago = (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 10000 ? 1 : 0)} s`);
