// What the page knows: the sets, the images with their answers, and what is asked.

import { asked } from "./ask.js";
import { Recent } from "./recent.js";
import { wire } from "./without.js";

/** Answers and explanations of an image that are kept. */
const KEPT = 64;
/** Pairs of each side that are shown at first. */
export const PAIRS = 6;

export const state = {
  sets: [],
  /** The one of them that is asked. */
  set: null,
  /** Answers a second. */
  rate: null,
  /** What happened to the set, oldest first. */
  changes: [],
  /** A generation, or null for whichever is live. */
  generation: null,
  /** What `leftOut` makes. */
  without: null,
  /** Each with its file, name, address, answers, and what is shown of them: `now`, `before`, `error`. */
  images: [],
  selected: null,
  /** The label whose pairs are shown; null is the best one. */
  picked: null,
  /** How many pairs of each side. */
  pairs: PAIRS,
};

/** An image that nothing is known of yet. */
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

/** The question as the server takes it; `plain` is the live set with all its pairs. */
export function question(plain = false) {
  return {
    set: state.set.name,
    ...asked(),
    generation: plain ? null : state.generation,
    without: plain ? null : wire(state.without),
  };
}

/** Whether something else is asked than the live set with all its pairs. */
export const compared = () => state.generation !== null || state.without !== null;

/** A question's key; what is live is named by its number and its beginning, so that a swap makes it another. */
export const keyOf = (q) =>
  JSON.stringify({ ...q, generation: q.generation ?? `live ${state.set.generation} ${state.set.since}` });

/** The label of an answered image whose pairs are shown. */
export function pickedOf({ now: { predictions } }) {
  return predictions.some((p) => p.label === state.picked) ? state.picked : predictions[0].label;
}
