// Times in the zone of whoever looks; the clock of the browser is not asked.

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const HOUR = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Show all times below an element in the local zone; the title has the zone. */
export function showLocalTimes(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.textContent = (time.dataset.local === "hour" ? HOUR : DAY).format(at);
    time.title = `${at.toString()} (${time.dateTime})`;
    time.removeAttribute("data-local");
  }
}
