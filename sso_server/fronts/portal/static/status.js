// Fills in the sign-out report while sites are still being told. The page is whole without it: it then reloads itself.
"use strict";
(() => {
  const list = document.querySelector("[data-status]");
  if (!list) return;
  const summary = document.getElementById("summary");
  const again = document.getElementById("again");
  let rounds = 0;

  const say = (element, text) => {
    // Only what changed is written, so that a screen reader isn't told the same thing every second.
    if (element && element.textContent !== text) element.textContent = text;
  };

  const show = (report) => {
    say(summary, report.summary);
    // A button that somebody is about to press doesn't vanish under the finger.
    if (again && !again.contains(document.activeElement)) again.hidden = !report.can_retry;
    for (const line of report.lines) {
      const item = list.querySelector(`[data-client="${CSS.escape(line.client_id)}"]`);
      if (!item) {
        // A device that has only now been signed out had opened a site that this page doesn't list yet.
        location.reload();
        return;
      }
      item.dataset.standing = line.standing;
      say(item.querySelector(".words"), line.words);
      const detail = item.querySelector(".detail");
      say(detail, line.detail);
      detail.hidden = !line.detail;
    }
  };

  const ask = async () => {
    rounds += 1;
    let report = {};
    try {
      const answer = await fetch(list.dataset.status, { headers: { Accept: "application/json" } });
      if (answer.status === 404) return;
      if (answer.ok) {
        report = await answer.json();
        show(report);
      }
    } catch {
      // The centre is away for a moment: the next round asks again.
    }
    // Seconds that are counted down are counted to the end; a site without a bound may take days, and so may one that
    // lets nobody in and has yet to hear why.
    if (report.waiting || !report.finished) setTimeout(ask, report.counting || rounds < 120 ? 1000 : 10000);
  };

  setTimeout(ask, 500);
})();
