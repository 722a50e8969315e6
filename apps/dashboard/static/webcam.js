// The visitor's own webcam: shows the camera at once, draws over it the boxes that come back, and, where WebRTC does
// not connect, sends the pictures itself. Runs without reruns of the page; a rerun hands over a ticket at most.

const NO_CONNECTION_MS = 5000;
const LOST_MS = 3000;
const FADE_MS = 1000, GONE_MS = 1500; // age of an answer at which its boxes begin to fade, and are gone
const TICK_MS = 100;
const RATE_MS = 2000;
const DELAYS_MS = 5000;
const UNTAKEN = 2; // pictures on their way over the socket
const QUALITY = 0.8;
const runs = new WeakMap();
const tickets = new Map(); // unused ones by stream: the page may take the picture away and put it back

export default function (component) {
  const { data, parentElement } = component;
  let run = runs.get(parentElement);
  if (run && run.stream === data.stream) {
    run.data = data;
    if (!run.connected) run.ticket = data.ticket;
    return run.stop;
  }
  if (run) run.stop();
  run = start(parentElement, data, component.setTriggerValue);
  runs.set(parentElement, run);
  return run.stop;
}

function start(root, data, tell) {
  const at = (selector) => root.querySelector(selector);
  const run = {
    root, at, data, tell, stream: data.stream, ticket: tickets.get(data.stream) ?? data.ticket, moments: new Moments(), tracks: new Map(),
    socket: null, connected: false, refused: 0, ended: false, over: null, problem: null, status: null, limits: null,
    answered: null, newest: null, shown: [], delays: [], answers: [], media: null, began: null, webrtc: 0, webrtcAt: 0,
    sending: false, untaken: 0, due: 0, fps: 30, listed: 0, model: "", pressed: false, refusal: null,
  };
  run.stop = () => stop(run);
  run.timer = setInterval(() => tick(run), TICK_MS);
  run.pings = setInterval(() => ping(run), 1000);
  at(".mirror").checked = localStorage.getItem("mairror-mirror") !== "no";
  at(".mirror").onchange = (event) => {
    localStorage.setItem("mairror-mirror", event.target.checked ? "yes" : "no");
    mirror(run);
  };
  at(".device").onchange = (event) => tell("device", event.target.value);
  mirror(run);
  openCamera(run);
  connect(run);
  return run;
}

function stop(run) {
  run.ended = true;
  clearInterval(run.timer);
  clearInterval(run.pings);
  clearTimeout(run.again);
  if (run.media) run.media.getTracks().forEach((track) => track.stop());
  run.at(".preview").srcObject = null;
  if (run.socket) run.socket.close();
  if (runs.get(run.root) === run) runs.delete(run.root);
}

function mirror(run) {
  run.at(".preview").classList.toggle("mirrored", run.at(".mirror").checked);
}

const CAMERA_PROBLEMS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar, then press Stop and start again.",
  NotFoundError: "No camera was found. Connect one, then press Stop and start again.",
  NotReadableError: "The camera is in use by another program. Close that, then press Stop and start again.",
};

async function openCamera(run) {
  if (!navigator.mediaDevices) {
    run.problem = "Browsers lend the camera only to pages over https, or from this very machine (localhost).";
    return;
  }
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ video: run.data.video, audio: false });
  } catch (error) {
    run.problem = CAMERA_PROBLEMS[error.name] || `The camera could not be opened (${error.name}).`;
    return;
  }
  if (run.ended) return media.getTracks().forEach((track) => track.stop());
  run.media = media;
  media.getVideoTracks()[0].onended = () => { run.problem = "The camera was disconnected."; };
  const video = run.at(".preview");
  video.srcObject = media;
  await video.play().catch(() => { run.problem = "The browser would not play the camera's picture."; });
  run.began = performance.now();
  video.requestVideoFrameCallback((now, frame) => onFrame(run, now, frame));
  listDevices(run);
}

async function listDevices(run) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
  const used = run.media.getVideoTracks()[0].getSettings().deviceId;
  run.at(".device").replaceChildren(...devices.map((device, number) => {
    const option = document.createElement("option");
    option.value = device.deviceId;
    option.textContent = device.label || `Camera ${number + 1}`;
    option.selected = device.deviceId === used;
    return option;
  }));
  run.at(".devices").hidden = devices.length < 2;
}

// Every picture of the camera, just before it is shown.
function onFrame(run, now, frame) {
  if (run.ended) return;
  const video = run.at(".preview");
  const taken = frame.captureTime ?? frame.presentationTime ?? now;
  run.shown.push(now);
  while (run.shown[0] < now - RATE_MS) run.shown.shift();
  const transport = run.status ? run.status.transport : "none";
  if (transport === "websocket") send(run, video, taken, now);
  else run.moments.print(taken, video);
  draw(run, video, taken);
  video.requestVideoFrameCallback((next, meta) => onFrame(run, next, meta));
}

function draw(run, video, time) {
  const stage = run.at(".stage"), canvas = run.at("canvas");
  stage.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const flipped = run.at(".mirror").checked;
  const places = [];
  const faces = [...run.tracks.values()].sort((a, b) => b.face.box.width - a.face.box.width);
  for (const { face, motion } of faces) {
    const age = time - motion.newest();
    if (age > GONE_MS) continue;
    const box = motion.at(time);
    if (flipped) box.x = 1 - box.x - box.width;
    pen.globalAlpha = Math.max(0, Math.min(1, (GONE_MS - age) / (GONE_MS - FADE_MS)));
    drawFace(pen, { ...face, box }, width, height, ratio, places);
  }
  pen.globalAlpha = 1;
}

function connect(run) {
  const socket = openSocket(run.data.path, run.ticket);
  let opened = false;
  run.socket = socket;
  socket.onopen = () => { opened = run.connected = true; run.refused = 0; run.untaken = 0; ping(run); };
  socket.onmessage = (event) => take(run, JSON.parse(event.data));
  socket.onclose = (event) => {
    run.connected = false;
    if (run.ended || run.socket !== socket) return;
    if (event.code === 1001 && event.reason) run.over = event.reason;
    if (!opened) { run.refused += 1; tickets.delete(run.stream); run.ticket = run.data.ticket; }
    if (run.refused > 4) run.over = "The connection to the server was lost.";
    if (!run.over) run.again = setTimeout(() => connect(run), 400 * 2 ** Math.min(run.refused, 3));
  };
}

function say(run, message) {
  if (run.socket && run.socket.readyState === WebSocket.OPEN) run.socket.send(JSON.stringify(message));
}

function ping(run) { say(run, { type: "ping", sent: performance.now() }); }

function take(run, message) {
  const now = performance.now();
  if (message.type === "answer") answer(run, message, now);
  else if (message.type === "pong") run.moments.pong(message.sent, now, message.at);
  else if (message.type === "taken") { run.untaken = Math.max(0, run.untaken - 1); run.refusal = null; }
  else if (message.type === "refused") { run.untaken = Math.max(0, run.untaken - 1); run.refusal = message.detail; }
  else if (message.type === "hello") {
    run.limits = message.limits;
    run.fps = message.fps;
    if (run.data.way === "websocket") say(run, { type: "transport", why: "chosen" });
  } else if (message.type === "status") status(run, message, now);
}

function status(run, message, now) {
  run.status = message;
  run.ticket = message.ticket;
  tickets.set(run.stream, message.ticket);
  if (message.webrtc_frames !== run.webrtc) { run.webrtc = message.webrtc_frames; run.webrtcAt = now; }
}

function answer(run, message, now) {
  const time = run.moments.of(message);
  if (time === null) return;
  run.model = message.model;
  run.answers.push(now);
  run.delays.push({ now, delay: now - time });
  message.faces.forEach((face, number) => {
    // a face without a track is new or doubtful: it has no movement yet
    const key = face.track ?? `face-${number}`;
    const known = run.tracks.get(key);
    const motion = known && face.track !== null ? known.motion : new Motion();
    motion.add(time, face.box);
    if (!known || time >= known.time) run.tracks.set(key, { face, motion, time });
  });
  if (run.newest === null || time >= run.newest) {
    run.newest = time;
    const present = new Set(message.faces.map((face, number) => face.track ?? `face-${number}`));
    // gone from the newest answer: gone from the picture
    for (const key of [...run.tracks.keys()]) if (!present.has(key)) run.tracks.delete(key);
    if (now - run.listed > 240) { run.listed = now; listFaces(run.at, message.faces); }
  }
}

async function send(run, video, taken, now) {
  const socket = run.socket;
  const pause = 1000 / run.fps;
  if (run.sending || run.untaken >= UNTAKEN || !run.limits || !socket || socket.readyState !== WebSocket.OPEN) return;
  if (now < run.due - pause / 4) return;
  run.due = Math.max(run.due + pause, now);
  run.sending = true;
  try {
    const scale = Math.min(1, run.limits.edge / Math.max(video.videoWidth, video.videoHeight));
    run.canvas ??= document.createElement("canvas");
    run.canvas.width = Math.round(video.videoWidth * scale);
    run.canvas.height = Math.round(video.videoHeight * scale);
    run.canvas.getContext("2d").drawImage(video, 0, 0, run.canvas.width, run.canvas.height);
    const blob = await new Promise((done) => run.canvas.toBlob(done, "image/jpeg", QUALITY));
    if (!blob || blob.size > run.limits.bytes || run.ended || socket.readyState !== WebSocket.OPEN) return;
    const jpeg = new Uint8Array(await blob.arrayBuffer());
    const message = new Uint8Array(16 + jpeg.length);
    const head = new DataView(message.buffer);
    head.setFloat64(0, taken);
    head.setFloat64(8, Math.max(0, performance.now() - taken) + run.moments.trip() / 2);
    message.set(jpeg, 16);
    run.untaken += 1;
    socket.send(message);
  } finally {
    run.sending = false;
  }
}

// Starts streamlit-webrtc's own hidden frame (same origin), once: its switch for that from Python starts it again for
// every message of the host that comes before the camera is open, and then answers and offers no longer belong together.
function pressStart(run) {
  if (run.pressed || run.data.way === "websocket") return;
  const frame = document.querySelector(".st-key-carrier iframe");
  const inside = frame && frame.contentDocument;
  const button = inside && [...inside.querySelectorAll("button")].find((found) => found.textContent.trim() === run.data.start);
  if (!button || button.disabled) return;
  run.pressed = true;
  button.click();
}

// WebRTC brings nothing: the page sends the pictures itself.
function fallBack(run, now) {
  if (!run.status || run.began === null || run.data.way === "webrtc" || document.hidden) return;
  const { transport } = run.status;
  if (transport === "none" && now - run.began > NO_CONNECTION_MS) say(run, { type: "transport", why: "no_connection" });
  if (transport === "webrtc" && run.webrtcAt && now - run.webrtcAt > LOST_MS) say(run, { type: "transport", why: "lost" });
}

function tick(run) {
  const now = performance.now();
  if (!run.over) { pressStart(run); fallBack(run, now); }
  const age = run.newest === null ? null : now - run.newest;
  const old = age === null || age > GONE_MS;
  if (old && run.tracks.size) run.tracks.clear();
  const stage = run.at(".stage"), badge = run.at(".badge"), veil = run.at(".veil");
  stage.dataset.age = run.began === null ? "none" : old ? "old" : "live";
  badge.dataset.state = run.began === null || age === null ? "waiting" : old ? "old" : "live";
  run.at(".badge-text").textContent = run.over ? "ended" : age === null ? "starting" : old ? "no answers" : "live";
  veil.textContent = why(run, now, age, old);
  veil.classList.toggle("on", veil.textContent !== "");
  figures(run, now, age);
}

function why(run, now, age, old) {
  if (run.problem) return run.problem;
  if (run.over) return `${run.over} Press Stop, then start again.`;
  if (run.began === null) return "Opening your camera …";
  if (!run.connected) return "Connection lost. Trying again …";
  if (!old) return "";
  if (age !== null) return `No answer for ${Math.round(age / 1000)} s.`;
  if (run.refusal) return run.refusal;
  return now - run.began < NO_CONNECTION_MS + 1000 ? "" : "Waiting for the first answer …";
}

const WAYS = { none: "connecting", webrtc: "WebRTC", websocket: "WebSocket" };
const WHY = { no_connection: "WebRTC did not connect", lost: "WebRTC was lost", chosen: "" };

function figures(run, now, age) {
  const show = (name, text) => { run.at(`[data-figure="${name}"]`).textContent = text; };
  while (run.answers.length && run.answers[0] < now - RATE_MS) run.answers.shift();
  while (run.delays.length && run.delays[0].now < now - DELAYS_MS) run.delays.shift();
  while (run.shown.length && run.shown[0] < now - RATE_MS) run.shown.shift();
  const delays = run.delays.map(({ delay }) => delay).sort((a, b) => a - b);
  const share = (part) => delays[Math.max(0, Math.ceil(part * delays.length) - 1)];
  const rate = (times) => `${((times.length * 1000) / RATE_MS).toFixed(0)}`;
  show("camera", run.began === null ? "–" : `${rate(run.shown)} a second`);
  if (!run.status) return;
  const { ledger, transport, why: reason, size, arriving_fps: arriving } = run.status;
  show("fps", `${arriving.toFixed(0)} / ${rate(run.answers)} a second`);
  show("delay", delays.length ? `${Math.round(share(0.5))} / ${Math.round(share(0.95))} ms` : "–");
  show("age", age === null ? "–" : `${ago(age)} ago`);
  const counts = { captured: ledger.captured, answered: ledger.answered, ...ledger.dropped };
  if (ledger.dead_lettered) counts.dead_lettered = ledger.dead_lettered;
  show("counts", ledgerWords(counts));
  const way = [WAYS[transport] + (reason && WHY[reason] ? ` (${WHY[reason]})` : "")];
  if (size[0]) way.push(`${size[0]} × ${size[1]}`);
  if (run.model) way.push(run.model);
  show("way", way.join(" · "));
}
