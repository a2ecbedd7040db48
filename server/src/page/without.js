// The excluded pairs of a query, and its generation.

import { el, several } from "./dom.js";

/** The excluded pairs, or null for none: `{ sources: Set of names, pairs: Map of id to caption }`. */
export const leftOut = (sources, pairs) => (sources.size + pairs.size > 0 ? { sources, pairs } : null);

/** The exclusion as the server takes it, or null. */
export function wire(without) {
  if (without === null) return null;
  const where = [...without.sources].sort().map((source) => `source=${source}`);
  return { where, ids: [...without.pairs.keys()].sort() };
}

/** A short description. */
export function summary(without) {
  if (without === null) return "none";
  const { sources, pairs } = without;
  const parts = [sources.size > 0 && several(sources.size, "source"), pairs.size > 0 && several(pairs.size, "pair")];
  return parts.filter(Boolean).join(" and ");
}

/** Whether two descriptions are of the same generation of the same anchor set. */
export const sameGround = (a, b) => a.name === b.name && a.generation === b.generation && a.since === b.since;

/** One chip for each difference from the live generation with all pairs. */
export function chips({ set, generation, without }, { onWithout, onGeneration }) {
  const chip = (text, undo, click) =>
    el(
      "span",
      { class: "chip" },
      el("span", {}, text),
      el("button", { type: "button", "aria-label": undo, title: undo, on: { click } }, "×"),
    );
  const made = [];
  if (generation !== null) {
    made.push(
      chip(`generation ${generation}`, `Back to the live generation ${set.generation}`, () =>
        onGeneration(null),
      ),
    );
  }
  const { sources = new Set(), pairs = new Map() } = without ?? {};
  for (const source of sources) {
    made.push(
      chip(`without the source ${source}`, `Include the source ${source} again`, () =>
        onWithout(leftOut(new Set([...sources].filter((other) => other !== source)), pairs)),
      ),
    );
  }
  for (const [id, caption] of pairs) {
    made.push(
      chip(`without “${caption}”`, `Include ${caption} again`, () =>
        onWithout(leftOut(sources, new Map([...pairs].filter(([other]) => other !== id)))),
      ),
    );
  }
  return made;
}
