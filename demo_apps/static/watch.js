// Asks this site's own /sso/me once a second; asking keeps nothing alive. When the answer changes, so does the page.
"use strict";
(() => {
  const main = document.querySelector("main");
  const mark = "just-ended";
  const ended = document.querySelector("[data-just-ended]");
  if (ended && sessionStorage.getItem(mark)) {
    ended.hidden = false;
  }
  sessionStorage.removeItem(mark);
  let leaving = false;
  // Signing out ends the session before the next page is there: going elsewhere now would lose that page.
  addEventListener("submit", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  const look = async () => {
    try {
      const answer = await fetch(main.dataset.watch, { cache: "no-store", headers: { Accept: "application/json" } });
      if (answer.status === 503 && !leaving) {
        // Nobody can confirm who is signed in: what this page shows may not be true any more.
        location.reload();
        return;
      }
      if (answer.ok) {
        const sub = (await answer.json()).sub || "";
        if (sub !== main.dataset.sub && !leaving) {
          if (!sub) sessionStorage.setItem(mark, "1");
          // The start page: the account page would lead straight to the sign-in page.
          location.replace("/");
          return;
        }
      }
    } catch {
      // The site is being restarted: ask again.
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
})();
