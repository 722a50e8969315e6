// Pictures from the clipboard go into the page's own file uploader, so that its limits hold for them too. Also names
// the files the uploader leaves out for their size: it forgets them itself once the others are answered. The page is not
// told of them, because a rerun while files are on their way loses these.

const INPUT = '[class*="st-key-upload-files"] input[type="file"]';
const ZONE = '[class*="st-key-upload-files"]';
const SAID_MS = 6000;
const MB = 1024 * 1024;
const NAMED = 8;
const states = new WeakMap();
let pasted = 0;

export default function (component) {
  const { data, parentElement } = component;
  const known = states.get(parentElement);
  if (known) {
    if (known.data.cleared !== data.cleared) known.large.textContent = "";
    known.data = data;
    return known.stop;
  }
  const state = start(parentElement, data);
  states.set(parentElement, state);
  return state.stop;
}

function start(root, data) {
  const state = { data, said: root.querySelector(".said"), large: root.querySelector(".large"), timer: 0 };
  const button = root.querySelector("button");
  root.querySelector("kbd").textContent = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘V" : "Ctrl+V";
  // reading the clipboard without a key press needs a secure page, and the visitor's permission
  button.hidden = !(navigator.clipboard && navigator.clipboard.read);
  button.onclick = () => read(state);
  const listeners = [
    ["paste", (event) => pasting(state, event)],
    ["change", (event) => { if (event.target.matches && event.target.matches(INPUT)) weigh(state, event.target.files); }],
    ["drop", (event) => {
      const zone = event.composedPath().some((part) => part.matches && part.matches(ZONE));
      if (zone && event.dataTransfer) weigh(state, event.dataTransfer.files);
    }],
  ];
  for (const [name, listener] of listeners) document.addEventListener(name, listener, true);
  state.stop = () => {
    clearTimeout(state.timer);
    for (const [name, listener] of listeners) document.removeEventListener(name, listener, true);
    if (states.get(root) === state) states.delete(root);
  };
  return state;
}

function pasting(state, event) {
  const files = [...(event.clipboardData ? event.clipboardData.files : [])];
  if (!files.length) return; // letters: not ours
  event.preventDefault();
  take(state, files);
}

async function read(state) {
  const files = [];
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((name) => name.startsWith("image/"));
      if (type) files.push(new File([await item.getType(type)], "image", { type }));
    }
  } catch (error) {
    const refused = error.name === "NotAllowedError";
    say(state, refused ? "The browser did not allow it. Use the keys instead." : "There is no picture to paste.");
    return;
  }
  take(state, files);
}

function take(state, files) {
  const pictures = files.filter((file) => file.type.startsWith("image/"));
  const input = document.querySelector(INPUT);
  if (!pictures.length) return say(state, "There is no picture to paste.");
  if (!input || input.disabled) return say(state, "Pictures are being read. Paste again in a moment.");
  const transfer = new DataTransfer();
  for (const picture of pictures) transfer.items.add(named(picture));
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  say(state, pictures.length === 1 ? "Picture pasted." : `${pictures.length} pictures pasted.`);
}

// Screenshots all come as "image.png": a number keeps them apart.
function named(file) {
  if (!/^image(\.\w+)?$/.test(file.name)) return file;
  const ending = file.type.slice("image/".length).replace("jpeg", "jpg").replace(/[^a-z0-9].*$/, "");
  pasted += 1;
  return new File([file], `pasted-${pasted}.${ending}`, { type: file.type });
}

function weigh(state, files) {
  const large = [...files].filter((file) => file.size > state.data.max_mb * MB);
  const names = large.slice(0, NAMED).map((file) => `${file.name.slice(0, 120)} (${Math.round(file.size / MB)} MB)`);
  const more = large.length > NAMED ? ` and ${large.length - NAMED} more` : "";
  state.large.textContent = large.length
    ? `Left out, because a picture may have ${state.data.max_mb} MB at most: ${names.join(", ")}${more}.` : "";
}

function say(state, text) {
  state.said.textContent = text;
  clearTimeout(state.timer);
  state.timer = setTimeout(() => { state.said.textContent = ""; }, SAID_MS);
}
