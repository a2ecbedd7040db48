// The panel of a pair that was opened on the map.

import { el } from "./dom.js";
import { picture } from "./pictures.js";

/** The record of a pair, and its actions. */
export function pairPanel(record, { single, onAsk, onWithoutPair, onWithoutSource }) {
  const { id, captions, meta, image } = record;
  const [caption, ...further] = captions;
  const { source } = meta;
  const facts = Object.entries(meta).filter(([, value]) => value !== null && typeof value !== "object");
  const button = (text, click) => el("button", { type: "button", on: { click } }, text);
  return el(
    "article",
    {},
    picture(image, `Picture of the pair: ${caption ?? id}`),
    el("h3", {}, caption ?? id),
    further.length > 0 &&
      el(
        "ul",
        { class: "further" },
        further.map((text) => el("li", {}, text)),
      ),
    el(
      "dl",
      {},
      [["id", id], ...facts].map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, String(value))),
      ),
    ),
    el(
      "p",
      { class: "acts" },
      button("Classify this picture", onAsk),
      button("Exclude", onWithoutPair),
      source && !single && button(`Exclude source ${source}`, () => onWithoutSource(source)),
    ),
  );
}
