// Sliders of thresholds: a value is sent when it is let go, and goes back where it is refused.
import { writeHeaders } from "./errors.js";

/** Keep the sliders below an element; what came of a change is told in another one. */
export function keepThresholds(root, told) {
  root.hidden = false;
  for (const slider of root.querySelectorAll("input[type=range]")) {
    const shown = slider.parentElement.querySelector("output");
    let saved = slider.value;
    const show = () => (shown.textContent = Number(slider.value).toFixed(2));
    slider.addEventListener("input", show);
    slider.addEventListener("change", async () => {
      told.textContent = "";
      try {
        const body = JSON.stringify({ [slider.name]: Number(slider.value) });
        const answer = await fetch("/thresholds", { method: "POST", headers: writeHeaders(), body });
        if (!answer.ok) throw new Error((await answer.text()).trim());
        saved = slider.value;
        told.textContent = "Saved.";
      } catch (error) {
        slider.value = saved;
        show();
        told.textContent = error instanceof TypeError ? "Not saved: the device does not answer." : `Not saved: ${error.message}`;
      }
    });
  }
}
