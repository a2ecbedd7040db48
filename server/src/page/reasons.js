// The explanation of a score: the sum line by line, and the pairs with their pictures.

import { count, el, figure, percent, several, signed } from "./dom.js";
import { picture } from "./pictures.js";

/** Renders a response of `/v1/explain`. */
export function sheet(why, { single, onWithoutPair, onWithoutSource, onMap, onMore }) {
  const all = [...why.reasons, ...why.against];
  const largest = all.reduce((most, reason) => Math.max(most, Math.abs(reason.share)), 0);
  const card = (reason) => pairCard(reason, { largest, single, onWithoutPair, onWithoutSource, onMap });
  const group = (title, about, reasons) =>
    reasons.length > 0 &&
    el(
      "section",
      { class: "group" },
      el("h3", {}, title, " ", el("span", { class: "about" }, about)),
      el("ul", { class: "pairs" }, reasons.map(card)),
    );
  return el(
    "div",
    {},
    el("div", { class: "sum-box" }, sum(why)),
    group("For", "contribution, and share of the absolute contributions of all pairs", why.reasons),
    group("Against", "contribution and share", why.against),
    all.length === 0 &&
      el(
        "p",
        { class: "empty" },
        why.unsplit.length > 0
          ? "Scores of this space are not sums over pairs, so there are none to show."
          : "No pair is near both the image and this label, so none contributes to the score.",
      ),
    why.others.pairs > 0 && onMore && el("button", { type: "button", on: { click: onMore } }, "More pairs"),
  );
}

/** The lines that add up to the similarity. */
function linesOf(why) {
  const total = (reasons) => reasons.reduce((before, reason) => before + reason.contribution, 0);
  const listed = (reasons, how) => [`${several(reasons.length, "pair")} below, ${how}`, total(reasons), how];
  return [
    why.reasons.length > 0 && listed(why.reasons, "for"),
    why.against.length > 0 && listed(why.against, "against"),
    why.others.pairs > 0 && [several(why.others.pairs, "other pair"), why.others.contribution, "others"],
    ["calibration offset", why.offset, "offset"],
    ...why.unsplit.map(({ part, contribution }) => [
      `${part}, not a sum over pairs`,
      contribution,
      "offset",
    ]),
  ].filter((line) => line && (line[1] !== 0 || line[2] === "others"));
}

/** A waterfall chart: each bar begins where the one above it ends. */
function sum(why) {
  const lines = linesOf(why);
  let at = 0;
  const spans = lines.map(([name, amount, kind]) => {
    const from = at;
    at += amount;
    return { name, amount, kind, from, to: at };
  });
  const ends = [0, why.similarity, ...spans.map((span) => span.to)];
  const low = Math.min(...ends);
  const width = Math.max(...ends) - low || 1;
  const place = (from, to) => ({
    from: (Math.min(from, to) - low) / width,
    length: Math.abs(to - from) / width,
  });
  const zero = (0 - low) / width;
  const row = ({ name, amount, kind, from, to }) =>
    el(
      "tr",
      { data: { kind } },
      el("th", { scope: "row" }, name),
      el(
        "td",
        { class: "run", "aria-hidden": "true" },
        el("span", { class: amount < 0 ? "down" : "up", vars: { ...place(from, to), zero } }),
      ),
      el("td", { class: "amount" }, kind === "total" ? figure(amount) : signed(amount)),
    );
  return el(
    "table",
    { class: "sum" },
    el("caption", {}, "The similarity as a sum of contributions"),
    el("tbody", {}, spans.map(row)),
    el(
      "tfoot",
      {},
      row({ name: "similarity", amount: why.similarity, kind: "total", from: 0, to: why.similarity }),
    ),
  );
}

function meter(name, value) {
  return el(
    "div",
    { class: "meter", vars: { share: Math.max(0, Math.min(1, value)) } },
    el("dt", {}, name),
    el("dd", {}, figure(value)),
  );
}

function pairCard(reason, { largest, single, onWithoutPair, onWithoutSource, onMap }) {
  const [caption, ...further] = reason.captions;
  const origin = [reason.source, reason.licence].filter(Boolean).join(" · ");
  const act = (text, hint, click) =>
    el("button", { type: "button", class: "link", "aria-label": hint, title: hint, on: { click } }, text);
  const shown = picture(reason.image, `Picture of the pair: ${caption ?? reason.id}`);
  const place = `Show on the map: ${caption ?? reason.id}`;
  shown.append(
    el(
      "button",
      { type: "button", "aria-label": place, title: place, on: { click: () => onMap(reason.anchor) } },
      "◎",
    ),
  );
  return el(
    "li",
    { class: "card" },
    shown,
    el(
      "p",
      {
        class: `share ${reason.contribution < 0 ? "down" : "up"}`,
        vars: { share: Math.abs(reason.share) / (largest || 1) },
      },
      el("strong", {}, signed(reason.contribution)),
      " ",
      el("span", {}, el("span", { class: "hidden" }, "share "), percent(Math.abs(reason.share))),
    ),
    el("p", { class: "caption", title: caption }, caption ?? reason.id),
    further.length > 0 &&
      el(
        "details",
        {},
        el("summary", {}, `${count(further.length)} more`),
        el(
          "ul",
          {},
          further.map((text) => el("li", {}, text)),
        ),
      ),
    el(
      "dl",
      { class: "meters" },
      meter("image", reason.image_similarity),
      meter("text", reason.text_similarity),
    ),
    el("p", { class: "origin" }, origin || "source not stated"),
    el(
      "p",
      { class: "acts" },
      act("Exclude", `Exclude this pair: ${caption ?? reason.id}`, () => onWithoutPair(reason)),
      reason.source &&
        !single &&
        act("Exclude source", `Exclude source ${reason.source}`, () => onWithoutSource(reason.source)),
    ),
  );
}
