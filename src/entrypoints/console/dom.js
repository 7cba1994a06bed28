// Elements: how every page builds what it shows. Data becomes text nodes only, so script in it stays text.

/** An element; `null` and `false` among attributes and children are left out, functions named on… listen. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put these in the place of what an element holds. What had the focus has it still, if it is there again. */
export function fill(element, ...children) {
  const held = element.contains(document.activeElement) && element !== document.activeElement ? nameOf(document.activeElement) : null;
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  if (held) named(element, held)?.focus({ preventScroll: true });
  return element;
}

/** How to focus again what has the focus now, or what is in its place by then. */
export function focusAgain() {
  const element = document.activeElement;
  const name = nameOf(element);
  return () => (element.isConnected ? element : named(document, name))?.focus({ preventScroll: true });
}

function named(within, name) {
  return [...within.querySelectorAll("a, button, input, select, summary, [tabindex]")].find((each) => nameOf(each) === name);
}

function nameOf(element) {
  return [element.tagName, element.getAttribute("href"), element.getAttribute("aria-label") ?? element.closest("label")?.firstChild.textContent ?? element.textContent].join(" ");
}

/** A table that newest rows are put on top of, of which the oldest leave. */
export function stream(caption, columns, most) {
  const shown = table(caption, columns, []);
  shown.push = (rows) => {
    shown.add(rows, true);
    while (shown.body.rows.length > most) shown.body.lastElementChild.remove();
  };
  return shown;
}

/** A table that scrolls within itself; `columns` are [title, class?] and each row is a list of cells. */
export function table(caption, columns, rows) {
  const head = h("tr", null, columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title)));
  const body = h("tbody");
  const element = h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, head), body);
  const shown = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element);
  shown.add = (more, first = false) => {
    const made = more.map((cells) => h("tr", null, cells.map((cell, at) => h("td", { class: columns[at][1] }, cell))));
    if (first) body.prepend(...made);
    else body.append(...made);
    return made;
  };
  shown.body = body;
  shown.add(rows);
  return shown;
}

/** A choice with a label; `options` are [value, words]. */
export function choice(label, options, value, changed) {
  const select = h("select", { onchange: () => changed(select.value) },
    options.map(([key, words]) => h("option", { value: key, selected: key === value }, words)));
  return h("label", { class: "field" }, h("span", null, label), select);
}

/** A line of text to fill in, with a label; `changed` is called when it is settled. */
export function line(label, value, changed, attributes) {
  const input = h("input", { type: "text", autocomplete: "off", spellcheck: "false", value, ...attributes,
    onchange: () => changed(input.value) });
  return h("label", { class: "field" }, h("span", null, label), input);
}

/** A button. */
export function button(words, act, attributes) {
  return h("button", { type: "button", ...attributes, onclick: act }, words);
}

/** A card with a title, and what may stand beside it. */
export function card(title, beside, ...children) {
  return h("section", { class: "card" },
    h("div", { class: "card-head" }, h("h2", null, title), beside ?? null), children);
}

/** What is said where there is nothing to show. */
export function empty(words, ...more) {
  return h("div", { class: "empty" }, h("p", null, words), more);
}

/** A word with a colour for an outcome, a reason or a verdict. */
export function badge(words, kind) {
  return h("span", { class: "badge", "data-kind": kind ?? words }, words);
}

/** Tell those who do not see the page. */
export function say(words) {
  document.getElementById("said").textContent = words;
}

/** A list that grows page by page: `load(url)` gives {rows, next}, `show(rows)` adds them. */
export function pages(first, load, show) {
  const more = button("More", () => go(), { class: "more", hidden: true });
  const problem = h("div");
  let next = first;
  async function go() {
    more.disabled = true;
    try {
      const page = await load(next);
      next = page.next;
      fill(problem);
      show(page.rows, next === null);
      more.hidden = next === null;
    } catch (error) {
      fill(problem, failure(error));
      more.hidden = false;
    }
    more.disabled = false;
  }
  const ready = go();
  return { ready, foot: h("div", { class: "foot" }, problem, more) };
}

/** What is said where something failed. */
export function failure(error) {
  return h("p", { class: "failure", role: "alert" }, error.message);
}
