// Live picture: <live-picture camera zones='[{"kind", "name", "corners"}]'>. The objects are drawn over the very
// picture that they were found in. Attribute `still`: no button for the full screen.
import { Labels, Paths, drawAreas, drawBoxes, drawClass, drawPaths } from "./overlay.js";

const OLD_MS = 5000;

export class LivePicture extends HTMLElement {
  connectedCallback() {
    this.shows = { boxes: true, tracks: true, zones: true };
    this.areas = JSON.parse(this.getAttribute("zones") ?? "[]");
    this.paths = new Paths();
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Live picture of ${this.camera}`);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.told = document.createElement("p");
    this.told.className = "picture-state";
    this.replaceChildren(this.canvas, this.told);
    if (!this.hasAttribute("still") && this.requestFullscreen) this.append(this.expandButton());
    this.say("Waiting for the first picture.");
    this.watch = setInterval(() => this.tellAge(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.watch);
  }

  /** A picture that stands must not look like a live one. */
  tellAge() {
    if (document.querySelector(`[data-part="facts-${CSS.escape(this.camera)}"] .badge.bad`) && !this.dataset.lost) {
      this.say("The camera is lost. It is opened again by itself; the alarm says why.");
      return;
    }
    const old = performance.now() - this.shownAt;
    if (old > OLD_MS && !this.dataset.lost) this.say(`No new picture for ${Math.round(old / 1000)} s. Is the camera lost?`);
  }

  get camera() {
    return this.getAttribute("camera");
  }

  expandButton() {
    const button = document.createElement("button");
    button.className = "quiet picture-expand";
    button.title = "Full screen";
    button.innerHTML = '<svg class="icon" aria-hidden="true"><use href="/static/current/icons.svg#expand"></use></svg>';
    button.setAttribute("aria-label", `Full screen of ${this.camera}`);
    button.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.requestFullscreen();
    });
    return button;
  }

  /** Show a sentence over the picture; "" shows none. */
  say(text) {
    if (this.told.textContent !== text) this.told.textContent = text;
    this.told.hidden = !text;
  }

  /** Show a picture with what is in it. */
  async show(about, jpeg) {
    if (about.error) {
      this.say(`${about.error}; the log of the device says why.`);
      return;
    }
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const place = this.getBoundingClientRect();
    const shown = Math.min(place.width / this.canvas.width, place.height / this.canvas.height) || 1;
    this.paths.add(about.objects, performance.now());
    const labels = new Labels(this.context, 1 / shown);
    if (this.shows.zones) drawAreas(this.context, this.areas, about.occupied, 1 / shown, labels);
    if (this.shows.tracks) drawPaths(this.context, about.objects, this.paths, 1 / shown);
    if (this.shows.boxes) drawBoxes(this.context, about.objects, 1 / shown, labels);
    if (this.shows.boxes && about.classification) drawClass(about.classification, labels);
    this.shownAt = performance.now();
    this.say("");
    this.dataset.sequence = about.sequence;
    this.dataset.objects = about.objects.length;
    this.dataset.label = about.classification?.label ?? "";
    this.dispatchEvent(new CustomEvent("picture", { detail: about }));
  }
}

customElements.define("live-picture", LivePicture);
