// Fetches the page itself once a second and swaps the picture only if it changed: the server draws, in one place.
"use strict";
(() => {
  const look = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("main");
        const shown = document.querySelector("main");
        if (fresh && fresh.innerHTML !== shown.innerHTML) shown.replaceWith(document.adoptNode(fresh));
        // By their state: the forms' tokens are others each time, and nobody wants a button swapped under the finger.
        const thrown = page.querySelector("#switches");
        const before = document.querySelector("#switches");
        if (thrown && thrown.dataset.state !== before.dataset.state) before.replaceWith(document.adoptNode(thrown));
      }
    } catch {
      // The centre is being restarted: ask again.
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
})();
