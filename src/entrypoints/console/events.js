// Events: the curated stream as it comes, and what is stored, by type and by the value of a field.

import { page, path } from "./api.js";
import { button, card, choice, empty, failure, fill, h, line, stream, table } from "./dom.js";
import { documentOf } from "./document.js";
import { count, id, moment, value } from "./format.js";
import { live, onPulse, sample } from "./live.js";

const MOST_LIVE = 100;
const ENVELOPE = ["eventId", "eventType", "eventTime", "source", "subject", "schemaVersion", "curatedAt", "receipt"];
const COLUMNS = [["Time (UTC)"], ["Type"], ["Event"], ["Fields", "wide"], ["Receipt"]];
const RANGES = [["1h", "Last hour"], ["24h", "Last day"], ["7d", "Last 7 days"], ["", "All time"]];
const PAGE = 50;
const SEARCHED = 500; // a page, where not every event of it fits
const MATCHES = 50; // rows after which a click on "more" has done enough
const LOOKED_AT = 2000; // stored events that one click looks through

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
    sample(asked.field ? { type: asked.type, where: `${asked.field}=${asked.value}` } : { type: asked.type });
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
    line("Value", "", (wanted) => set({ value: wanted }), { placeholder: "EUR" }));
  fill(root,
    card("Filter", null, tools),
    card("Live", pause, h("p", { class: "muted" }, "A sample of up to 20 events a second."), coming),
    card("Stored", null, stored));
  set({});
  return onPulse((_, pulse) => {
    if (!paused && pulse?.events?.length) add(pulse.events);
  });
}

/** Whether an event has the type and the value that are asked for. */
export function fits(row, { type, field, value: wanted }) {
  return (!type || row.eventType === type) && (!field || textOf(row[field]) === wanted.trim());
}

function textOf(found) {
  return found === undefined ? null : typeof found === "object" ? JSON.stringify(found) : String(found);
}

function storedEvents(asked, types) {
  if (!asked.type) {
    return asked.field || types.length ? empty("Choose a type to look through what is stored.") : empty("The catalog declares no types.");
  }
  const found = h("div");
  const tools = h("div", { class: "tools" });
  const words = h("p", { class: "muted", role: "status" });
  const foot = h("div", { class: "foot" });
  let range = "24h";

  function begin() {
    const shown = table(`Stored events of ${asked.type}, the earliest first`, COLUMNS, []);
    let next = path(`/events/${encodeURIComponent(asked.type)}`, { limit: asked.field ? SEARCHED : PAGE, since: range });
    let [seen, matched] = [0, 0];
    fill(found, shown);

    async function more() {
      const enough = matched + MATCHES;
      const most = seen + LOOKED_AT;
      fill(foot, h("span", { class: "muted" }, "Looking …"));
      try {
        while (next && matched < enough && seen < most) {
          const { rows, next: following } = await page(next);
          const fitting = rows.filter((row) => fits(row, asked));
          shown.add(fitting.map(cells));
          [next, seen, matched] = [following, seen + rows.length, matched + fitting.length];
        }
        fill(words, `${count(matched, "event")}${asked.field ? ` of ${count(seen, "event")} looked at` : ""}${next ? ", and there are more" : ""}.`);
        fill(foot, next ? button("More", more, { class: "more" }) : null);
      } catch (error) {
        fill(foot, failure(error), button("Try again", more, { class: "more" }));
      }
    }
    more();
  }

  fill(tools, choice("From", RANGES, range, (wanted) => { range = wanted; begin(); }));
  begin();
  return [tools, words, found, foot];
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
