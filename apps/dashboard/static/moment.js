// When was the frame of an answer taken, on this page's clock (performance.now, milliseconds)?
// Over the WebSocket the page sent the time itself: exact. Over WebRTC the frame's print (16 x 12 grey cells) is looked
// for among those of the camera's own frames; where the picture stands still and all prints are alike, the usual way
// of a frame (median of those found) is taken off the time of its arrival, brought to this clock by the pings.

const PRINT_WIDTH = 16, PRINT_HEIGHT = 12;
const PRINTS_MS = 2000;
const USUAL_WAY_MS = 90; // until the first is found
const DISTINCT = 1.25; // a frame a tenth of a second away must fit so much worse

class Moments {
  constructor() {
    this.prints = [];
    this.ways = [];
    this.pings = [];
    this.canvas = document.createElement("canvas");
    this.canvas.width = PRINT_WIDTH;
    this.canvas.height = PRINT_HEIGHT;
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  // Remember the camera's frame that is shown now.
  print(time, video) {
    this.pen.drawImage(video, 0, 0, PRINT_WIDTH, PRINT_HEIGHT);
    const pixels = this.pen.getImageData(0, 0, PRINT_WIDTH, PRINT_HEIGHT).data;
    const luma = new Float32Array(PRINT_WIDTH * PRINT_HEIGHT);
    for (let i = 0, p = 0; i < luma.length; i += 1, p += 4) {
      luma[i] = 0.299 * pixels[p] + 0.587 * pixels[p + 1] + 0.114 * pixels[p + 2];
    }
    this.prints.push({ time, luma: level(luma) });
    while (this.prints[0].time < time - PRINTS_MS) this.prints.shift();
  }

  pong(sent, now, there) {
    this.pings.push({ trip: now - sent, offset: there - (sent + now) / 2 });
    if (this.pings.length > 12) this.pings.shift();
    this.best = this.pings.reduce((a, b) => (b.trip < a.trip ? b : a));
  }

  trip() { return this.best ? this.best.trip : 0; }

  of(answer) {
    if (answer.stamp !== null) return answer.stamp;
    if (answer.at_ms === null) return null;
    const arrived = this.best ? answer.at_ms - this.best.offset : performance.now();
    const found = answer.luma ? this.find(answer.luma, arrived) : null;
    if (found !== null) {
      this.ways.push(arrived - found);
      if (this.ways.length > 31) this.ways.shift();
    }
    return found ?? arrived - this.way();
  }

  way() {
    if (!this.ways.length) return USUAL_WAY_MS;
    return [...this.ways].sort((a, b) => a - b)[this.ways.length >> 1];
  }

  find(text, arrived) {
    const bytes = atob(text);
    const luma = level(Float32Array.from(bytes, (sign) => sign.charCodeAt(0)));
    let best = null;
    const scores = [];
    for (const print of this.prints) {
      if (print.time > arrived + 30 || print.time < arrived - 1500) continue;
      let score = 0;
      for (let i = 0; i < luma.length; i += 1) score += Math.abs(luma[i] - print.luma[i]);
      scores.push({ time: print.time, score });
      if (best === null || score < best.score) best = scores[scores.length - 1];
    }
    if (best === null) return null;
    const far = scores.filter(({ time }) => Math.abs(time - best.time) >= 90 && Math.abs(time - best.time) < 400);
    const clear = far.length && far.every(({ score }) => score > best.score * DISTINCT + luma.length * 0.25);
    return clear ? best.time : null;
  }
}

// Brightness is coded in more than one way: only the differences within a picture count.
function level(luma) {
  let sum = 0;
  for (const value of luma) sum += value;
  const mean = sum / luma.length;
  for (let i = 0; i < luma.length; i += 1) luma[i] -= mean;
  return luma;
}
