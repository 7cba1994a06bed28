// Receipts: what was accepted last, and the way of every event of one: from its bytes to where it is kept.

import { get, page } from "./api.js";
import { badge, button, card, empty, fill, h, pages, table } from "./dom.js";
import { documentOf } from "./document.js";
import { bytes, count, cut, id, instant, moment, number } from "./format.js";
import { gently, onPulse } from "./live.js";

const FIRST = "/console/receipts?limit=50";
const COUNTS = [["events", "Events"], ["curated", "Curated"], ["duplicate", "Duplicate"], ["filtered", "Filtered"], ["dead_lettered", "Dead"]];
const STEPS = [["decode", "Decoded"], ["upcast", "Upcast"], ["validate", "Validated"], ["rules", "Rules hold"], ["transform", "Transformed"], ["insert", "Inserted"]];

export async function show(root, context) {
  return context.args[0] ? showReceipt(root, context, context.args[0]) : showReceipts(root);
}

async function showReceipts(root) {
  const box = h("div");
  let first = "";
  let went = false;

  function draw() {
    const found = table("Receipts, the latest first", [["Received (UTC)"], ["Receipt"], ...COUNTS.map(([, title]) => [title, "number"])], []);
    found.hidden = true;
    let any = false;
    const list = pages(FIRST, page, (rows) => {
      went = any;
      any ||= rows.length > 0;
      found.add(rows.map(cells));
      found.hidden = !any;
      if (!any) fill(box, empty("Nothing was accepted yet."));
    });
    fill(box, found, list.foot);
    return list.ready;
  }

  fill(root, card("Latest receipts", h("span", { class: "muted" }, "what became of their events"), box));
  await draw();
  const refresh = gently(async () => {
    const { rows } = went ? { rows: [] } : await page(FIRST).catch(() => ({ rows: [] }));
    // Only while nobody has gone on to older ones: their list would jump.
    if (rows.length && JSON.stringify(rows) !== first && !went) await draw();
    first = JSON.stringify(rows);
  });
  return onPulse((_, pulse) => {
    if (pulse && (pulse.waiting?.receipts || Object.values(pulse.outcomes).some(Boolean))) refresh();
  });
}

function cells(row) {
  return [moment(row.receivedAt), h("a", { href: `#/receipts/${row.receipt}` }, id(row.receipt)),
    ...(row.ledger ? COUNTS.map(([name]) => h("span", { class: row.ledger[name] ? (name === "dead_lettered" ? "bad" : "") : "faint" }, number(row.ledger[name])))
      : [h("span", { class: "muted" }, "waits"), "", "", "", ""])];
}

async function showReceipt(root, { heading, title }, which) {
  heading.textContent = "An event's way";
  title("Receipt");
  const start = `/console/receipts/${encodeURIComponent(which)}?limit=50`;
  const receipt = await get(start);
  const events = h("ol", { class: "ways" });
  const list = pages(start, async (from) => {
    const { rows, next } = await page(from);
    return { rows: rows.events, next };
  }, (rows) => events.append(...rows.map(way)));
  const fact = (words, ...shown) => [h("dt", null, words), h("dd", null, shown)];
  const ledger = receipt.ledger;
  fill(root,
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/receipts" }, "All receipts")),
    card("Receipt", button("Look again", () => showReceipt(root, { heading, title }, which), { class: "quiet" }),
      h("dl", { class: "facts" },
        fact("Receipt", h("code", null, receipt.receipt)),
        fact("Received (UTC)", instant(receipt.receivedAt)),
        fact("Content", `${cut(receipt.contentType, 100)}, ${bytes(receipt.size)}`),
        fact("Origin", cut(receipt.origin || "–", 200)),
        fact("Sent by", cut(receipt.source || "–", 200)),
        receipt.foreign ? fact("Read as", `source ${cut(receipt.foreign, 100)}`) : null,
        receipt.idempotencyKey ? fact("Idempotency key", cut(receipt.idempotencyKey, 200)) : null,
        Object.entries(receipt.headers).map(([name, value]) => fact(cut(name, 60), cut(value, 200))),
        fact("Ledger", ledger ? COUNTS.map(([name, words]) => `${words.toLowerCase()} ${number(ledger[name])}`).join(", ") : "none yet: it waits to be processed"))),
    card("Its events", receipt.count === null ? null : h("span", { class: "muted" }, count(receipt.count, "event")),
      receipt.why ? h("p", { class: "failure" }, receipt.why) : [events, list.foot]),
    card("Its bytes", receipt.size > receipt.document.length ? h("span", { class: "muted" }, "the beginning") : null,
      h("pre", { class: "document", tabindex: "0", role: "group", "aria-label": "Bytes" }, receipt.document)));
  await list.ready;
}

function way(event) {
  const name = [event.eventType ?? "no event", event.eventId].filter(Boolean).map((each) => cut(each, 60)).join(" ");
  const details = h("details", { ontoggle: () => { if (details.open && details.children.length === 1) details.append(opened(event)); } },
    h("summary", null, h("span", { class: "muted index" }, `${event.index}`), h("span", { class: "name" }, name), badge(event.outcome ?? "not known yet", event.outcome ?? "none"),
      event.reason ? h("span", { class: "muted" }, event.reason) : null));
  return h("li", null, details);
}

function opened(event) {
  return h("div", { class: "way" }, h("ol", { class: "steps" }, steps(event).map(([words, state]) =>
    h("li", { "data-state": state }, words, h("span", { class: "unseen" }, { done: ", done", failed: ", failed here", not: ", not reached", open: ", not known" }[state])))),
  end(event),
  h("p", { class: "muted" }, "As it was received:"), documentOf(event.document), event.size > event.document.length ? h("p", { class: "muted" }, `The event has ${bytes(event.size)}; the beginning is shown.`) : null);
}

function steps({ outcome, stage }) {
  const failed = STEPS.findIndex(([name]) => name === stage);
  const state = (at) => {
    if (outcome === null) return "open";
    if (outcome === "dead-lettered") return failed < 0 ? "open" : at < failed ? "done" : at === failed ? "failed" : "not";
    return outcome === "curated" || at < STEPS.length - 1 ? "done" : "not";
  };
  return [["Kept in the raw log", "done"], ...STEPS.map(([, words], at) => [words, state(at)])];
}

function end(event) {
  switch (event.outcome) {
    case "curated":
      return [h("p", null, "It is kept in the curated store:"), documentOf(JSON.stringify(event.curated))];
    case "duplicate":
      return h("p", null, "The same event was there already, from ", h("a", { href: `#/receipts/${event.first.receipt}` }, `receipt ${id(event.first.receipt)}`), `, event ${event.first.index}. It counts once.`);
    case "filtered":
      return h("p", null, "The transform left it out, as the catalog wants it.");
    case "dead-lettered":
      return event.letter ? h("p", null, "It is a ", h("a", { href: `#/letters/letter/${event.letter}` }, "dead letter"), ".")
        : h("p", null, "Its dead letter is not among those that are kept, or not among the first of very many.");
    default:
      return h("p", null, "What became of it is not known: it waits to be processed, or the catalog has changed since it was.");
  }
}
