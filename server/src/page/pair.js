// One pair by itself, as the map opens it.

import { el } from "./dom.js";
import { picture } from "./pictures.js";

/** What is known of a pair, and what can be done with it. */
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
      button("Ask with this picture", onAsk),
      button("Take out", onWithoutPair),
      source && !single && button(`Take out ${source}`, () => onWithoutSource(source)),
    ),
  );
}
