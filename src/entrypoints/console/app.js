// The frame: which page the address names, what stands in the navigation, and how the connection is.

import { get } from "./api.js";
import { failure, fill, h } from "./dom.js";
import * as live from "./live.js";

const PAGES = {
  overview: ["Overview", () => import("./overview.js")],
  views: ["Views", () => import("./views.js")],
  events: ["Events", () => import("./events.js")],
  letters: ["Dead letters", () => import("./letters.js")],
  receipts: ["Receipts", () => import("./receipts.js")],
  catalog: ["Catalog", () => import("./catalog.js")],
};
const STATES = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

const main = document.getElementById("page");
let leave = () => {};
let turn = 0;

/** The catalog's contents, asked for once. */
let contents = null;
function catalog() {
  contents ??= get("/catalog").catch((error) => { contents = null; throw error; });
  return contents;
}

async function show(first = false) {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(unescaped);
  const known = name in PAGES ? name : "overview";
  const mine = ++turn;
  leave();
  leave = () => {};
  const [title, load] = PAGES[known];
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.getAttribute("href") === `#/${known}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${title} · Millrace`;
  const root = h("div", { class: "page" });
  const heading = h("h1", { tabindex: "-1" }, title);
  fill(main, heading, root);
  if (!first) {
    window.scrollTo(0, 0);
    heading.focus();
  }
  try {
    const page = await load();
    if (mine !== turn) return;
    const left = await page.show(root, { catalog, args: rest, heading, title: (words) => { document.title = `${words} · Millrace`; } });
    if (mine !== turn) left?.();
    else leave = left ?? leave;
  } catch (error) {
    if (mine === turn) fill(root, failure(error));
  }
}

function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

live.onState((state) => {
  document.getElementById("state").dataset.state = state;
  document.getElementById("state-words").textContent = STATES[state];
});
window.addEventListener("hashchange", () => show());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which page is shown
  main.focus();
});
show(true);
catalog().then((found) => { document.getElementById("catalog-name").textContent = found.catalog; }, () => {});
live.start();
