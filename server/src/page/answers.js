// Requests the answers: one request per image, and a second one for comparison.

import * as api from "./api.js";
import { $, percent, say } from "./dom.js";
import { compared, keyOf, question, state } from "./state.js";

/** Concurrent requests; the server batches them. */
const AT_ONCE = 4;

let round = new AbortController();

/**
 * Requests missing answers, for the selected image first. Calls `onAnswer(image)` for each answer or error,
 * and `onAnswer(null)` at the start; `aloud` announces the change to screen readers.
 */
export async function askAll(onAnswer, aloud) {
  round.abort();
  round = new AbortController();
  const { signal } = round;
  if (state.set === null) return;
  const [now, plain] = [question(), question(true)];
  const nothing = now.labels.length === 0;
  for (const image of state.images)
    Object.assign(image, { error: null }, nothing && { now: null, before: null });
  onAnswer(null);
  $("answer-body").removeAttribute("aria-busy");
  if (nothing || state.images.length === 0) return;
  const late = (image) => (image === state.selected ? 0 : 1);
  const waiting = [...state.images].sort((a, b) => late(a) - late(b));
  const worker = async () => {
    for (let image = waiting.shift(); image; image = waiting.shift()) {
      await answer(image, now, plain, signal);
      if (signal.aborted) return;
      // The other images may take long, and are not shown at the moment.
      if (image === state.selected) $("answer-body").removeAttribute("aria-busy");
      onAnswer(image);
      if (image === state.selected) announce(image, aloud);
    }
  };
  $("answer-body").setAttribute("aria-busy", "true");
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (!signal.aborted) $("answer-body").removeAttribute("aria-busy");
}

async function answer(image, now, plain, signal) {
  const one = async (q) => {
    const key = keyOf(q);
    if (!image.answers.has(key)) image.answers.set(key, await api.classify(image.file, q, signal));
    return image.answers.get(key);
  };
  try {
    const [a, b] = await Promise.all([one(now), compared() ? one(plain) : null]);
    if (!signal.aborted) Object.assign(image, { now: a, before: b, asked: now });
  } catch (error) {
    if (!signal.aborted) Object.assign(image, { now: null, before: null, error });
  }
}

function announce({ now, before, error }, aloud) {
  if (error) return;
  const [best] = now.predictions;
  const was = before?.predictions.find((p) => p.label === best.label);
  const change = aloud && was ? `, before ${percent(was.score)}` : "";
  say(`${best.label}: ${percent(best.score)}${change}`);
}
