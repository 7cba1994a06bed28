// Views: a measure over time, by group, with the rows beside it.

import { page, path } from "./api.js";
import { chart } from "./charts.js";
import { button, card, choice, empty, failure, fill, h, line, table } from "./dom.js";
import { count, cut, instant, span, value } from "./format.js";
import { gently, onPulse } from "./live.js";

const RANGES = [["1h", "Last hour"], ["24h", "Last day"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["", "All time"], ["custom", "From … until"]];
const MOST_ROWS = 5000; // read for a chart
const MOST_SERIES = 8;
const ROWS_SHOWN = 100; // of the table, and with each "more"
const EVERY = 10_000; // milliseconds after which rows are read again though no event was seen

export async function show(root, { catalog, args, title }) {
  const { views } = await catalog();
  if (!views.length) {
    fill(root, empty("The catalog declares no views."));
    return undefined;
  }
  const declared = views.find((each) => each.name === args[0]) ?? views[0];
  title(declared.name);
  const asked = { range: "7d", since: "", until: "", by: null, measure: Object.keys(declared.measures)[0] };
  const drawn = chart(`${declared.name} over time`, { height: 280, words: (each) => value(each, 20), pad: declared.every });
  const tools = h("div", { class: "tools" });
  const rows = h("div");
  const words = h("p", { class: "muted", role: "status" });
  let turn = 0;
  let limit = ROWS_SHOWN;

  function drawTools() {
    const groups = [["", declared.by.length ? `By ${declared.by.join(", ")}` : "No groups"]];
    if (declared.by.length) groups.push(["none", "All together"]);
    if (declared.by.length > 1) groups.push(...declared.by.map((name) => [name, `By ${name} only`]));
    fill(tools,
      choice("View", views.map((each) => [each.name, each.name]), declared.name, (name) => { location.hash = `#/views/${encodeURIComponent(name)}`; }),
      choice("Measure", Object.entries(declared.measures).map(([name, kind]) => [name, `${name}: ${cut(kind, 40)}`]), asked.measure, (name) => set({ measure: name })),
      choice("Groups", groups, asked.by ?? "", (by) => set({ by: by || null })),
      choice("Range", RANGES, asked.range, (range) => { set({ range }); drawTools(); }),
      asked.range !== "custom" ? null : [
        line("From (UTC)", asked.since, (since) => set({ since }), { placeholder: "2026-11-23T00:00:00Z" }),
        line("Until (UTC)", asked.until, (until) => set({ until }), { placeholder: "now" })]);
  }

  function set(changes) {
    Object.assign(asked, changes);
    limit = ROWS_SHOWN;
    read();
  }

  async function read() {
    const mine = ++turn;
    try {
      const found = await readRows(declared.name, asked);
      if (mine === turn) draw(found);
    } catch (error) {
      if (mine === turn) fill(words, failure(error));
    }
  }

  function draw(found) {
    const { series, times, values, omitted, numeric } = columns(found.rows, asked.measure);
    drawn.set(series, times, values);
    drawn.root.hidden = !numeric || !found.rows.length;
    fill(words,
      !found.rows.length ? "No rows in this range. " : `${count(found.rows.length, "row")}${found.more ? ", and more that are not read: choose a shorter range" : ""}. `,
      !found.rows.length && asked.range !== "" ? button("Show all time", () => { set({ range: "" }); drawTools(); }, { class: "quiet" }) : null,
      omitted ? `The chart has the ${MOST_SERIES} largest of ${MOST_SERIES + omitted} groups. ` : null,
      found.rows.length && !numeric ? "This measure is no number, so there is no chart of it." : null);
    const shown = found.rows.slice(-limit).reverse();
    const groups = Object.keys(found.rows[0]?.group ?? {});
    const measures = Object.keys(declared.measures);
    if (!found.rows.length) {
      fill(rows);
      return;
    }
    fill(rows, table(`Rows of ${declared.name}, the latest first`,
      [["Window (UTC)"], ...groups.map((name) => [name]), ...measures.map((name) => [name, name === asked.measure ? "number chosen" : "number"])],
      shown.map((row) => [instant(row.window), ...groups.map((name) => value(row.group[name], 60)), ...measures.map((name) => value(row[name], 40))])),
      shown.length < found.rows.length ? h("div", { class: "foot" }, button("More", () => { limit += ROWS_SHOWN; draw(found); }, { class: "more" })) : null);
  }

  drawTools();
  fill(root, card(declared.name, h("span", { class: "muted" }, `over ${declared.over}, windows of ${span(declared.every)}`), tools, words,
    h("div", { class: "beside" }, drawn.root, rows)));
  await read();
  const refresh = gently(() => (turn < 0 ? undefined : read()));
  const stop = onPulse((_, pulse) => { if (!pulse || pulse.types[declared.over]) refresh(); });
  const timer = setInterval(refresh, EVERY);
  return () => { turn = -Infinity; stop(); clearInterval(timer); drawn.destroy(); };
}

async function readRows(view, { range, since, until, by }) {
  const query = { limit: 1000, by, since: range === "custom" ? since.trim() : range, until: range === "custom" ? until.trim() : "" };
  const rows = [];
  let next = path(`/views/${encodeURIComponent(view)}`, query);
  while (next && rows.length < MOST_ROWS) {
    const found = await page(next);
    rows.push(...found.rows);
    next = found.next;
  }
  return { rows, more: next !== null };
}

/** The rows of a measure as a chart has them: a series for each of the largest groups. */
function columns(rows, measure) {
  const times = [...new Set(rows.map((row) => Date.parse(row.window) / 1000))].sort((a, b) => a - b);
  const places = new Map(times.map((time, at) => [time, at]));
  const groups = new Map();
  let numeric = false;
  for (const row of rows) {
    const name = Object.values(row.group).map((each) => value(each, 40)).join(" · ") || measure;
    if (!groups.has(name)) groups.set(name, { name, size: 0, values: Array(times.length).fill(null) });
    const group = groups.get(name);
    const amount = numberOf(row[measure]);
    numeric ||= amount !== null;
    group.size += Math.abs(amount ?? 0);
    group.values[places.get(Date.parse(row.window) / 1000)] = amount;
  }
  const ranked = [...groups.values()].sort((a, b) => b.size - a.size);
  const kept = ranked.slice(0, MOST_SERIES).sort((a, b) => (a.name < b.name ? -1 : 1));
  return { series: kept.map(({ name }, at) => ({ label: name, at })), times, values: kept.map((each) => each.values),
    omitted: ranked.length - kept.length, numeric };
}

function numberOf(found) {
  // Decimals are strings, and very large whole numbers are kept as they are written.
  const text = typeof found === "string" ? found : JSON.stringify(found);
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : null;
}
