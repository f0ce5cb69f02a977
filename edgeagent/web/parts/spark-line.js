// Small curve of a series: <spark-line label unit values="[1, null, 2]">. Intervals without a value are gaps.

const WIDTH = 136;
const HEIGHT = 28;
const PAD = 3;
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Points of a series as path data: the scale begins at 0, unless all values are close together. */
export function pathOf(values) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known);
  const least = Math.min(...known);
  const low = least > most / 2 ? least - (most - least || Math.abs(most) || 1) : Math.min(0, least);
  const range = most - low || 1;
  let path = "";
  let gap = true;
  values.forEach((value, index) => {
    if (value === null) {
      gap = true;
      return;
    }
    const x = PAD + (index / Math.max(1, values.length - 1)) * (WIDTH - 2 * PAD);
    const y = HEIGHT - PAD - ((value - low) / range) * (HEIGHT - 2 * PAD);
    path += `${gap ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    gap = false;
  });
  return path;
}

export class SparkLine extends HTMLElement {
  connectedCallback() {
    const values = JSON.parse(this.getAttribute("values") ?? "[]");
    const known = values.filter((value) => value !== null);
    if (known.length < 2) return;
    const unit = this.getAttribute("unit") ?? "";
    const label = this.getAttribute("label") ?? "";
    const text = `${label}: ${Math.min(...known)} to ${Math.max(...known)} ${unit}, last ${known.length} intervals`;
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": text });
    const title = element("title", {});
    title.textContent = text;
    const line = element("path", { d: pathOf(values), fill: "none", stroke: "currentColor", "stroke-width": "1.5", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" });
    svg.append(title, line);
    this.replaceChildren(svg);
  }
}

customElements.define("spark-line", SparkLine);
