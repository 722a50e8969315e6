// The live picture: takes pictures with their answers from a WebSocket of the same origin, draws them on a canvas,
// and says how old what it shows is. Runs without reruns of the page; a rerun only hands over the chosen stream.

const OLD_AFTER_MS = 1200; // with a tick and the fade of 0.4 s the picture is grey within 2 s
const OLDEST_MS = 6000; // a stream of few pictures gets three of its own intervals, but no more than this
const TICK_MS = 200;
const states = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  let state = states.get(parentElement);
  if (state && state.key === data.path) {
    if (!state.connected) state.ticket = data.ticket;
    return state.stop;
  }
  if (state) state.stop();
  state = start(parentElement, data);
  states.set(parentElement, state);
  return state.stop;
}

function start(root, data) {
  const at = (selector) => root.querySelector(selector);
  const state = {
    key: data.path, ticket: data.ticket, root, at, socket: null, ended: false, retry: 500, last: null, figures: null, stream: null,
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
  const socket = openSocket(state.key, state.ticket);
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
  state.ticket = status.ticket;
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

function list(state) {
  state.listed = performance.now();
  listFaces(state.at, state.last.faces);
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
  show("counts", ledgerWords((state.stream && state.stream.counts) || {}));
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

