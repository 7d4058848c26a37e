// Sends the page's one form by itself. Without script, or when somebody comes back to the page, its button does it.
"use strict";
(() => {
  const form = document.querySelector("form[data-submit]");
  const [visit] = performance.getEntriesByType("navigation");
  // Going back from the site must lead back, not to the site once more.
  if (form && (!visit || visit.type === "navigate")) form.submit();
})();
