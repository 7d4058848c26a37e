// An open page notices that its person is signed out, or that another one is signed in: it dispatches a cancelable
// event `sso:signed-out` at the document and, unless that is cancelled, loads itself again. While the page is visible
// a stream brings the news; whenever it becomes visible it asks.
(function () {
  "use strict";
  var tag = document.currentScript;
  var sub = tag.getAttribute("data-sub");
  if (!sub) return; // a page of nobody's

  var stream = null;
  var done = false;
  var asking = false;
  var MARK = "sso:reloaded " + location.pathname;

  function act(now) {
    done = true;
    close();
    var event = new CustomEvent("sso:signed-out", { cancelable: true, detail: { sub: now } });
    if (!document.dispatchEvent(event)) return;
    var last = 0;
    try {
      last = Number(sessionStorage.getItem(MARK));
      sessionStorage.setItem(MARK, String(Date.now()));
    } catch (error) {} // storage is switched off
    // A page out of some cache would load itself for ever.
    if (Date.now() - last < 5000) return;
    // By GET: a form that was sent isn't sent again. Without the fragment, or nothing would be loaded.
    location.replace(location.href.split("#")[0]);
  }

  function ask(again) {
    if (done || asking) return;
    asking = true;
    fetch(new URL("me", tag.src), {
      cache: "no-store", credentials: "same-origin", redirect: "error", headers: { Accept: "application/json" }
    }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status)); // nobody can tell now
      return answer.json();
    }).then(function (me) {
      asking = false;
      if (me.signed_in && me.sub === sub) open(); // maybe signed in once more: another session, the same page
      else if (me.signed_in || again) act(me.signed_in ? me.sub : null);
      // This may have gone out with the cookie of a session whose place a newer one just took: the next has that one's.
      else setTimeout(function () { ask(true); }, 500);
    }).catch(function () {
      asking = false;
      setTimeout(function () { if (!document.hidden) ask(); }, 5000);
    });
  }

  function open() {
    if (done || stream || document.hidden || !window.EventSource) return;
    stream = new EventSource(new URL("events", tag.src));
    stream.addEventListener("over", function () { close(); ask(); });
    stream.onerror = function () {
      // Between two streams it connects again by itself. What it gave up (a 5xx, a guard in the way) is asked for.
      if (stream && stream.readyState === EventSource.CLOSED) { close(); setTimeout(ask, 5000); }
    };
  }

  function close() {
    if (stream) stream.close();
    stream = null;
  }

  document.addEventListener("visibilitychange", function () {
    if (document.hidden) close(); else ask();
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", function (event) { if (event.persisted) ask(); });
  ask();
})();
