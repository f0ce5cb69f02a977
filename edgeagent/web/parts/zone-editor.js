// Editor of zones: <zone-editor camera known='[zones as in the configuration]'> around a <live-picture>.
import { writeHeaders } from "./errors.js";
import { checkZones, configurationOf } from "./zone-text.js";

const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.005;
const DIGITS = 1e4;

class ZoneEditor extends HTMLElement {
  connectedCallback() {
    this.zones = JSON.parse(this.getAttribute("known") ?? "[]");
    this.chosen = 0;
    this.width = 1600;
    this.height = 900;
    this.picture = this.querySelector("live-picture");
    this.drawing = document.createElementNS(SVG, "svg");
    this.drawing.classList.add("drawing");
    this.drawing.setAttribute("role", "group");
    this.drawing.setAttribute("aria-label", "Corners of the zone; move one by the arrow keys");
    this.picture.append(this.drawing);
    this.picture.addEventListener("picture", ({ detail }) => this.resize(detail.width, detail.height));
    this.drawing.addEventListener("pointerdown", (event) => this.press(event));
    this.find("zone-choice").addEventListener("change", ({ target }) => this.choose(Number(target.value)));
    this.find("zone-name").addEventListener("input", ({ target }) => this.rename(target.value));
    this.find("zone-add").addEventListener("click", () => this.add());
    this.find("zone-clear").addEventListener("click", () => this.change(() => (this.zone.polygon = [])));
    this.find("zone-remove").addEventListener("click", () => this.remove());
    this.find("zone-copy").addEventListener("click", () => this.copy());
    this.find("zone-save")?.addEventListener("click", () => this.save());
    if (!this.zones.length) this.add();
    else this.choose(0);
  }

  find(name) {
    return this.querySelector(`#${name}`);
  }

  get zone() {
    return this.zones[this.chosen];
  }

  resize(width, height) {
    if (width === this.width && height === this.height) return;
    this.width = width;
    this.height = height;
    this.draw();
  }

  add() {
    let number = this.zones.length + 1;
    while (this.zones.some(({ name }) => name === `zone-${number}`)) number += 1;
    this.zones.push({ name: `zone-${number}`, polygon: [] });
    this.choose(this.zones.length - 1);
  }

  remove() {
    this.zones.splice(this.chosen, 1);
    if (!this.zones.length) this.add();
    else this.choose(Math.min(this.chosen, this.zones.length - 1));
  }

  rename(name) {
    this.change(() => (this.zone.name = name));
  }

  choose(index) {
    this.chosen = index;
    this.find("zone-name").value = this.zone.name;
    this.draw();
  }

  change(act) {
    act();
    this.tell("");
    this.draw();
  }

  /** Place of a pointer in shares of the picture. */
  placeOf(event) {
    const matrix = this.drawing.getScreenCTM().inverse();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    const share = (value, size) => Math.round(Math.min(1, Math.max(0, value / size)) * DIGITS) / DIGITS;
    return [share(point.x, this.width), share(point.y, this.height)];
  }

  press(event) {
    event.preventDefault();
    let index = Number(event.target.dataset.corner ?? -1);
    if (index < 0) {
      index = this.zone.polygon.length;
      this.change(() => this.zone.polygon.push(this.placeOf(event)));
    }
    const move = (moved) => this.change(() => (this.zone.polygon[index] = this.placeOf(moved)));
    const end = () => {
      removeEventListener("pointermove", move);
      this.drawing.querySelector(`[data-corner="${index}"]`)?.focus();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
    addEventListener("pointercancel", end, { once: true });
  }

  key(event, index) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const move = moves[event.key];
    if (event.key === "Delete" || event.key === "Backspace") this.change(() => this.zone.polygon.splice(index, 1));
    else if (move) {
      const clip = (value) => Math.round(Math.min(1, Math.max(0, value)) * DIGITS) / DIGITS;
      const [x, y] = this.zone.polygon[index];
      this.change(() => (this.zone.polygon[index] = [clip(x + move[0]), clip(y + move[1])]));
      this.drawing.querySelector(`[data-corner="${index}"]`)?.focus();
    } else return;
    event.preventDefault();
  }

  draw() {
    this.drawing.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const pixels = ([x, y]) => [x * this.width, y * this.height];
    const shapes = this.zones.map((zone, index) => {
      const shape = document.createElementNS(SVG, "polygon");
      shape.setAttribute("points", zone.polygon.map((corner) => pixels(corner).join(",")).join(" "));
      if (index !== this.chosen) shape.classList.add("other");
      return shape;
    });
    const corners = this.zone.polygon.map((corner, index) => {
      const handle = document.createElementNS(SVG, "circle");
      const [x, y] = pixels(corner);
      for (const [key, value] of Object.entries({ cx: x, cy: y, r: this.width / 110, tabindex: 0, role: "button" })) handle.setAttribute(key, value);
      handle.dataset.corner = index;
      handle.setAttribute("aria-label", `Corner ${index + 1}`);
      handle.addEventListener("keydown", (event) => this.key(event, index));
      handle.addEventListener("dblclick", () => this.change(() => this.zone.polygon.splice(index, 1)));
      return handle;
    });
    this.drawing.replaceChildren(...shapes, ...corners);
    const choice = this.find("zone-choice");
    choice.replaceChildren(...this.zones.map(({ name }, index) => new Option(name, index, false, index === this.chosen)));
    const problem = checkZones(this.zones);
    this.find("zone-problem").textContent = problem;
    this.find("zone-problem").hidden = !problem;
    this.find("zone-text").value = problem ? "" : configurationOf(this.zones);
    for (const button of [this.find("zone-copy"), this.find("zone-save")]) if (button) button.disabled = Boolean(problem);
  }

  async copy() {
    const text = this.find("zone-text");
    try {
      await navigator.clipboard.writeText(text.value);
      this.tell("Copied.");
    } catch {
      text.focus();
      text.select();
      this.tell("Press Ctrl+C to copy.");
    }
  }

  async save() {
    const button = this.find("zone-save");
    button.disabled = true;
    this.tell("Saving.");
    try {
      const body = JSON.stringify({ zones: this.zones });
      const answer = await fetch(location.pathname, { method: "POST", headers: writeHeaders(), body });
      this.tell(answer.ok ? "Saved." : `Not saved: ${(await answer.text()).trim()}`);
    } catch {
      this.tell("Not saved: the device does not answer. Try again.");
    }
    button.disabled = false;
  }

  /** Say beside the buttons what came of one. */
  tell(text) {
    this.find("zone-told").textContent = text;
  }
}

customElements.define("zone-editor", ZoneEditor);
