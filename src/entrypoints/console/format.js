// Words for values: numbers, instants, sizes; everything long is cut.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** A number with thousands apart; fractions to three digits. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return Number.isInteger(value) || Math.abs(value) >= 1000 ? whole.format(Math.round(value)) : short.format(value);
}

/** How many of something: "1 letter", "2 letters". */
export function count(value, one, several = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : several}`;
}

/** An instant as people read it, in UTC; what is none stays as it is. */
export function instant(text) {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,3})?\d*Z$/.exec(text ?? "");
  return found ? `${found[1]} ${found[2]}${found[3] ?? ""}` : cut(text ?? "", 40);
}

/** An instant in a list: of today only the time of day. */
export function moment(text) {
  const shown = instant(text);
  return shown.startsWith(new Date().toISOString().slice(0, 10)) ? shown.slice(11) : shown;
}

/** Milliseconds as people say them. */
export function duration(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  return milliseconds < 1000 ? `${number(Math.round(milliseconds))} ms` : `${short.format(milliseconds / 1000)} s`;
}

/** Bytes as people say them. */
export function bytes(size) {
  for (const unit of ["bytes", "KiB", "MiB"]) {
    if (size < 1024 || unit === "MiB") return `${number(size)} ${size === 1 ? "byte" : unit}`;
    size /= 1024;
  }
  return "";
}

/** A text of at most so many characters. */
export function cut(text, most = 120) {
  const whole = String(text);
  return whole.length > most ? `${whole.slice(0, most)}…` : whole;
}

/** A length of time in its largest whole unit. */
export function span(seconds) {
  for (const [size, one] of [[86_400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds % size === 0) return count(seconds / size, one);
  }
  return count(seconds, "second");
}

/** A value of an event or a view in a cell; of long fractions the first digits. */
export function value(found, most = 120) {
  if (found === null || found === undefined) return "–";
  const long = typeof found === "string" ? /^-?\d+\.\d{6}(?=\d)/.exec(found) : null;
  if (long && /^[\d.-]+$/.test(found)) return `${long[0]}…`;
  return cut(typeof found === "object" ? JSON.stringify(found) : found, most);
}

/** An id so short that it fits, still told apart. */
export function id(text) {
  return text.length > 14 ? `${text.slice(0, 8)}…${text.slice(-4)}` : text;
}
