// What the answer does without: another generation, sources, pairs.

import { el, several } from "./dom.js";

/** What is left out, or null for nothing: `{ sources: Set of names, pairs: Map of id to caption }`. */
export const leftOut = (sources, pairs) => (sources.size + pairs.size > 0 ? { sources, pairs } : null);

/** As the server takes it, or null. */
export function wire(without) {
  if (without === null) return null;
  const where = [...without.sources].sort().map((source) => `source=${source}`);
  return { where, ids: [...without.pairs.keys()].sort() };
}

/** In some words. */
export function summary(without) {
  if (without === null) return "nothing: all pairs";
  const { sources, pairs } = without;
  const parts = [sources.size > 0 && several(sources.size, "source"), pairs.size > 0 && several(pairs.size, "pair")];
  return parts.filter(Boolean).join(" and ");
}

/** Whether two looks at the sets saw the same one in the same state. */
export const sameGround = (a, b) => a.name === b.name && a.generation === b.generation && a.since === b.since;

/** One chip for each thing that differs from the live set with all its pairs. */
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
      chip(`generation ${generation}`, `Back to generation ${set.generation}, which is live`, () =>
        onGeneration(null),
      ),
    );
  }
  const { sources = new Set(), pairs = new Map() } = without ?? {};
  for (const source of sources) {
    made.push(
      chip(`without the source ${source}`, `Put ${source} back`, () =>
        onWithout(leftOut(new Set([...sources].filter((other) => other !== source)), pairs)),
      ),
    );
  }
  for (const [id, caption] of pairs) {
    made.push(
      chip(`without “${caption}”`, `Put ${caption} back`, () =>
        onWithout(leftOut(sources, new Map([...pairs].filter(([other]) => other !== id)))),
      ),
    );
  }
  return made;
}
