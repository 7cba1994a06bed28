// Dead letters: by cause, one by one with what is wrong at its place, and redriven after a look at what would happen.

import { get, page, path } from "./api.js";
import { badge, button, card, empty, fill, h, pages, table } from "./dom.js";
import { complaints, documentOf } from "./document.js";
import { bytes, count, cut, id, instant, number } from "./format.js";
import { gently, onPulse } from "./live.js";
import { redriveDialog } from "./redrive.js";

const CAUSES = "/console/causes";
const CAUSES_SHOWN = 100;

export async function show(root, context) {
  const [kind, which] = context.args;
  if (kind === "cause" && which) return showCause(root, context, which);
  if (kind === "letter" && which) return showLetter(root, context, which);
  return showCauses(root);
}

async function showCauses(root) {
  const list = h("div", { class: "stack" });
  const foot = h("div", { class: "foot" });
  let causes = new Map();
  let shown = CAUSES_SHOWN;
  let counted = false;

  async function read(from) {
    const { rows, next } = await page(from);
    if (from === CAUSES) causes = new Map();
    for (const row of rows) {
      const known = causes.get(row.fingerprint);
      causes.set(row.fingerprint, known ? { ...known, letters: known.letters + row.letters, occurrences: known.occurrences + row.occurrences } : row);
    }
    counted = counted || from !== CAUSES;
    draw(next);
  }

  function draw(next) {
    const ranked = [...causes.values()].sort((a, b) => b.occurrences - a.occurrences);
    fill(list, ranked.length ? ranked.slice(0, shown).map(causeCard) : empty("There are no dead letters.", h("p", { class: "muted" }, "What cannot be processed is kept here, with everything that is wrong with it.")));
    fill(foot,
      ranked.length > shown ? button("More causes", () => { shown += CAUSES_SHOWN; draw(next); }, { class: "more" }) : null,
      next ? [h("p", { class: "muted" }, `The first ${number(ranked.reduce((sum, each) => sum + each.letters, 0))} letters are counted.`),
        button("Count on", () => read(next), { class: "more" })] : null);
  }

  function causeCard(row) {
    const href = `#/letters/cause/${encodeURIComponent(row.fingerprint)}`;
    return h("article", { class: "card cause" },
      h("div", { class: "cause-what" },
        h("div", { class: "badges" }, badge(row.reason, "bad"), row.eventType ? h("span", { class: "type" }, cut(row.eventType, 60)) : null,
          h("code", { class: "muted" }, row.fingerprint)),
        h("p", null, row.example.pointer ? [h("code", null, cut(row.example.pointer, 80)), " "] : null, cut(row.example.message, 240)),
        h("p", { class: "muted" }, `${count(row.letters, "letter")}, seen ${count(row.occurrences, "time")}`)),
      h("div", { class: "actions" },
        h("a", { class: "button", href, "aria-label": `Look at letters of cause ${row.fingerprint}` }, "Look"),
        button("Redrive …", () => redriveDialog({ fingerprint: row.fingerprint }, `${count(row.letters, "letter")} of cause ${row.fingerprint}`, () => read(CAUSES)),
          { "aria-label": `Redrive letters of cause ${row.fingerprint}` })));
  }

  fill(root, list, foot);
  await read(CAUSES);
  // What fails here is tried again; that the connection is lost stands beside the navigation.
  const refresh = gently(() => (counted ? undefined : read(CAUSES).catch(() => {})));
  return onPulse((_, pulse) => { if (pulse?.outcomes.dead_lettered) refresh(); });
}

async function showCause(root, { heading, title }, fingerprint) {
  heading.textContent = "Dead letters of a cause";
  title("Dead letters of a cause");
  function draw() {
    const letters = table(`Letters of cause ${fingerprint}`, [["Letter"], ["Type"], ["Event"], ["What is wrong", "wide"], ["Seen", "number"], ["Attempts", "number"]], []);
    letters.hidden = true;
    const none = h("div");
    let any = false;
    const list = pages(path("/console/letters", { fingerprint }), page, (rows, last) => {
      any ||= rows.length > 0;
      letters.add(rows.map((row) => [h("a", { href: `#/letters/letter/${row.id}` }, id(row.id)), cut(row.eventType ?? "–", 40), cut(row.eventId ?? "–", 40),
        `${cut(`${row.violations[0]?.pointer ?? ""} ${row.violations[0]?.message ?? ""}`.trim(), 160)}${row.violations.length > 1 ? ` (and ${row.violations.length - 1} more)` : ""}`,
        number(row.seen), number(row.attempts)]));
      letters.hidden = !any;
      fill(none, any || !last ? null : empty("There are no letters of this cause any more."));
    });
    fill(root, crumbs(), card(`Cause ${fingerprint}`, button("Redrive …", () => redriveDialog({ fingerprint }, `all letters of cause ${fingerprint}`, draw)),
      letters, none, list.foot));
    return list.ready;
  }
  await draw();
}

async function showLetter(root, { heading, title }, which) {
  heading.textContent = "Dead letter";
  title("Dead letter");
  const letter = await get(`/console/letters/${encodeURIComponent(which)}`);
  const fact = (words, ...shown) => [h("dt", null, words), h("dd", null, shown)];
  fill(root, crumbs(letter.fingerprint),
    card(letter.eventType ? `${cut(letter.eventType, 60)} ${cut(letter.eventId ?? "", 60)}` : "No event",
      button("Redrive …", () => redriveDialog({ letter: letter.id }, "this letter", () => { location.hash = "#/letters"; })),
      h("div", { class: "badges" }, badge(letter.reason, "bad"), h("span", { class: "type" }, `failed at: ${letter.stage}`)),
      complaints(letter.violations),
      letter.document === null ? h("p", { class: "muted" }, "The raw log does not have the event, or the catalog cannot read its receipt any more.")
        : [documentOf(letter.document, letter.violations),
          letter.size > letter.document.length ? h("p", { class: "muted" }, `The event has ${bytes(letter.size)}; the beginning is shown.`) : null]),
    card("Where it comes from", null, h("dl", { class: "facts" },
      fact("Receipt", h("a", { href: `#/receipts/${letter.receipt}` }, letter.receipt), `, event ${letter.index}`),
      letter.origin ? fact("Origin", cut(letter.origin, 200), letter.line === null ? "" : `, line ${letter.line}`) : null,
      fact("Source", cut(letter.source || "–", 200)),
      letter.eventTime ? fact("Event time (UTC)", instant(letter.eventTime)) : null,
      fact("Seen", count(letter.seen, "time")),
      fact("Attempts", number(letter.attempts)),
      fact("Letter", h("code", null, letter.id)))));
}

function crumbs(fingerprint) {
  return h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/letters" }, "All causes"),
    fingerprint ? [" / ", h("a", { href: `#/letters/cause/${encodeURIComponent(fingerprint)}` }, `Cause ${fingerprint}`)] : null);
}
