// Events: the curated stream as it comes, and what is stored, by type and by the value of a field.

import { page, path } from "./api.js";
import { button, card, choice, empty, fill, h, line, pages, stream, table } from "./dom.js";
import { documentOf } from "./document.js";
import { count, id, moment, value } from "./format.js";
import { live, onPulse, sample } from "./live.js";

const MOST_LIVE = 100;
const ENVELOPE = ["eventId", "eventType", "eventTime", "source", "subject", "schemaVersion", "curatedAt", "receipt"];
const COLUMNS = [["Time (UTC)"], ["Type"], ["Event"], ["Fields", "wide"], ["Receipt"]];
const RANGES = [["1h", "Last hour"], ["24h", "Last day"], ["7d", "Last 7 days"], ["", "All time"]];
const PAGE = 50;

export async function show(root, { catalog, args }) {
  const { types } = await catalog();
  const asked = { type: types.some((each) => each.name === args[0]) ? args[0] : "", field: "", value: "" };
  const tools = h("div", { class: "tools" });
  const coming = h("div");
  const stored = h("div");
  const none = empty("Nothing came in yet that fits. What is curated from now on is shown here.");
  let shown = null;
  let paused = false;

  const pause = button("Pause", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
  }, { class: "quiet" });

  function set(changes) {
    Object.assign(asked, changes);
    shown = stream("Live events, the latest first", COLUMNS, MOST_LIVE);
    shown.classList.add("tall");
    sample({ type: asked.type, where: condition(asked) });
    fill(coming, none, shown);
    add(live.pulses.flatMap((pulse) => pulse.events ?? []));
    fill(stored, storedEvents(asked, types));
  }

  function add(events) {
    shown.push(events.filter((row) => fits(row, asked)).slice(-MOST_LIVE).reverse().map(cells));
    shown.hidden = !shown.body.rows.length;
    none.hidden = !shown.hidden;
  }

  fill(tools,
    choice("Type", [["", "All types"], ...types.map((each) => [each.name, each.name])], asked.type, (type) => set({ type })),
    line("Field", "", (field) => set({ field: field.trim() }), { placeholder: "currency" }),
    line("Value", "", (wanted) => set({ value: wanted.trim() }), { placeholder: "EUR" }));
  const following = card("Live", pause, h("p", { class: "muted" }, "A sample of up to 20 events a second."), coming);
  following.hidden = !live.counted;
  fill(root, card("Filter", null, tools), following, card("Stored", null, stored));
  set({});
  return onPulse((_, pulse) => {
    following.hidden = !live.counted;
    if (!paused && pulse?.events?.length) add(pulse.events);
  });
}

/** Whether an event has the type and the value that are asked for: a stream that was begun before may bring others. */
function fits(row, { type, field, value: wanted }) {
  return (!type || row.eventType === type) && (!field || textOf(row[field]) === wanted);
}

function textOf(found) {
  return found === undefined ? null : typeof found === "object" ? JSON.stringify(found) : String(found);
}

function storedEvents(asked, types) {
  if (!asked.type) return empty(types.length ? "Choose a type to look through what is stored." : "The catalog declares no types.");
  const found = h("div");
  const words = h("p", { class: "muted", role: "status" });
  let range = "24h";

  function begin() {
    const shown = table(`Stored events of ${asked.type}, the earliest first`, COLUMNS, []);
    shown.hidden = true;
    const list = pages(path(`/events/${encodeURIComponent(asked.type)}`, { limit: PAGE, since: range, where: condition(asked) }), page, (rows, last) => {
      shown.add(rows.map(cells));
      const many = shown.body.rows.length;
      shown.hidden = !many;
      fill(words, many ? `${count(many, "event")}${last ? "" : ", and there are more"}.` : "No event of this time fits.");
    });
    fill(found, shown, list.foot);
  }

  begin();
  return [h("div", { class: "tools" }, choice("From", RANGES, range, (wanted) => { range = wanted; begin(); })), words, found];
}

function condition({ field, value: wanted }) {
  return field ? `${field}=${wanted}` : "";
}

function cells(row) {
  return [moment(row.eventTime), value(row.eventType, 40), value(row.eventId, 20), fieldsOf(row),
    h("a", { href: `#/receipts/${encodeURIComponent(row.receipt)}` }, id(row.receipt))];
}

/** What an event says, in a line that opens into all of it. */
function fieldsOf(row) {
  const fields = Object.entries(row).filter(([name]) => !ENVELOPE.includes(name));
  const brief = fields.slice(0, 6).flatMap(([name, each]) => [h("span", { class: "pair-of" }, h("span", { class: "muted" }, `${name} `), value(each, 32)), " "]);
  const details = h("details", { ontoggle: () => { if (details.open && details.children.length === 1) details.append(documentOf(JSON.stringify(row))); } },
    h("summary", null, brief.length ? brief : "no fields"));
  return details;
}
