// What the answer does without: another generation, a source, some pairs.

import { el } from "./dom.js";

/** As the server takes it: `source=NAME`, `{"ids": [...]}`, or null. */
export function wire(without) {
  if (without === null) return null;
  return without.source ? `source=${without.source}` : { ids: [...without.pairs.keys()].sort() };
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
  if (without?.source)
    made.push(
      chip(`without the source ${without.source}`, `Put ${without.source} back`, () => onWithout(null)),
    );
  for (const [id, caption] of without?.pairs ?? []) {
    made.push(
      chip(`without “${caption}”`, `Put ${caption} back`, () => {
        const pairs = new Map(without.pairs);
        pairs.delete(id);
        onWithout(pairs.size > 0 ? { pairs } : null);
      }),
    );
  }
  return made;
}
