// Live view: all pictures of the page by one stream, and what is drawn in them.
import "./live-picture.js";
import { keepThresholds } from "./thresholds.js";
import { PictureStream } from "./picture-stream.js";

const pictures = new Map([...document.querySelectorAll("live-picture")].map((picture) => [picture.camera, picture]));
const choices = document.getElementById("choices");

const stream = new PictureStream(
  "/stream",
  async (about, jpeg) => pictures.get(about.camera)?.show(about, jpeg),
  (text) => {
    for (const picture of pictures.values()) if (text || picture.dataset.lost) picture.say(text || "Waiting for the next picture.");
    for (const picture of pictures.values()) picture.dataset.lost = text ? "1" : "";
  },
);

function choose() {
  const shows = Object.fromEntries([...choices.querySelectorAll("input")].map((box) => [box.value, box.checked]));
  for (const picture of pictures.values()) picture.shows = shows;
  try {
    localStorage.setItem("edgeagent.shows", JSON.stringify(shows));
  } catch {
    // Storage is switched off: the choice lasts until the page is left.
  }
}

if (choices) {
  try {
    const known = JSON.parse(localStorage.getItem("edgeagent.shows") ?? "{}");
    for (const box of choices.querySelectorAll("input")) box.checked = known[box.value] ?? true;
  } catch {
    // Nothing usable was stored.
  }
  choices.hidden = false;
  choices.addEventListener("change", choose);
  choose();
}

const sliders = document.getElementById("thresholds");
if (sliders) keepThresholds(sliders, document.getElementById("thresholds-told"));

stream.start([...pictures.keys()]);
