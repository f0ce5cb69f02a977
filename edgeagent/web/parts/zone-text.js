// Zones as text of the configuration, and what is wrong with them.

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const MOST_CORNERS = 64;

/** What the configuration would refuse, as a sentence; "" where all is well. */
export function checkZones(zones) {
  const names = zones.map(({ name }) => name);
  for (const { name, polygon } of zones) {
    if (!NAME.test(name)) return `The name ${JSON.stringify(name)} is not possible: use letters, digits, - and _.`;
    if (names.indexOf(name) !== names.lastIndexOf(name)) return `Two zones have the name ${name}.`;
    if (polygon.length < 3) return `Zone ${name} needs three corners or more; it has ${polygon.length}.`;
    if (polygon.length > MOST_CORNERS) return `Zone ${name} has more than ${MOST_CORNERS} corners.`;
    if (crosses(polygon)) return `The sides of zone ${name} cross: put the corners in order around the area.`;
  }
  return "";
}

/** Text of a list of zones below a camera. */
export function configurationOf(zones) {
  const lines = ["    zones:"];
  for (const { name, polygon, ...others } of zones) {
    const corners = polygon.map(([x, y]) => `[${x}, ${y}]`).join(", ");
    lines.push(`      - name: ${/^[\d_-]/.test(name) ? JSON.stringify(name) : name}`, `        polygon: [${corners}]`);
    for (const [key, value] of Object.entries(others)) lines.push(`        ${key}: ${JSON.stringify(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

function crosses(corners) {
  const side = (index) => [corners[index], corners[(index + 1) % corners.length]];
  for (let first = 0; first < corners.length; first += 1) {
    for (let second = first + 2; second < corners.length; second += 1) {
      if (first === 0 && second === corners.length - 1) continue;
      if (meet(...side(first), ...side(second))) return true;
    }
  }
  return false;
}

function meet(a, b, c, d) {
  const turn = (p, q, r) => Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]));
  return turn(a, b, c) !== turn(a, b, d) && turn(c, d, a) !== turn(c, d, b);
}
