// What is drawn over a picture: boxes with labels, paths of tracks, zones. Coordinates are shares of the picture.

const COLOURS = ["#4cc9f0", "#ffd166", "#06d6a0", "#ff8fa3", "#c8b6ff", "#f4a261", "#a7e34b", "#ffffff"];
const LONGEST_PATH = 40;
const FORGET_MS = 3000;
const NARROW = 480; // pixels on the screen, below which long labels would hide the picture

/** Colour of a label; the same in every picture. */
export function colourOf(label) {
  let sum = 0;
  for (const letter of label) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return COLOURS[sum % COLOURS.length];
}

/** Paths of the objects of a camera. */
export class Paths {
  constructor() {
    this.points = new Map();
  }

  /** Add the objects of a picture. */
  add(objects, now) {
    for (const { track, box } of objects) {
      if (track === undefined) continue;
      const path = this.points.get(track) ?? { points: [], seen: now };
      path.points.push([(box[0] + box[2]) / 2, box[3]]);
      if (path.points.length > LONGEST_PATH) path.points.shift();
      path.seen = now;
      this.points.set(track, path);
    }
    for (const [track, path] of this.points) if (now - path.seen > FORGET_MS) this.points.delete(track);
  }

  of(track) {
    return this.points.get(track)?.points ?? [];
  }
}

/** Draw zones, lines and masks; occupied zones are filled. */
export function drawAreas(context, areas, occupied, scale, labels) {
  const { width, height } = context.canvas;
  for (const { kind, name, corners } of areas) {
    context.beginPath();
    corners.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * width, y * height));
    if (kind !== "line") context.closePath();
    context.lineWidth = 2 * scale;
    context.strokeStyle = kind === "zone" || kind === "line" ? "#ffd140" : "rgb(255 255 255 / 55%)";
    context.setLineDash(kind === "zone" ? [] : [6 * scale, 5 * scale]);
    if (kind === "zone") {
      context.fillStyle = occupied.includes(name) ? "rgb(255 209 64 / 28%)" : "rgb(255 209 64 / 7%)";
      context.fill();
    }
    context.stroke();
    context.setLineDash([]);
    const [x, y] = [corners[0][0] * width, corners[0][1] * height];
    if (name) labels.add(name, "#ffd140", [x, y, x, y]);
  }
}

/** Draw the boxes of a picture. */
export function drawBoxes(context, objects, scale, labels) {
  const { width, height } = context.canvas;
  for (const { box, label: name } of objects) {
    const [x1, y1, x2, y2] = [box[0] * width, box[1] * height, box[2] * width, box[3] * height];
    const colour = colourOf(name);
    context.lineWidth = 2 * scale;
    context.strokeStyle = colour;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
  for (const { box, label: name, score, track } of [...objects].sort((a, b) => b.score - a.score)) {
    const number = track === undefined ? "" : ` ${track}`;
    const text = width / scale < NARROW ? name : `${name}${number} ${Math.round(score * 100)} %`;
    labels.add(text, colourOf(name), [box[0] * width, box[1] * height, box[2] * width, box[3] * height]);
  }
}

/** Draw the class of the whole picture, of a classifier, in its lower left corner. */
export function drawClass({ label: name, score }, labels) {
  const { height } = labels.context.canvas;
  labels.add(`${name} ${Math.round(score * 100)} %`, colourOf(name), [0, height, 0, height]);
}

/** Draw the way of each object so far. */
export function drawPaths(context, objects, paths, scale) {
  const { width, height } = context.canvas;
  for (const { track, label: name } of objects) {
    const points = paths.of(track);
    if (points.length < 2) continue;
    context.beginPath();
    points.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * width, y * height));
    context.lineWidth = 2 * scale;
    context.strokeStyle = colourOf(name);
    context.globalAlpha = 0.75;
    context.stroke();
    context.globalAlpha = 1;
  }
}

/** Labels of a picture, none over another: above, inside or below what it belongs to; one without a place is left out. */
export class Labels {
  constructor(context, scale) {
    this.context = context;
    this.scale = scale;
    this.size = (context.canvas.width / scale < NARROW ? 9 : 12) * scale;
    context.font = `600 ${this.size}px system-ui, sans-serif`;
    this.taken = [];
  }

  add(text, colour, [x1, y1, , y2]) {
    const { context, scale, size } = this;
    const { width: most, height: lowest } = context.canvas;
    const width = context.measureText(text).width + 8 * scale;
    const height = size * 1.4;
    const left = Math.max(0, Math.min(x1, most - width));
    const places = [y1 - height, y1, y2, y1 - 2 * height].filter((top) => top >= 0 && top + height <= lowest);
    const free = (top) => !this.taken.some(([l, t, r, b]) => left < r && left + width > l && top < b && top + height > t);
    const top = places.find(free);
    if (top === undefined) return;
    this.taken.push([left, top, left + width, top + height]);
    context.fillStyle = colour;
    context.fillRect(left, top, width, height);
    context.fillStyle = "#10151a";
    context.textBaseline = "middle";
    context.fillText(text, left + 4 * scale, top + height / 2);
  }
}
