// The sheet of the picked label: gets its pairs, and keeps the map's marks in step with it.

import * as api from "./api.js";
import { $, figure, motion, say, several, trouble } from "./dom.js";
import { sheet } from "./reasons.js";
import { PAIRS, keyOf, pickedOf, state } from "./state.js";

/** The server gives no more of each side. */
const MOST = 200;

/** Makes the sheet; `acts` are what its cards can do, but for the map, which it is given. */
export function makeWhy(map, acts) {
  let round = new AbortController();
  /** The explanation on the page, which is not rebuilt under a click. */
  let shown = null;

  function hide() {
    round.abort();
    shown = null;
    $("why").hidden = true;
    map.showReasons([], null, null);
  }

  /** Shows the pairs behind the picked label; `wanted` when somebody asked for them just now. */
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
      // The button that was pressed is made anew, or gone.
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
    `${label} has the similarity ${figure(similarity)}, made of ${several(reasons.length, "pair")} for it, ` +
      `${against.length} against it and ${others.pairs} others`,
  );
}

/** Another image or label is explained by few pairs again. */
export function pick(label) {
  state.picked = label;
  state.pairs = PAIRS;
}
