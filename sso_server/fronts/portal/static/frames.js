// Goes on when every frame of the page is loaded, or after two seconds; without script the page does so by itself.
"use strict";
(() => {
  const next = document.querySelector("a[data-next]");
  if (!next) return;
  let gone = false;
  const go = () => {
    if (!gone) location.replace(next.href);
    gone = true;
  };
  addEventListener("load", go);
  setTimeout(go, 2000);
})();
