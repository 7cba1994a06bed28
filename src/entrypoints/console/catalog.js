// The catalog: types with their schemas, views and sources, and a form to try an event before it is sent.

import { Problem, get, path, post } from "./api.js";
import { badge, button, card, choice, empty, failure, fill, h, say, table } from "./dom.js";
import { complaints, documentOf } from "./document.js";
import { count, cut, span } from "./format.js";
import { parse } from "./json.js";

const SHOWN = 20; // events of which the verdict is shown

export async function show(root, { catalog, args }) {
  const { types, views, sources } = await catalog();
  const schema = h("div");
  const chosen = types.find((each) => each.name === args[0]) ?? types[0];
  fill(root,
    card("Types", h("span", { class: "muted" }, count(types.length, "type")), types.length ? table("Types", [["Type"], ["Version", "number"], ["Oldest", "number"], ["Identity"], ["Unknown fields"], ["Rules"], ["Fields", "wide"]],
      types.map((each) => [h("a", { href: `#/catalog/${encodeURIComponent(each.name)}`, "aria-current": each === chosen ? "true" : null }, each.name), each.version, each.oldest,
        each.identity, each.unknown, each.rules.join(", ") || "–", each.fields.join(", ")])) : empty("The catalog declares no types.")),
    h("div", { class: "pair" }, chosen ? tryForm(types, chosen) : null,
      chosen ? card(`Schema of ${chosen.name}`, versions(chosen, (version) => read(version)), schema) : null),
    card("Views", h("span", { class: "muted" }, count(views.length, "view")), views.length ? table("Views", [["View"], ["Over"], ["Window", "number"], ["By"], ["Measures", "wide"]],
      views.map((each) => [h("a", { href: `#/views/${encodeURIComponent(each.name)}` }, each.name), each.over, span(each.every), each.by.join(", ") || "–",
        Object.entries(each.measures).map(([name, kind]) => `${name}: ${kind}`).join(", ")])) : empty("The catalog declares no views.")),
    card("Sources", h("span", { class: "muted" }, "documents of another kind"), sources.length ? table("Sources", [["Source"], ["Records"], ["Type"], ["Id"], ["Time"]],
      sources.map((each) => [each.name, each.records || "the document", each.type, each.id ?? "–", each.time ?? "–"])) : empty("The catalog declares no sources.")));

  async function read(version) {
    fill(schema, await get(path(`/catalog/${encodeURIComponent(chosen.name)}`, { version })).then((found) => documentOf(JSON.stringify(found)), failure));
  }
  if (chosen) await read("");
}

/** A choice among the versions of a type, where it has several. */
function versions({ oldest, version }, changed) {
  const known = Array.from({ length: Math.min(version - oldest + 1, 100) }, (_, back) => String(version - back));
  return known.length > 1 ? choice("Version", known.map((each) => [each, `Version ${each}`]), known[0], changed) : null;
}

function tryForm(types, chosen) {
  const text = h("textarea", { id: "event", rows: "14", spellcheck: "false", autocomplete: "off" });
  const verdicts = h("div", { "aria-live": "polite" });
  let type = chosen.name;

  async function example() {
    const before = text.value;
    try {
      const found = await get(`/console/examples/${encodeURIComponent(type)}`);
      if (text.value !== before) return; // what was written meanwhile stays
      text.value = JSON.stringify(found, null, 2);
      fill(verdicts);
    } catch (error) {
      fill(verdicts, failure(error));
    }
  }

  async function attempt(event) {
    event.preventDefault();
    try {
      drawVerdicts(verdicts, await post("/validate", text.value), text.value);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      fill(verdicts, failure(error), error.rejected.slice(0, SHOWN).map((each) => documentOf(text.value, each.violations)));
    }
  }

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) attempt(event);
  });
  example();
  return card("Try an event", h("span", { class: "muted" }, "nothing is stored"), h("form", { onsubmit: attempt },
    h("div", { class: "tools" }, choice("Type", types.map((each) => [each.name, each.name]), type, (wanted) => { type = wanted; example(); }),
      button("Fill in an example", example, { class: "quiet" })),
    h("label", { class: "field", for: "event" }, h("span", null, "Event, or an array of events"), text),
    h("div", { class: "actions" }, button("Try it", null, { type: "submit", class: "primary" }))), verdicts);
}

function drawVerdicts(verdicts, found, text) {
  const wrong = found.filter((each) => !each.valid);
  const words = found.length === 1 ? (wrong.length ? "The event would be a dead letter." : "The event is valid.")
    : wrong.length ? `${wrong.length} of ${count(found.length, "event")} would be dead letters.` : `All ${count(found.length, "event")} are valid.`;
  const documents = elements(text, found.length);
  fill(verdicts, h("p", { class: "verdict" }, badge(wrong.length ? "not valid" : "valid", wrong.length ? "bad" : "good"), " ", words),
    wrong.slice(0, SHOWN).map((each) => [found.length > 1 ? h("h3", null, `Event ${cut(each.index)}`) : null,
      complaints(each.violations), documentOf(documents[each.index] ?? text, each.violations)]),
    wrong.length > SHOWN ? h("p", { class: "muted" }, `and ${count(wrong.length - SHOWN, "event")} more.`) : null);
  say(words);
}

/** The events of what was sent, as texts: an array's elements, lines, or the one document. */
function elements(text, many) {
  const root = parse(text);
  if (root?.kind === "array" && root.members.length === many) return root.members.map(([, node]) => text.slice(node.from, node.to));
  const lines = text.split("\n").filter((each) => each.trim());
  return root === null && lines.length === many ? lines : [text];
}
