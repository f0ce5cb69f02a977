// Errors of the page reach the log of the device.

const MOST = 10;
let sent = 0;

/** Header that a write repeats. */
export function writeHeaders() {
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
  return { "Content-Type": "application/json", "X-CSRF-Token": csrf };
}

function report(message, where, stack) {
  if (sent++ >= MOST || !document.querySelector('meta[name="csrf"]')) return;
  const body = JSON.stringify({ message: `${message}`, where: `${where}`, stack: `${stack ?? ""}`.slice(0, 500) });
  fetch("/errors", { method: "POST", headers: writeHeaders(), body, keepalive: true }).catch(() => {});
}

/** Report errors that nothing has caught. */
export function reportErrors() {
  addEventListener("error", (event) => {
    report(event.message, `${event.filename}:${event.lineno}:${event.colno}`, event.error?.stack);
  });
  addEventListener("unhandledrejection", (event) => {
    report(event.reason?.message ?? event.reason, location.pathname, event.reason?.stack);
  });
}
