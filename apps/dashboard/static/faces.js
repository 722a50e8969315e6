// Faces and figures as every live page shows them. Joined in front of the page's own script: see live_picture.py.

const PROTOCOL = "mairror.v1"; // the ticket follows it as a second subprotocol
const TINTS = ["#ffd65e", "#7dd3fc", "#f9a8d4", "#86efac", "#c4b5fd", "#fdba74"];
const REASONS = {
  too_small: "too small to tell", too_blurred: "too blurred to tell",
  turned_away: "turned away", spread_too_wide: "cannot tell",
};
const COUNTS = [
  ["captured", "taken"], ["answered", "answered"], ["superseded", "replaced by a newer one"],
  ["expired", "too old"], ["late", "answered too late"], ["retention", "deleted unread"], ["dead_lettered", "unreadable"],
];

function openSocket(path, ticket) {
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const socket = new WebSocket(scheme + location.host + path, [PROTOCOL, ticket]);
  socket.binaryType = "arraybuffer";
  return socket;
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
  const person = face.track === null ? "" : ` #${Number(face.track) + 1}`;
  const text = face.years === null
    ? (REASONS[face.reason] || "no age")
    : `${Math.round(face.years)} (${Math.round(face.low)}–${Math.round(face.high)})${person}`;
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

function faceItem(face) {
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
}

// Fills the list beside the picture and says the same in the picture's label.
function listFaces(at, faces) {
  const items = [...faces].sort((a, b) => a.box.x - b.box.x).map(faceItem);
  at(".faces").replaceChildren(...items);
  at(".nobody").hidden = faces.length > 0;
  at("canvas").setAttribute("aria-label", faces.length
    ? `Live picture, ${faces.length} face${faces.length === 1 ? "" : "s"}: ` + items.map((item) => item.textContent).join("; ")
    : "Live picture without a face");
}

function ledgerWords(counts) {
  const parts = COUNTS.filter(([name]) => name in counts).map(([name, words]) => `${counts[name].toLocaleString("en")} ${words}`);
  return parts.length ? parts.join(" · ") : "not reported yet";
}

const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(value < 10 ? 1 : 0));
const milliseconds = (value) => (value === null || value === undefined ? "–" : `${Math.round(value)} ms`);
const ago = (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 10000 ? 1 : 0)} s`);
