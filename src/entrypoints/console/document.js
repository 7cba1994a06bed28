// A document with what is wrong with it: each violation marked at its place, and said in the line below.

import { h } from "./dom.js";
import { count, cut } from "./format.js";
import { locate, parse } from "./json.js";

const MOST_LINES = 800;
const AROUND = 4; // lines that are shown around a mark where not all are
const MOST_TEXT = 240; // characters of one value
const MOST_RAW = 20_000;

/** The document's text as an element, indented, with `violations` ({pointer, code, message}) at their places. */
export function documentOf(text, violations = []) {
  const root = parse(text);
  const wrong = new Map();
  if (root === null) return h("pre", { class: "document", tabindex: "0", role: "group", "aria-label": "Document" }, raw(text, violations));
  for (const violation of violations) {
    const { node, missing } = locate(root, violation.pointer);
    if (!wrong.has(node)) wrong.set(node, { own: [], missing: new Map() });
    const place = wrong.get(node);
    if (missing === null) place.own.push(violation);
    else place.missing.set(missing, [...(place.missing.get(missing) ?? []), violation]);
  }
  const lines = [];
  write(root, 0, null, "", wrong, lines);
  return h("pre", { class: "document", tabindex: "0", role: "group", "aria-label": "Document" }, shown(lines));
}

/** The violations as a list, for those who do not see the places. */
export function complaints(violations) {
  return h("ul", { class: "complaints" }, violations.map((each) => h("li", null,
    h("code", null, cut(each.pointer || "the whole event", 200)), " ", cut(each.message, 400), " ",
    h("span", { class: "muted" }, each.code))));
}

function write(node, depth, key, comma, wrong, lines) {
  const place = wrong.get(node);
  const own = place?.own ?? [];
  const head = key === null ? [] : [h("span", { class: "key" }, cut(key, MOST_TEXT)), ": "];
  if (!node.members) {
    const value = h(own.length ? "mark" : "span", { class: node.kind }, cut(node.text, MOST_TEXT));
    const size = node.text.length > MOST_TEXT ? h("span", { class: "muted" }, ` (${count(node.text.length, "character")})`) : null;
    lines.push({ depth, parts: [...head, value, size, comma], notes: own });
    return;
  }
  const [open, close] = node.kind === "object" ? ["{", "}"] : ["[", "]"];
  const bracket = (sign) => (own.length ? h("mark", null, sign) : sign);
  const absent = [...(place?.missing ?? [])];
  if (!node.members.length && !absent.length) {
    lines.push({ depth, parts: [...head, bracket(open + close), comma], notes: own });
    return;
  }
  lines.push({ depth, parts: [...head, bracket(open)], notes: own });
  node.members.forEach(([, child, written], at) => {
    const last = at === node.members.length - 1;
    write(child, depth + 1, written ?? null, last ? "" : ",", wrong, lines);
  });
  for (const [name, notes] of absent) {
    const words = `${cut(JSON.stringify(name), MOST_TEXT)}: …`;
    lines.push({ depth: depth + 1, parts: [h("mark", { class: "absent" }, words)], notes });
  }
  lines.push({ depth, parts: [bracket(close), comma], notes: [] });
}

function shown(lines) {
  const marked = lines.flatMap((line, at) => (line.notes.length ? [at] : []));
  const near = new Set(marked.slice(0, 100).flatMap((at) => Array.from({ length: 2 * AROUND + 1 }, (_, step) => at + step - AROUND)));
  const found = [];
  let hidden = 0;
  lines.forEach((line, at) => {
    if (at >= MOST_LINES && !near.has(at)) {
      hidden += 1;
      return;
    }
    if (hidden) found.push(gap(hidden));
    hidden = 0;
    found.push(row(line));
  });
  if (hidden) found.push(gap(hidden));
  return found;
}

function row({ depth, parts, notes }) {
  const indent = "  ".repeat(Math.min(depth, 40));
  const first = h("span", { class: notes.length ? "line wrong" : "line" }, indent, parts, "\n");
  return [first, notes.map((note) => h("span", { class: "note" }, `${indent}↑ ${cut(note.message, 400)} (${note.code})\n`))];
}

function gap(many) {
  return h("span", { class: "line muted" }, `… ${count(many, "line")} not shown\n`);
}

/** A text that is no JSON: as it is, and where a violation tells line and column, marked there. */
function raw(text, violations) {
  const places = violations.map((each) => /(?:line (\d+), )?column (\d+)\.?$/.exec(each.message)).filter(Boolean);
  const lines = text.slice(0, MOST_RAW).split("\n").slice(0, MOST_LINES);
  const parts = lines.map((line, at) => {
    const found = places.find((each) => Number(each[1] ?? 1) === at + 1);
    if (!found) return h("span", { class: "line" }, `${line}\n`);
    const signs = [...line];
    const column = Math.min(Number(found[2]) - 1, signs.length);
    return h("span", { class: "line wrong" }, signs.slice(0, column).join(""),
      h("mark", null, signs[column] ?? "␄"), `${signs.slice(column + 1).join("")}\n`);
  });
  const notes = violations.map((each) => h("span", { class: "note" }, `↑ ${cut(each.message, 400)} (${each.code})\n`));
  return [parts, text.length > MOST_RAW ? h("span", { class: "line muted" }, "… more is not shown\n") : null, notes];
}
