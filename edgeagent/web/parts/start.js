// First configuration: cameras that are found and tried, a broker, and what is written of them.
import { writeHeaders } from "./errors.js";

const find = (name) => document.getElementById(name);
const taken = [];
let tried = null; // source, user and password of the picture that is shown
let broker = null;

/** Post a request and return its answer; what goes wrong is a sentence. */
async function ask(what, asked) {
  let answer;
  try {
    answer = await fetch(`/start/${what}`, { method: "POST", headers: writeHeaders(), body: JSON.stringify(asked) });
  } catch {
    throw new Error("The device does not answer. Try again.");
  }
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

/** Do something while a button waits; tell what came of it. */
async function act(button, told, doing, work) {
  button.disabled = true;
  told.classList.remove("form-error");
  told.textContent = doing;
  try {
    told.textContent = await work();
  } catch (error) {
    told.textContent = error.message;
    told.classList.add("form-error");
  }
  button.disabled = false;
}

function onSubmit(name, told, doing, work) {
  const form = find(name);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(form));
    act(form.querySelector("button"), find(told), doing, () => work(fields, form));
  });
}

function element(tag, text, kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  return made;
}

/** Address without credentials, which may stand in front of the host and in parameters. */
function shownAddress(source) {
  return source.replace(/\/\/.*@/, "//***@").replace(/\?.*/, "?***");
}

function formatOf({ codec, width, height, fps }) {
  return `${codec}${width && height ? ` ${width}×${height}` : ""}${fps ? ` ${fps}/s` : ""}`;
}

function foundRow(camera) {
  const row = document.createElement("li");
  row.append(element("strong", camera.name), " ", element("code", camera.address));
  if (camera.formats.length) row.append(" ", element("span", camera.formats.slice(0, 3).map(formatOf).join(", "), "unit"));
  if (camera.problem) row.append(element("p", camera.problem, "about"));
  if (/^(rtsps?:|\/dev\/)/.test(camera.address)) {
    const button = element("button", "Choose", "quiet");
    button.addEventListener("click", () => {
      const form = find("start-picture");
      const stream = camera.address.startsWith("rtsp");
      form.source.value = camera.address;
      form.user.value = stream ? find("start-find").user.value : "";
      form.password.value = stream ? find("start-find").password.value : "";
      form.requestSubmit();
    });
    row.append(" ", button);
  }
  return row;
}

onSubmit("start-find", "found-told", "Looking for cameras; this takes a few seconds.", async ({ network, user, password }) => {
  const { cameras } = await ask("find", { network: network === "on", user, password });
  find("found").replaceChildren(...cameras.map(foundRow));
  if (cameras.length) return `${cameras.length} found.`;
  return network ? "No camera was found. If you know its address, test it below." : "This board has no camera device. Ask the network, or test an address below.";
});

onSubmit("start-picture", "picture-told", "Opening it; this takes up to 15 s.", async ({ source, user, password }) => {
  find("start-take").hidden = true;
  const { width, height, fps, seconds, jpeg } = await ask("picture", { source: source.trim(), user, password });
  tried = { source: source.trim(), user, password };
  const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
  const image = find("picture");
  URL.revokeObjectURL(image.src);
  image.width = width;
  image.height = height;
  image.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  const form = find("start-take");
  form.name.value ||= `camera-${taken.length + 1}`;
  form.hidden = false;
  return `${width}×${height}${fps ? `, ${fps} frames/s` : ""}, first picture after ${seconds} s.`;
});

find("start-take").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const name = form.elements.name.value;
  const known = taken.findIndex((one) => one.name === name);
  if (known >= 0) taken.splice(known, 1);
  taken.push({ name, ...tried });
  form.hidden = true;
  form.elements.name.value = "";
  find("picture-told").textContent = `${name} is written with step 4.`;
  show();
});

onSubmit("start-broker", "broker-told", "Connecting.", async ({ host, port, user, password, tls }) => {
  broker = null;
  const asked = { host: host.trim(), port: port ? Number(port) : null, user, password, tls: tls === "on" };
  await ask("broker", asked);
  broker = asked;
  show();
  return `${asked.host} accepts this device; it is written with step 4.`;
});

/** Show what would be written. */
function show() {
  const list = find("taken");
  if (!list) return;
  const rows = taken.map((camera) => {
    const row = document.createElement("li");
    const button = element("button", "Leave out", "quiet");
    button.addEventListener("click", () => {
      taken.splice(taken.indexOf(camera), 1);
      show();
    });
    row.append(element("strong", camera.name), " ", element("code", shownAddress(camera.source)), " ", element("span", "new", "badge good"), " ", button);
    return row;
  });
  if (broker) {
    const row = document.createElement("li");
    row.append(element("strong", "Broker"), " ", element("code", broker.host), " ", element("span", "new", "badge good"));
    rows.push(row);
  }
  list.replaceChildren(...rows);
  find("start-write").disabled = !taken.length && !broker && !removed().length;
}

function removed() {
  return [...document.querySelectorAll("#present input:checked")].map((box) => box.value);
}

find("present")?.addEventListener("change", show);
find("start-write")?.addEventListener("click", ({ currentTarget }) =>
  act(currentTarget, find("write-told"), "Writing.", async () => {
    const told = await ask("write", { cameras: taken, remove: removed(), broker });
    const waits = Object.keys(told.waiting);
    const parts = [told.saved?.length ? "Written into the configuration file." : "Kept as live changes."];
    if (told.applied.length) parts.push(`Changed at once: ${told.applied.join(", ")}.`);
    if (waits.length) parts.push(`Needs a new start (sudo systemctl restart edgeagent): ${waits.join(", ")}.`);
    if (told.left) parts.push(`${told.left}.`);
    for (const box of document.querySelectorAll("#present input:checked")) box.closest("li").remove();
    for (const badge of document.querySelectorAll("#taken .badge")) badge.textContent = "written";
    for (const button of document.querySelectorAll("#taken button")) button.remove();
    find("present").append(...find("taken").children);
    taken.length = 0;
    broker = null;
    return parts.join(" ");
  }).then(() => (find("start-write").disabled = !taken.length && !broker && !removed().length)),
);
