// Keys press what the page already has: its buttons and links. Answers replace the page's content without a reload, so
// that what goes wrong is said above a row that stays, with its note.
"use strict";

let waiting = false;

async function go(address, options) {
  if (waiting) return; // a key pressed before the next row is seen means nothing
  waiting = true;
  try {
    const response = await fetch(address, options);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (response.ok) turnTo(page, response.url);
    else complain((page.querySelector(".trouble") ?? page.body).textContent);
  } catch {
    complain("No answer: realign review has ended. Start it again, and open the address that it prints.");
  } finally {
    waiting = false;
  }
}

function turnTo(page, address) {
  const focused = document.activeElement?.id;
  document.getElementById("page").replaceWith(document.adoptNode(page.getElementById("page")));
  document.title = page.title;
  document.getElementById("said").textContent = page.title;
  history.replaceState(null, "", address);
  scrollTo(0, 0);
  showSpan();
  if (focused && focused !== "note") document.getElementById(focused)?.focus({ preventScroll: true });
}

function showSpan() {
  const span = document.querySelector("mark.span"), passage = span?.closest(".passage");
  if (passage) passage.scrollTop = span.offsetTop - passage.clientHeight / 3;
}

function complain(text) {
  document.getElementById("complaint").textContent = text;
  scrollTo(0, 0);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  if (form.method === "get") go(`/?${fields}`);
  else go(form.action, { method: "POST", body: fields });
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  if (event.target.closest("#help")) document.getElementById("keys").showModal();
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.href);
});

document.addEventListener("change", (event) => {
  if (event.target.form?.id === "filter") event.target.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("textarea, select, input")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const meant = [...document.querySelectorAll("[aria-keyshortcuts]")].find((each) =>
    each.getAttribute("aria-keyshortcuts").split(" ").includes(key));
  if (!meant || (event.repeat && meant.tagName === "BUTTON")) return;
  event.preventDefault();
  if (meant.tagName === "TEXTAREA") meant.focus();
  else meant.click();
});

showSpan();
if (location.search.includes("token=")) history.replaceState(null, "", "/");
