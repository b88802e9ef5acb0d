// Keeps the page fresh in place: what is open stays open, and nothing jumps, as it would with a reload.
"use strict";

const PATIENCE = 15_000; // milliseconds
let latest = 0; // an answer that was overtaken by a later question is dropped
let waiting = 0; // questions without an answer

function here() {
  return document.querySelector("main").dataset.here ?? location.search;
}

async function show(url) {
  const mine = ++latest;
  waiting++;
  const stale = document.getElementById("stale");
  try {
    const answer = await fetch(url || location.pathname, { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== latest) return;
    swap(page);
    stale.hidden = true;
  } catch {
    if (mine !== latest || !stale.hidden) return;
    stale.textContent = `The exporter does not answer since ${new Date().toLocaleTimeString()}; this is its last page.`;
    stale.hidden = false;
  } finally {
    waiting--;
  }
}

function swap(page) {
  const [before, after] = [document.querySelector("main"), page.querySelector("main")];
  const keyed = (main) => [...main.querySelectorAll("details[data-key]")];
  const open = new Set(keyed(before).filter((one) => one.open).map((one) => one.dataset.key));
  for (const one of keyed(after)) one.open = open.has(one.dataset.key);
  const focused = document.activeElement.closest("main details[data-key]")?.dataset.key;
  const link = document.activeElement.closest("main a")?.getAttribute("href");
  before.replaceWith(document.adoptNode(after));
  document.title = page.title;
  const again =
    keyed(after).find((one) => one.dataset.key === focused)?.querySelector("summary") ??
    [...after.querySelectorAll("a")].find((one) => one.getAttribute("href") === link);
  again?.focus({ preventScroll: true });
}

function refresh() {
  // Nobody looks, somebody is about to copy a figure, or has just asked for something else.
  if (!waiting && !document.hidden && getSelection().isCollapsed) show(here());
}

function soon() {
  const again = () => (refresh(), soon());
  setTimeout(again, document.querySelector("main").dataset.every * 1000); // nothing is new between two ticks
}

soon();
document.addEventListener("visibilitychange", refresh);
addEventListener("popstate", () => show(location.search));
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="?"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  show(link.getAttribute("href"));
});
