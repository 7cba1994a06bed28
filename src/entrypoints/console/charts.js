// Charts over time: uPlot in the page's own colours, light and dark, with a legend that keyboards and readers have too.

import { fill, h } from "./dom.js";
import { number } from "./format.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** The colour for the n-th series. */
export function colour(at) {
  return style(`--series-${(at % 8) + 1}`);
}

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * A chart. `set(series, times, values)`: series are {label, at, dash?}, times seconds of the epoch, values a list for
 * each series, null where there is none. `words(value)` is a value in the legend; `live` charts fill and have no
 * points; `pad` is how many seconds are left free beside the first and the last.
 */
export function chart(label, { height = 220, words = number, live = false, pad = 0 } = {}) {
  const canvas = h("div", { class: "chart", role: "img", "aria-label": label });
  const legend = h("ul", { class: "legend", "aria-label": `${label}: values` });
  const root = h("div", { class: "chart-box" }, canvas, legend);
  let plot = null;
  let series = [];
  let data = [[]];
  let shape = "";

  const observer = new ResizeObserver(() => plot?.setSize({ width: canvas.clientWidth, height }));
  observer.observe(canvas);
  dark.addEventListener("change", rebuild);

  function rebuild() {
    plot?.destroy();
    plot = canvas.clientWidth ? new uPlot(options(), data, canvas) : null;
    explain(null);
  }

  function options() {
    const axis = { stroke: style("--muted"), font: "11px system-ui, sans-serif", ticks: { show: false },
      grid: { stroke: style("--line"), width: 1 } };
    return {
      width: canvas.clientWidth, height,
      padding: [12, 20, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { range: () => [(data[0][0] ?? 0) - pad, (data[0].at(-1) ?? 60) + pad] }, y: { range: (_, low, high) => scale(low, high) } },
      axes: [
        { ...axis, space: 70, size: live ? 26 : 40, values: (_, at, __, ___, step) => ticks(at, step) },
        { ...axis, size: 52, values: (_, at) => at.map(compact) },
      ],
      series: [{}, ...series.map((each) => ({
        stroke: colour(each.at), width: 2, dash: each.dash,
        fill: live && series.length <= 4 && !each.dash ? `${colour(each.at)}22` : undefined,
        points: { show: !live, size: 6 },
      }))],
      hooks: { setCursor: [(self) => explain(self.cursor.idx ?? null)] },
    };
  }

  /** Say what the values are where the pointer is, or the last ones. */
  function explain(at) {
    const last = data[0].length - 1;
    fill(legend, series.map((each, place) => h("li", null,
      swatch(each), h("span", null, each.label), h("strong", null, words(data[place + 1]?.[at ?? last] ?? null)))));
  }

  return {
    root,
    set(wanted, times, values) {
      series = wanted;
      data = [times, ...values];
      const now = JSON.stringify([wanted, times.length > 0]);
      if (plot === null || now !== shape) rebuild();
      else {
        plot.setData(data);
        explain(plot.cursor.idx ?? null);
      }
      shape = now;
    },
    destroy() {
      observer.disconnect();
      dark.removeEventListener("change", rebuild);
      plot?.destroy();
    },
  };
}

/** A small patch of a series' colour. */
export function swatch(each) {
  const patch = h("span", { class: "swatch", "aria-hidden": "true" });
  patch.style.background = `var(--series-${(each.at % 8) + 1})`;
  return patch;
}

/** Instants on an axis, as far as its steps tell them apart; below the first of a day stands the day. */
function ticks(at, step) {
  let day = "";
  return at.map((seconds) => {
    const [date, time] = new Date(seconds * 1000).toISOString().slice(0, 19).split("T");
    if (step >= 86_400) return date.slice(step >= 31 * 86_400 ? 0 : 5, step >= 31 * 86_400 ? 7 : 10);
    const words = step < 60 ? time : time.slice(0, 5);
    if (step < 900 || date === day) return words;
    day = date;
    return `${words}\n${date}`;
  });
}

function scale(low, high) {
  if (low === null || high === null) return [0, 1];
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  return [bottom * 1.1, top === bottom ? 1 : top * 1.1];
}

function compact(value) {
  return Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(value);
}
