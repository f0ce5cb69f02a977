// Light or dark as chosen here; runs before anything is shown, so it is no module.
(() => {
  try {
    const theme = localStorage.getItem("edgeagent.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is switched off: the theme of the system counts.
  }
})();
