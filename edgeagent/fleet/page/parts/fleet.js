// Keys of the fleet's page, questions before something is removed, and choices that count at once.

const PLACES = { f: "/", d: "/devices", m: "/models", r: "/rollouts", a: "/alarms" };
const HELP = [
  ["/", "search"],
  ["g then f, d, m, r, a", "fleet, devices, models, rollouts, alarms"],
  ["j, k", "next and previous row"],
  ["Enter", "open the row"],
  ["n, p", "next and previous part of a list"],
  ["?", "this list"],
];
const CHORD_MS = 1500;
let chord = 0;

function typing(target) {
  return target.matches("input, select, textarea, [contenteditable]");
}

function step(by) {
  const links = [...document.querySelectorAll("tbody th a, .alarm a")];
  if (!links.length) return;
  const now = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, now < 0 ? 0 : now + by))].focus();
}

function showHelp() {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    const title = document.createElement("h2");
    title.textContent = "Keys";
    const list = document.createElement("dl");
    list.className = "facts";
    for (const [key, what] of HELP) {
      const row = document.createElement("div");
      const name = document.createElement("dt");
      const shown = document.createElement("kbd");
      shown.textContent = key;
      name.append(shown);
      const text = document.createElement("dd");
      text.textContent = what;
      row.append(name, text);
      list.append(row);
    }
    const form = document.createElement("form");
    form.method = "dialog";
    const close = document.createElement("button");
    close.textContent = "Close";
    form.append(close);
    dialog.append(title, list, form);
    document.body.append(dialog);
  }
  dialog.showModal();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (Date.now() - chord < CHORD_MS && PLACES[event.key]) {
    chord = 0;
    location.assign(PLACES[event.key]);
    return;
  }
  chord = 0;
  if (event.key === "g") chord = Date.now();
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "n") document.querySelector("a[rel=next]")?.click();
  else if (event.key === "p") document.querySelector("a[rel=prev]")?.click();
  else if (event.key === "?") showHelp();
  else if (event.key === "/") {
    const search = document.getElementById("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  }
});

// A choice counts at once; without JavaScript the button does.
for (const select of document.querySelectorAll(".filters[method=get] select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Empty fields stay out of the address, so that it can be kept and sent.
for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData.entries()]) if (value === "") formData.delete(name);
  });
}

for (const button of document.querySelectorAll("button[data-ask]")) {
  button.addEventListener("click", (event) => {
    if (!confirm(button.dataset.ask)) event.preventDefault();
  });
}

// A file is sent as it is, and what the server says is shown beside it.
for (const form of document.querySelectorAll("form[data-send]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = form.elements.file.files[0];
    const told = form.querySelector("output");
    const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
    told.textContent = "Sending…";
    try {
      const address = `${form.dataset.send}?name=${encodeURIComponent(file.name)}`;
      const answer = await fetch(address, { method: "PUT", headers: { "X-CSRF-Token": csrf }, body: file });
      told.textContent = (await answer.text()).trim();
      told.className = answer.ok ? "badge good" : "badge bad";
    } catch {
      told.textContent = "The server cannot be reached.";
      told.className = "badge bad";
    }
  });
}
