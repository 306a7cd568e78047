// Before the first paint: the colours that the reader chose here, else the system's.
(function () {
  "use strict";
  try {
    var chosen = localStorage.getItem("castline-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (error) {
    // A browser that keeps nothing follows the system.
  }
})();
