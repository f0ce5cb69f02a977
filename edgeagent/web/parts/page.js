// What every view has: theme, local times, parts that are kept up to date, reports of errors.
import { reportErrors } from "./errors.js";
import { keepPartsCurrent } from "./parts.js";
import { showLocalTimes } from "./local-time.js";

reportErrors();
showLocalTimes(document);

const theme = document.getElementById("theme");
if (theme) {
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme ?? (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("edgeagent.theme", root.dataset.theme);
    } catch {
      // Storage is switched off: the choice lasts until the page is left.
    }
    dispatchEvent(new Event("themechange"));
  });
}

const view = document.body.dataset.view;
if (["live", "events", "status", "start"].includes(view)) keepPartsCurrent(`/parts/${view}`, document.getElementById("content"));
