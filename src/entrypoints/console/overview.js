// Overview: what comes in, second by second, what becomes of it, how long it takes, and what waits.

import { chart } from "./charts.js";
import { card, empty, fill, h, stream, table } from "./dom.js";
import { bytes, count, cut, duration, id, moment, number, value } from "./format.js";
import { live, onPulse, PULSES_A_SECOND, sample } from "./live.js";

const OUTCOMES = [["curated", "Curated"], ["duplicate", "Duplicate"], ["filtered", "Filtered"], ["dead_lettered", "Dead-lettered"]];
const PERCENTILES = [["p50", 0], ["p95", 2], ["p99", 3]];
const TYPES_SHOWN = 7;
const RATE_SECONDS = 10;
const LATEST = 8;
const LINKS = [["#/views", "views"], ["#/events", "events"], ["#/letters", "dead letters"], ["#/receipts", "receipts"]];

export function show(root) {
  const stats = statCards();
  const rates = chart("Curated events per second by type", { live: true });
  const latencies = chart("Milliseconds from request to curated event", { live: true, words: duration, height: 180 });
  const outcomes = outcomeShares();
  const latest = stream("Latest events", [["Time (UTC)"], ["Type"], ["Event"], ["Source"], ["Receipt"]], LATEST);
  const none = empty("No event came in since this page was opened.");
  latest.hidden = true;
  fill(root, stats.root,
    card("Events per second", h("span", { class: "muted" }, "curated, by type, last five minutes"), rates.root),
    h("div", { class: "pair" },
      card("From request to curated", h("span", { class: "muted" }, "milliseconds"), latencies.root),
      card("Outcomes", h("span", { class: "muted" }, "last five minutes"), outcomes.root)),
    card("Latest events", h("a", { href: "#/events" }, "All events"), none, latest));

  function draw(_, pulse) {
    if (!live.counted) {
      if (stats.root.isConnected) fill(root, elsewhere());
      return;
    }
    const pulses = live.pulses;
    const times = pulses.map((each) => Date.parse(each.at) / 1000);
    drawRates(rates, pulses, times);
    latencies.set(PERCENTILES.map(([label, at]) => ({ label, at })), times,
      PERCENTILES.map(([name]) => pulses.map((each) => each.latency?.[name] ?? null)));
    const totals = Object.fromEntries(OUTCOMES.map(([name]) => [name, sum(pulses, (each) => each.outcomes[name] ?? 0)]));
    stats.set(pulses, totals);
    outcomes.set(totals);
    const events = (pulse?.events ?? []).slice(-LATEST).reverse();
    latest.push(events.map(cells));
    if (events.length) [latest.hidden, none.hidden] = [false, true];
  }

  sample({});
  draw(null, null);
  const stop = onPulse(draw);
  return () => { stop(); rates.destroy(); latencies.destroy(); };
}

/** What there is to say where the functions of a stack process what comes in. */
function elsewhere() {
  return card("Processed elsewhere", null,
    h("p", null, "The functions of a stack process what comes in. How much, and how fast, stands on its dashboard in CloudWatch; ",
      h("code", null, "millrace ops health"), " tells it, too."),
    h("p", null, "What they made of it is here: ", LINKS.map(([href, words], at) => [at ? ", " : "", h("a", { href }, words)]), "."));
}

function drawRates(rates, pulses, times) {
  const totals = new Map();
  for (const pulse of pulses) {
    for (const [type, many] of Object.entries(pulse.types)) totals.set(type, (totals.get(type) ?? 0) + many);
  }
  const ranked = [...totals.keys()].sort((a, b) => totals.get(b) - totals.get(a));
  const names = ranked.slice(0, TYPES_SHOWN).sort();
  const rest = ranked.slice(TYPES_SHOWN);
  const series = names.map((label, at) => ({ label: cut(label, 40), at }));
  const values = names.map((name) => pulses.map((each) => PULSES_A_SECOND * (each.types[name] ?? 0)));
  if (rest.length) {
    series.push({ label: count(rest.length, "other type"), at: TYPES_SHOWN });
    values.push(pulses.map((each) => PULSES_A_SECOND * sum(rest, (name) => each.types[name] ?? 0)));
  }
  if (!series.length) {
    series.push({ label: "events", at: 0 });
    values.push(pulses.map(() => 0));
  }
  rates.set(series, times, values);
}

/** The numbers on top. They are made once, and change in place. */
function statCards() {
  const stat = (words, href) => {
    const [shown, more] = [h(href ? "a" : "span", { href }), h("small")];
    return { root: h("div", null, h("dt", null, words), h("dd", null, shown, more)), set: (one, two) => { shown.textContent = one; more.textContent = two; } };
  };
  const stats = [stat("Events a second"), stat("Curated"), stat("Dead-lettered", "#/letters"), stat("Request to curated"), stat("Waiting")];
  const [rate, curated, dead, slowness, waits] = stats;
  return {
    root: h("dl", { class: "stats" }, stats.map((each) => each.root)),
    set(pulses, totals) {
      const recent = pulses.slice(-RATE_SECONDS * PULSES_A_SECOND);
      const many = recent.length ? PULSES_A_SECOND * sum(recent, (each) => sum(Object.values(each.types), Number)) / recent.length : 0;
      const slowest = pulses.slice(-60 * PULSES_A_SECOND).map((each) => each.latency?.p95).filter(Number.isFinite);
      const waiting = pulses.at(-1)?.waiting;
      rate.set(number(Math.round(many * 10) / 10), `mean of ${RATE_SECONDS} s`);
      curated.set(number(totals.curated), "last 5 min");
      dead.set(number(totals.dead_lettered), "last 5 min");
      slowness.set(duration(slowest.length ? Math.max(...slowest) : null), "worst p95 of 1 min");
      waits.set(waiting ? count(waiting.receipts, "receipt") : "–", waiting ? bytes(waiting.bytes) : "");
    },
  };
}

/** A bar of shares, and the table of the same. */
function outcomeShares() {
  const bar = h("div", { class: "share", "aria-hidden": "true" });
  const rows = OUTCOMES.map(([name, words]) => ({ name, words, part: h("span", { "data-kind": name }), many: h("span"), share: h("span") }));
  bar.append(...rows.map((each) => each.part));
  return {
    root: h("div", null, bar, table("Outcomes of the last five minutes", [["Outcome"], ["Events", "number"], ["Share", "number"]],
      rows.map((each) => [h("span", { class: "kind", "data-kind": each.name }, each.words), each.many, each.share]))),
    set(totals) {
      const all = sum(Object.values(totals), Number);
      for (const { name, part, many, share } of rows) {
        part.hidden = !totals[name];
        part.style.flexGrow = totals[name];
        many.textContent = number(totals[name]);
        share.textContent = all ? `${number(Math.round((totals[name] / all) * 1000) / 10)} %` : "–";
      }
    },
  };
}

function cells(event) {
  return [moment(event.eventTime), value(event.eventType, 40), value(event.eventId, 40), value(event.source, 40),
    h("a", { href: `#/receipts/${encodeURIComponent(event.receipt)}` }, id(event.receipt))];
}

function sum(list, of) {
  return list.reduce((total, each) => total + of(each), 0);
}
