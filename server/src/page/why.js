// The explanation of the selected label: requests its pairs, and updates the marks on the map.

import * as api from "./api.js";
import { $, figure, motion, say, several, trouble } from "./dom.js";
import { sheet } from "./reasons.js";
import { PAIRS, keyOf, pickedOf, state } from "./state.js";

/** The most pairs for and against a label that the server lists. */
const MOST = 200;

/** Makes the explanation panel; `acts` are the actions of its cards, apart from those of the map. */
export function makeWhy(map, acts) {
  let round = new AbortController();
  /** The rendered explanation, which is not rebuilt under a click. */
  let shown = null;

  function hide() {
    round.abort();
    shown = null;
    $("why").hidden = true;
    map.showReasons([], null, null);
  }

  /** Shows the explanation of the selected label; `wanted` if the user requested it. */
  async function show(wanted = false) {
    round.abort();
    round = new AbortController();
    const { signal } = round;
    const image = state.selected;
    const label = pickedOf(image);
    const [section, body] = [$("why"), $("why-body")];
    $("why-title").textContent = `Why “${label}”?`;
    section.hidden = false;
    body.setAttribute("aria-busy", "true");
    if (wanted && section.getBoundingClientRect().top > innerHeight * 0.8) {
      section.scrollIntoView({ behavior: motion(), block: "nearest" });
    }
    try {
      const why = await explained(image, label, signal);
      if (signal.aborted) return;
      if (why !== shown) render(why, image);
      if (wanted) announce(why);
    } catch (error) {
      if (signal.aborted) return;
      shown = null;
      body.replaceChildren(trouble(error, () => show()));
    } finally {
      if (!signal.aborted) body.removeAttribute("aria-busy");
    }
  }

  function render(why, image) {
    shown = why;
    $("why-about").textContent = `generation ${why.generation}`;
    const more = async () => {
      state.pairs = Math.min(MOST, state.pairs * 3);
      await show();
      // The pressed button was rebuilt or removed.
      const next = $("why-body").querySelector(".group ~ button") ?? $("why-title");
      if (document.activeElement === document.body) next.focus({ preventScroll: true });
    };
    const onMap = (anchor) => {
      $("plane").scrollIntoView({ behavior: motion(), block: "center" });
      map.open(anchor, why.generation);
    };
    const single = state.set.sources.length < 2;
    const onMore = state.pairs < MOST && more;
    $("why-body").replaceChildren(sheet(why, { ...acts, single, onMap, onMore }));
    map.showReasons([...why.reasons, ...why.against], why.generation, image.url);
  }

  return { show, hide };
}

async function explained(image, label, signal) {
  const key = `${keyOf(image.asked)} ${label} ${state.pairs}`;
  if (!image.answers.has(key)) {
    image.answers.set(key, await api.explain(image.file, image.asked, label, state.pairs, signal));
  }
  return image.answers.get(key);
}

function announce({ label, similarity, reasons, against, others }) {
  say(
    `${label} has the similarity ${figure(similarity)}: ${several(reasons.length, "pair")} for it, ` +
      `${against.length} against it and ${others.pairs} others`,
  );
}

/** Selects a label, and resets the number of pairs. */
export function pick(label) {
  state.picked = label;
  state.pairs = PAIRS;
}
