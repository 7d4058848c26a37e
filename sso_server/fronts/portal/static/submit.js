// Sends the page's one form by itself; without script its button does. As it is sent while the page still loads, browsers
// don't keep the page: going back from the site leads to where the person was before.
"use strict";
(() => {
  const form = document.querySelector("form[data-submit]");
  if (form) form.submit();
})();
