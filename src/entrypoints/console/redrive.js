// The redrive: what would become of letters, and after a yes, what became of them.

import { post } from "./api.js";
import { button, failure, fill, focusAgain, h, say, table } from "./dom.js";
import { count, cut, number } from "./format.js";

const WOULD = { passed: "would pass now", same: "would fail in the same way", other: "would fail in another way", held: "cannot be processed", skipped: "would be left alone" };
const DID = { passed: "passed", same: "failed in the same way", other: "failed in another way", held: "could not be processed", skipped: "were left alone" };
const SHORT = [["passed", "Pass"], ["same", "Same"], ["other", "Other"], ["held", "Held"]];

/** Show what a redrive of an order ({fingerprint} or {letter}) comes to, do it if that is wanted, then call `done`. */
export function redriveDialog(order, what, done) {
  const content = h("div", { "aria-live": "polite" });
  const actions = h("div", { class: "actions" });
  const refocus = focusAgain();  // the list behind it may be drawn anew meanwhile
  const dialog = h("dialog", { "aria-labelledby": "redrive-title", onclose: () => { dialog.remove(); refocus(); } },
    h("h2", { id: "redrive-title" }, "Redrive"), h("p", { class: "muted" }, `For ${what}, with the catalog as it is now.`), content, actions);
  const close = (words, attributes) => button(words, () => dialog.close(), attributes);

  async function run(dry) {
    fill(content, h("p", null, dry ? "Looking what would happen …" : "Redriving …"));
    fill(actions);
    try {
      const report = await post("/console/redrive", JSON.stringify({ ...order, dry_run: dry }));
      fill(content, told(report));
      if (!dry) {
        fill(actions, close("Close", { class: "primary" }));
        say(`Redriven: ${sentence(report)}`);
        done();
      } else if (report.letters) {
        fill(actions, close("Cancel"), button(`Redrive ${count(report.letters, "letter")}`, () => run(false), { class: "primary" }));
      } else {
        fill(actions, close("Close", { class: "primary" }));
        done();
      }
    } catch (error) {
      fill(content, failure(error));
      fill(actions, close("Close"), button("Try again", () => run(dry), { class: "primary" }));
    }
    actions.lastElementChild?.focus();
  }

  document.body.append(dialog);
  dialog.showModal();
  run(true);
}

function told(report) {
  const words = report.dry_run ? WOULD : DID;
  if (!report.letters) return h("p", null, "There are no such dead letters any more.");
  return [
    h("p", { class: "eyebrow" }, report.dry_run ? "Dry run: nothing is changed yet" : "Done"),
    h("ul", { class: "verdicts" }, Object.entries(words).filter(([name]) => report[name]).map(([name, said]) =>
      h("li", { "data-kind": name }, h("strong", null, number(report[name])), ` ${said}`))),
    table("By reason and type", [["Reason"], ["Type"], ...SHORT.map(([, title]) => [title, "number"])],
      report.causes.map((row) => [row.reason, cut(row.eventType ?? "–", 40), ...SHORT.map(([name]) => number(row[name]))])),
    failures(report),
    report.more ? h("p", { class: "muted" }, "There may be more letters than one redrive from here takes on.") : null,
  ];
}

/** Why some do not pass: the first of each kind. */
function failures(report) {
  const found = ["same", "other", "held"].flatMap((name) => (report.samples[name] ?? []).slice(0, 3));
  if (!found.length) return null;
  return h("ul", { class: "complaints" }, found.map((row) => {
    const first = (row.now ?? row).violations[0];
    return h("li", null, h("code", null, cut(row.eventId ?? row.id, 40)), " ", cut(row.why ?? `${first?.pointer ?? ""} ${first?.message ?? ""}`, 300));
  }));
}

function sentence(report) {
  return Object.entries(DID).filter(([name]) => report[name]).map(([name, said]) => `${report[name]} ${said}`).join(", ") || "nothing";
}
