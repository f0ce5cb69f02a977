// Parts of a view: asked for every few seconds, replaced where they have changed.
import { showLocalTimes } from "./local-time.js";

const EVERY_MS = 3000;
const LONGEST_MS = 30000;

/**
 * Keep the elements with data-part up to date. Nothing is asked for while the page is hidden.
 * @param {string} address of the view's HTML
 * @param {Element} root of the view
 */
export function keepPartsCurrent(address, root) {
  const shown = new Map();
  let pause = EVERY_MS;
  let timer = 0;

  const replace = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const name = part.dataset.part;
      const old = root.querySelector(`[data-part="${CSS.escape(name)}"]`);
      const text = part.innerHTML;
      if (!old || shown.get(name) === text) continue;
      if (old.contains(document.activeElement) && document.activeElement.matches("a, input, button")) continue;
      const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
      shown.set(name, text);
      old.replaceChildren(...document.importNode(part, true).childNodes);
      showLocalTimes(old);
      const scroll = old.querySelector(".scroll");
      if (scroll) scroll.scrollLeft = scrolled;
    }
  };

  const ask = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(address, { headers: { Accept: "text/plain" }, redirect: "error" });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(`${answer.status}`);
      replace(await answer.text());
      pause = EVERY_MS;
      tell("");
    } catch (error) {
      pause = Math.min(LONGEST_MS, pause * 2);
      tell(`No answer; these numbers may be old. It is asked again every ${Math.round(pause / 1000)} s.`);
    }
    timer = setTimeout(ask, pause);
  };

  document.addEventListener("visibilitychange", ask);
  timer = setTimeout(ask, EVERY_MS);
}

/** Show a line at the bottom of the page; an empty one hides it. */
export function tell(text) {
  const notice = document.getElementById("notice");
  if (!notice || notice.textContent === text) return;
  notice.textContent = text;
  notice.hidden = !text;
}
