// The state of the page: anchor sets, images with their answers, and the query.

import { asked } from "./ask.js";
import { Recent } from "./recent.js";
import { wire } from "./without.js";

/** Cached answers and explanations per image. */
const KEPT = 64;
/** The initial number of pairs for and against a label. */
export const PAIRS = 6;

export const state = {
  sets: [],
  /** The selected one. */
  set: null,
  /** Answers per second. */
  rate: null,
  /** The changes of the anchor set, oldest first. */
  changes: [],
  /** A generation, or null for the live one. */
  generation: null,
  /** The excluded pairs, see `leftOut`. */
  without: null,
  /** Each with its file, name, URL, answers, and the shown ones: `now`, `before`, `error`. */
  images: [],
  selected: null,
  /** The explained label; null is the best one. */
  picked: null,
  /** How many pairs for and against the label. */
  pairs: PAIRS,
};

/** An image without answers. */
export function newImage(file) {
  const shown = { now: null, before: null, error: null };
  return {
    file,
    name: file.name || "pasted image",
    url: URL.createObjectURL(file),
    answers: new Recent(KEPT),
    ...shown,
  };
}

/** The query as the server takes it; `plain` is for the live generation with all pairs. */
export function question(plain = false) {
  return {
    set: state.set.name,
    ...asked(),
    generation: plain ? null : state.generation,
    without: plain ? null : wire(state.without),
  };
}

/** Whether the query differs from the live generation with all pairs. */
export const compared = () => state.generation !== null || state.without !== null;

/** The cache key of a query. The live generation is identified by number and start, so a swap changes it. */
export const keyOf = (q) =>
  JSON.stringify({ ...q, generation: q.generation ?? `live ${state.set.generation} ${state.set.since}` });

/** The explained label of an answered image. */
export function pickedOf({ now: { predictions } }) {
  return predictions.some((p) => p.label === state.picked) ? state.picked : predictions[0].label;
}
