// Where a face is now: answers come a moment late, so each face's box is carried on along its own movement.
// A straight line is fitted to its last boxes (least squares, newer ones count more): it smooths the detector's
// trembling and gives the velocity. Carried on for at most AHEAD_MS; after that the box waits where it is.

const FIT_MS = 260;
const HALF_WEIGHT_MS = 70;
const AHEAD_MS = 350;
const SIDES = ["x", "y", "width", "height"];

class Motion {
  constructor() { this.seen = []; }

  // Time in milliseconds on the page's clock; answers may come out of order.
  add(time, box) {
    let place = this.seen.length;
    while (place > 0 && this.seen[place - 1].time > time) place -= 1;
    this.seen.splice(place, 0, { time, box });
    const oldest = this.newest() - FIT_MS;
    while (this.seen.length > 2 && this.seen[0].time < oldest) this.seen.shift();
  }

  newest() { return this.seen[this.seen.length - 1].time; }

  at(time) {
    const newest = this.newest();
    const when = Math.min(time, newest + AHEAD_MS) - newest;
    const box = {};
    for (const side of SIDES) box[side] = this.fit(side, newest, when);
    return box;
  }

  fit(side, newest, when) {
    let weights = 0, times = 0, values = 0, squares = 0, products = 0;
    for (const { time, box } of this.seen) {
      const age = time - newest;
      if (age < -FIT_MS) continue;
      const weight = 2 ** (age / HALF_WEIGHT_MS);
      weights += weight; times += weight * age; values += weight * box[side];
      squares += weight * age * age; products += weight * age * box[side];
    }
    const spread = weights * squares - times * times;
    if (spread < 1e-6) return values / weights;
    const slope = (weights * products - times * values) / spread;
    // a size that was seen to change for a moment is no reason to let it grow on
    const ahead = side === "width" || side === "height" ? Math.min(when, 60) : when;
    return (values - slope * times) / weights + slope * ahead;
  }
}
