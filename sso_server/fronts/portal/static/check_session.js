// Answers a site's question whether the state of sign-in has changed (OpenID Connect Session Management 1.0 section 3.2):
// "unchanged", "changed", or "error", after which a site asks nobody anything.
"use strict";
(() => {
  const name = `${document.currentScript.dataset.cookie}=`;

  const digest = async (text) => {
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const answer = async (said, origin) => {
    const asked = /^(\S+) ([0-9a-f]{64})\.(\S+)$/.exec(said);
    if (!asked) return "error";
    // Whoever frames us must be who asks. Firefox doesn't say who frames us; the origin in the digest stands there alone.
    const parent = location.ancestorOrigins?.[0] ?? origin;
    if (parent !== origin) return "error";
    const cookie = document.cookie.split("; ").find((one) => one.startsWith(name));
    if (cookie === undefined) {
      // Deleted, or hidden from frames? A browser that hides it would have every site believe that nobody is signed in.
      const visible = document.hasStorageAccess ? await document.hasStorageAccess() : false;
      return visible ? "changed" : "error";
    }
    const [, clientId, before, salt] = asked;
    const now = await digest(`${clientId} ${origin} ${cookie.slice(name.length)} ${salt}`);
    return now === before ? "unchanged" : "changed";
  };

  addEventListener("message", async (event) => {
    // Extensions post objects, and an origin without a name can't be answered.
    if (typeof event.data !== "string" || !event.source || event.origin === "null") return;
    event.source.postMessage(await answer(event.data, event.origin), event.origin);
  });
})();
