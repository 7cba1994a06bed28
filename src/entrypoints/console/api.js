// Calls to the server: with the key if there is one, following links from page to page.

import { button, fill, h } from "./dom.js";
import { exactly } from "./json.js";

const KEY = "millrace.key";

/** What the server answered instead of what was asked. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? (status ? `The server answered with status ${status}.` : "The server cannot be reached."));
    this.status = status;
    this.rejected = body?.rejected ?? [];
  }
}

/** The headers that say who asks. */
export function credentials() {
  const key = sessionStorage.getItem(KEY);
  return key ? { "x-api-key": key } : {};
}

/** The answer to a request as a Response; where a key is wanted, one is asked for. Throws a Problem. */
export async function ask(path, options = {}) {
  for (;;) {
    let response;
    const sent = credentials();
    try {
      response = await fetch(path, { ...options, headers: { ...options.headers, ...sent } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0);
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await response.body?.cancel();
      await askForKey(sent["x-api-key"]);
      continue;
    }
    throw new Problem(response.status, await response.json().catch(() => null));
  }
}

/** The JSON at a path. */
export async function get(path) {
  return exactly(await (await ask(path)).text());
}

/** A page: its rows, and the path of the next one or null. */
export async function page(path) {
  const response = await ask(path);
  const link = /<(\?[^>]*)>; rel="next"/.exec(response.headers.get("link") ?? "");
  return { rows: exactly(await response.text()), next: link ? path.split("?")[0] + link[1] : null };
}

/** The JSON that is answered to JSON. `text` is sent as it is. */
export async function post(path, text) {
  return (await ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: text })).json();
}

/** A path with a query of what is not empty. */
export function path(start, query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(given).toString();
  return text ? `${start}?${text}` : start;
}

let asking = null;

function askForKey(refused) {
  if (sessionStorage.getItem(KEY) && sessionStorage.getItem(KEY) !== refused) return Promise.resolve();
  asking ??= new Promise((resolve) => {
    const input = h("input", { type: "password", id: "key", name: "key", autocomplete: "off", required: true });
    const form = h("form", { onsubmit: (event) => { event.preventDefault(); sessionStorage.setItem(KEY, input.value.trim()); done(); } },
      h("h2", null, "An API key, please"),
      h("p", { class: "muted" }, "This server answers only to those who have one. It is kept until this tab is closed, and nowhere else."),
      refused ? h("p", { class: "failure", role: "alert" }, "The server does not know this key.") : null,
      h("label", { class: "field", for: "key" }, h("span", null, "API key"), input),
      h("div", { class: "actions" }, button("Go on", null, { type: "submit", class: "primary" })));
    const dialog = h("dialog", { "aria-label": "API key", oncancel: (event) => event.preventDefault() }, form);
    document.body.append(dialog);
    dialog.showModal();
    function done() {
      asking = null;
      dialog.close();
      dialog.remove();
      fill(dialog);
      resolve();
    }
  });
  return asking;
}
