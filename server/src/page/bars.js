// Scores as bars, compared with the scores before pairs were excluded.

import { el, figure, percent } from "./dom.js";

/** The number of labels shown at first. */
const SHOWN = 10;

/** A list of bars that keeps its rows, so that a changed score is animated. */
export function makeBars(onPick) {
  const list = el("ol", { class: "bars" });
  const rows = new Map();
  let all = false;
  let last = null;
  const more = el("button", {
    type: "button",
    class: "link",
    on: {
      click: () => {
        all = true;
        show(last);
        // The button is removed, so focus the first label that it revealed.
        list.children[SHOWN]?.firstChild.focus();
      },
    },
  });

  function row(label) {
    const parts = {
      label: el("span", { class: "label" }, label),
      was: el("span", { class: "was" }),
      score: el("span", { class: "score" }),
      similarity: el("span", { class: "similarity" }),
      before: el("span", { class: "before" }),
      now: el("span", { class: "now" }),
    };
    const track = el("span", { class: "track", "aria-hidden": "true" }, parts.before, parts.now);
    const button = el(
      "button",
      { type: "button", class: "bar", "aria-controls": "why", on: { click: () => onPick(label) } },
      parts.label,
      parts.similarity,
      parts.was,
      parts.score,
      track,
    );
    return { ...parts, button, item: el("li", {}, button) };
  }

  /** `before` are the predictions to compare with, or null. */
  function show({ predictions, before, picked }) {
    last = { predictions, before, picked };
    const earlier = new Map(before?.map((p) => [p.label, p]));
    const shown = predictions.filter(({ label }, rank) => all || rank < SHOWN || label === picked);
    list.classList.toggle("compared", before !== null);
    const items = shown.map((prediction) => {
      const { label, score, similarity } = prediction;
      const parts = rows.get(label) ?? row(label);
      rows.set(label, parts);
      const was = earlier.get(label);
      parts.was.replaceChildren(
        ...(was ? [el("span", { class: "hidden" }, "before "), percent(was.score)] : []),
      );
      parts.score.replaceChildren(...(was ? [el("span", { class: "hidden" }, "now ")] : []), percent(score));
      parts.similarity.textContent = `similarity ${figure(similarity)}`;
      parts.now.style.setProperty("--share", score);
      parts.before.style.setProperty("--share", was?.score ?? 0);
      parts.score.dataset.moved =
        !was || Math.abs(score - was.score) < 0.0005 ? "" : score > was.score ? "up" : "down";
      parts.button.setAttribute("aria-expanded", String(label === picked));
      return parts.item;
    });
    // Moving a focused button would remove the focus.
    if (items.length !== list.children.length || items.some((item, i) => list.children[i] !== item)) {
      const focused = document.activeElement;
      const inside = list.contains(focused);
      list.replaceChildren(...items);
      if (inside && list.contains(focused)) focused.focus({ preventScroll: true });
    }
    const known = new Set(predictions.map(({ label }) => label));
    for (const label of rows.keys()) if (!known.has(label)) rows.delete(label);
    more.hidden = shown.length === predictions.length;
    more.textContent = `Show all ${predictions.length} labels`;
  }

  return { element: el("div", {}, list, more), show };
}
