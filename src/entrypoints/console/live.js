// What is live: one stream of pulses, half a second apart, that comes back by itself when it is lost.

import { ask, path } from "./api.js";
import { exactly } from "./json.js";

/** Pulses that come in a second. */
export const PULSES_A_SECOND = 2;
const KEPT = 300 * PULSES_A_SECOND; // five minutes
const SILENCE = 6000; // milliseconds without a pulse after which a connection is given up
const PAUSES = [500, 1000, 2000, 4000, 8000];

const listeners = new Set();
const watchers = new Set();
let filter = {};
let connection = null;
let tries = 0;
let switching = false;
let wake = () => {};

/**
 * The last pulses, the oldest first; whether they count what is processed, which they do not where functions of a stack
 * process it; and how the connection stands: connecting, live or lost.
 */
export const live = { pulses: [], counted: true, state: "connecting" };

/** Call `pulse(live, pulse)` for each one, with null where all are new. Returns how to stop it. */
export function onPulse(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Call `changed(state)` now and whenever it changes. */
export function onState(watcher) {
  watchers.add(watcher);
  watcher(live.state);
}

/** Which events the pulses bring along: {type, where}; the numbers are of all. */
export function sample(wanted) {
  if (JSON.stringify(wanted) === JSON.stringify(filter)) return;
  filter = wanted;
  tries = 0;
  switching = connection !== null;
  connection?.abort();
  wake();
}

/**
 * A function that reads again, however often it is called: one at a time, with pauses ten times as long as the reading
 * took, so that who looks on takes little from those who send. The last call is never lost.
 */
export function gently(read) {
  let busy = false;
  let again = false;
  return async function run() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    const began = performance.now();
    await read();
    setTimeout(() => {
      busy = false;
      if (again) run();
      again = false;
    }, 10 * (performance.now() - began));
  };
}

/** Connect, and stay connected. */
export async function start() {
  window.addEventListener("online", () => { tries = 0; wake(); });
  for (;;) {
    try {
      await listen();
    } catch {
      // Whatever it was, the connection is lost: the state says so, and it is tried again.
    }
    if (!switching) {
      turn("lost");
      await pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
    }
    switching = false;
  }
}

async function listen() {
  const mine = new AbortController();
  connection = mine;
  tries += 1;
  let silence = setTimeout(() => mine.abort(), SILENCE);
  try {
    const asked = path("/console/live", filter);
    const response = await ask(asked, { headers: { accept: "text/event-stream" }, signal: mine.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => mine.abort(), SILENCE);
      const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      blocks.forEach(take);
    }
  } finally {
    clearTimeout(silence);
    mine.abort();
  }
}

function take(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (name === "history") {
    live.pulses = exactly(data.join("\n")).slice(-KEPT);
    tell(null);
  } else if (name === "pulse") {
    const pulse = exactly(data.join("\n"));
    live.pulses.push(pulse);
    if (live.pulses.length > KEPT) live.pulses.shift();
    tell(pulse);
  } else {
    return;
  }
  tries = 0;
  turn("live");
}

function tell(pulse) {
  live.counted = live.pulses.at(-1)?.counted ?? live.counted;
  for (const listener of [...listeners]) listener(live, pulse);
}

function turn(state) {
  if (live.state === state) return;
  live.state = state;
  for (const watcher of watchers) watcher(state);
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => { clearTimeout(timer); resolve(); };
  });
}
