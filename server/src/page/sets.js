// The served anchor sets, their generations, and the state of the server.

import * as api from "./api.js";
import { $, count, el, moment, percent, several } from "./dom.js";

const EVERY_MS = 4000;

/** The number of answered queries: POST requests only, so that the page's own polling does not count. */
function answered(text) {
  let total = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith("asif_requests_total{") && line.includes('method="POST"'))
      total += Number(line.split(" ")[1]);
  }
  return total;
}

/**
 * Polls the server while the page is visible: calls `onSets(sets, rate)` or `onTrouble(error)`. Returns a
 * function that polls at once.
 */
export function watch({ onSets, onTrouble }) {
  let before = null;
  let timer;
  async function look() {
    clearTimeout(timer);
    try {
      const [sets, metrics] = await Promise.all([api.sets(), api.metrics()]);
      const now = { at: performance.now(), total: answered(metrics) };
      const rate =
        before && now.at > before.at ? (now.total - before.total) / ((now.at - before.at) / 1000) : null;
      before = now;
      // The counter starts at zero after a restart of the server.
      onSets(sets, rate === null ? null : Math.max(0, rate));
    } catch (error) {
      before = null;
      onTrouble(error);
    }
    if (!document.hidden) timer = setTimeout(look, EVERY_MS);
  }
  document.addEventListener("visibilitychange", () => !document.hidden && look());
  look();
  return look;
}

/** The status line at the top. */
export function showPulse(set, rate, error) {
  const pulse = $("pulse");
  pulse.dataset.state = error ? "down" : set.degraded ? "degraded" : "ok";
  const parts = error
    ? [error.message]
    : [
        `generation ${set.generation}`,
        several(set.anchors, "pair"),
        rate !== null && `${persecond(rate)} answers/s`,
        set.degraded && "degraded: the newest generation failed its checks",
      ];
  $("pulse-text").textContent = parts.filter(Boolean).join(" · ");
}

const persecond = (rate) => (rate < 10 ? rate.toFixed(1) : count(rate));

/** The facts about the live generation. */
export function showFacts(set, rate) {
  const { image, text } = set.encoders;
  const facts = [
    ["Live", `generation ${set.generation}`],
    ["Since", moment(set.since)],
    ["Swaps since the start", count(set.swaps)],
    ["Answers per second", rate === null ? "…" : persecond(rate)],
    ["Pairs", count(set.anchors)],
    ["Space", set.space],
    ["Image encoder", `${image.name}, ${image.dim}`],
    ["Text encoder", `${text.name}, ${text.dim}`],
    ["Licences", set.licences.map(({ name, count: n }) => `${name} ${percent(n / set.anchors)}`).join(", ")],
    ["Degraded", set.degraded],
  ];
  $("facts").replaceChildren(
    ...facts
      .filter(([, value]) => value)
      .map(([name, value]) =>
        el("div", { class: name === "Degraded" ? "bad" : "" }, el("dt", {}, name), el("dd", {}, value)),
      ),
  );
}

/** The changes of the anchor set, newest first. */
export function showHistory(changes, { asked, onAsk }) {
  const list = $("history");
  // The list is rebuilt, so restore the focus to the same row.
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(
    ...[...changes].reverse().map((change) => {
      const here = asked === null ? change.live : asked === change.generation;
      const by = [
        change.added > 0 && `${count(change.added)} added`,
        change.removed > 0 && `${count(change.removed)} removed`,
      ];
      const act =
        change.live || change.kept
          ? el(
              "button",
              {
                type: "button",
                "aria-pressed": String(here),
                on: { click: () => onAsk(change.live ? null : change.generation) },
              },
              here ? "In use" : change.live ? "Use the live one" : `Use generation ${change.generation}`,
            )
          : el("span", { class: "about" }, "no longer kept");
      return el(
        "li",
        { class: here ? "here" : "" },
        el("span", { class: "number" }, String(change.generation)),
        el(
          "div",
          {},
          el(
            "p",
            {},
            el("strong", {}, [change.command, change.detail].filter(Boolean).join(" ")),
            change.live && el("span", { class: "badge" }, "live"),
          ),
          el(
            "p",
            { class: "about" },
            moment(change.when),
            " · ",
            several(change.pairs_after, "pair"),
            by.some(Boolean) && ` (${by.filter(Boolean).join(", ")})`,
          ),
        ),
        act,
      );
    }),
  );
  list.children[focused]?.querySelector("button")?.focus({ preventScroll: true });
}

/** Fills a select element and keeps the chosen value if it still exists. */
export function choices(select, options, chosen) {
  const key = JSON.stringify(options);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...options.map(([value, name]) => el("option", { value }, name)));
  }
  select.value = options.some(([value]) => value === chosen) ? chosen : (options[0]?.[0] ?? "");
}
