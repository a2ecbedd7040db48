// The page as a whole: what is asked, of what, and what is shown of the answers.
//
//   ask ──> question ─┐
//   sets ─> ground ───┴─> refresh ─> one request an image (and one to compare with) ─> bars
//                                                              picked label ─> reasons, map

import * as api from "./api.js";
import { asked, mount, showImages } from "./ask.js";
import { makeBars } from "./bars.js";
import { $, el, figure, percent, say, several, trouble } from "./dom.js";
import { makeMap } from "./map.js";
import { pairPanel } from "./pair.js";
import { bytesOf } from "./pictures.js";
import { sheet } from "./reasons.js";
import { choices, showFacts, showHistory, showPulse, watch } from "./sets.js";
import { chips, sameGround, wire } from "./without.js";

/** Images that are asked about at once; the server makes batches of them. */
const AT_ONCE = 4;
const PAIRS = 6;
const MOST_PAIRS = 200;

const state = {
  sets: [],
  set: null,
  rate: null,
  changes: [],
  /** A generation, or null for whichever is live. */
  generation: null,
  /** `{ source }`, `{ pairs: Map of id to caption }`, or null. */
  without: null,
  images: [],
  selected: null,
  /** The label whose pairs are shown; null is the best one. */
  picked: null,
  pairs: PAIRS,
  /** The explanation on the page. */
  why: null,
};

let round = new AbortController();
let explaining = new AbortController();
let mapSeen = false;

const bars = makeBars((label) => {
  state.picked = label;
  state.pairs = PAIRS;
  showAnswer();
  explain(true);
});
const map = makeMap({ onOpen: (anchor, record) => {
  $("pair").replaceChildren(pairPanel(record, {
    single: state.set.sources.length < 2,
    onAsk: () => askPair(record),
    onWithoutPair: () => withoutPair(record),
    onWithoutSource: withoutSource,
  }));
  say(`Pair ${record.id}: ${record.captions[0] ?? ""}`);
} });

// What is asked.

/** The question as the server takes it; `plain` is the live set with all its pairs. */
function question(plain = false) {
  return {
    set: state.set.name,
    ...asked(),
    generation: plain ? null : state.generation,
    without: plain ? null : wire(state.without),
  };
}

const compared = () => state.generation !== null || state.without !== null;

/** A question's key; what is live is named by its number, so that a swap makes it another. */
const keyOf = (q) => JSON.stringify({ ...q, generation: q.generation ?? `live ${state.set.generation}` });

function addImages(files) {
  const added = files.map((file) => ({
    file, name: file.name || "pasted image", url: URL.createObjectURL(file), answers: new Map(), now: null, before: null, error: null,
  }));
  state.images.push(...added);
  select(added[0]);
  say(`${several(added.length, "image")} taken`);
  refresh();
}

function select(image) {
  state.selected = image;
  state.picked = null;
  state.pairs = PAIRS;
  showAll();
  explain(false);
}

function removeImage(image) {
  const at = state.images.indexOf(image);
  state.images.splice(at, 1);
  URL.revokeObjectURL(image.url);
  if (state.selected === image) select(state.images[Math.min(at, state.images.length - 1)] ?? null);
  else showAll();
}

async function askPair(record) {
  const bytes = await bytesOf(record.image);
  addImages([new File([bytes], record.id, { type: bytes.type })]);
  $("ask").scrollIntoView();
}

async function askAny() {
  const { name, generation, anchors } = state.set;
  try {
    await askPair(await api.anchor(name, Math.floor(Math.random() * anchors), generation));
  } catch (error) {
    $("answer-body").replaceChildren(trouble(error, askAny));
  }
}

function withoutPair({ id, captions }) {
  const pairs = new Map(state.without?.pairs);
  pairs.set(id, captions[0] ?? id);
  leaveOut({ pairs });
}

function withoutSource(source) {
  leaveOut({ source });
}

function leaveOut(without) {
  state.without = without;
  keepLabel();
  map.fade(without?.source ?? null);
  showControls();
  refresh(true);
}

function askGeneration(generation) {
  state.generation = generation;
  keepLabel();
  showControls();
  showMap();
  refresh(true);
}

/** What changes the answer is seen at the answer, and the same label goes on being explained. */
function keepLabel() {
  if (!state.selected?.now) return;
  state.picked = pickedOf(state.selected);
  const title = $("answer-title");
  // What was clicked may be gone when the answer is there.
  if ($("why").contains(document.activeElement) || $("out").contains(document.activeElement)) title.focus({ preventScroll: true });
  if (title.getBoundingClientRect().top < 0 || title.getBoundingClientRect().top > innerHeight) {
    title.closest("section").scrollIntoView({ behavior: motion(), block: "start" });
  }
}

const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

// The answers.

/** Asks what is not known yet, the selected image first; `aloud` says how the answer changed. */
async function refresh(aloud = false) {
  round.abort();
  round = new AbortController();
  const { signal } = round;
  if (state.set === null) return;
  const [now, plain] = [question(), question(true)];
  for (const image of state.images) image.error = null;
  if (now.labels.length === 0) {
    for (const image of state.images) Object.assign(image, { now: null, before: null });
    showAll();
    return;
  }
  const first = (image) => (image === state.selected ? 0 : 1);
  const waiting = [...state.images].sort((a, b) => first(a) - first(b));
  $("answer-body").setAttribute("aria-busy", "true");
  const worker = async () => {
    for (let image = waiting.shift(); image && !signal.aborted; image = waiting.shift()) {
      await answer(image, now, plain, signal);
      if (signal.aborted) return;
      showAll();
      if (image === state.selected) {
        announce(image, aloud);
        explain(false);
      }
    }
  };
  showAll();
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
    if (!signal.aborted) Object.assign(image, { now: a, before: b, asked: now, error: null });
  } catch (error) {
    if (!signal.aborted) Object.assign(image, { now: null, before: null, error });
  }
}

function announce({ now, before, error }, aloud) {
  if (error || !now) return;
  const best = now.predictions[0];
  const was = before?.predictions.find((p) => p.label === best.label);
  const change = aloud && was ? `, before ${percent(was.score)}` : "";
  say(`${best.label}: ${percent(best.score)}${change}`);
}

// What is shown.

function showAll() {
  showImages(state.images, state.selected, { onSelect: select, onRemove: removeImage });
  showAnswer();
}

function showAnswer() {
  const body = $("answer-body");
  const image = state.selected;
  const about = $("answer-about");
  about.textContent = "";
  if (image === null) {
    body.replaceChildren(el("div", { class: "nothing" },
      el("p", { class: "large" }, "Give an image and some labels."),
      el("p", {}, "Nothing is trained: the labels may be any words. Each score is a sum over image-text pairs of the set, "
        + "and a click on a label shows them.")));
  } else if (image.error) {
    body.replaceChildren(trouble(image.error, () => refresh()));
  } else if (asked().labels.length === 0) {
    body.replaceChildren(el("p", { class: "empty" }, "Type a label or two, such as: cat, dog"));
  } else if (image.now === null) {
    body.replaceChildren(el("div", { class: "waiting", "aria-label": "Asking" }, ...[70, 45, 30, 20].map((w) =>
      el("span", { vars: { share: w / 100 } }))));
  } else {
    const { predictions } = image.now;
    bars.show({ predictions, before: image.before?.predictions ?? null, picked: pickedOf(image) });
    about.textContent = image.before ? "the thin bars are the live set with all its pairs" : "click a label to see its pairs";
    if (body.firstChild !== bars.element) body.replaceChildren(bars.element);
  }
  if (image === null || image.error || image.now === null) hideWhy();
}

const pickedOf = (image) =>
  (image.now.predictions.some((p) => p.label === state.picked) ? state.picked : image.now.predictions[0].label);

function hideWhy() {
  if (state.selected?.now && !state.selected.error) return;
  explaining.abort();
  $("why").hidden = true;
  state.why = null;
  map.showReasons([], null);
}

/** Shows the pairs behind the picked label; `asked` when somebody wants to see them now. */
async function explain(wanted) {
  explaining.abort();
  explaining = new AbortController();
  const { signal } = explaining;
  const image = state.selected;
  if (!image?.now) return;
  const label = pickedOf(image);
  const [section, body] = [$("why"), $("why-body")];
  $("why-title").textContent = `Why “${label}”?`;
  section.hidden = false;
  body.setAttribute("aria-busy", "true");
  if (wanted && section.getBoundingClientRect().top > innerHeight * 0.8) {
    section.scrollIntoView({ behavior: motion(), block: "nearest" });
  }
  try {
    const key = `${keyOf(image.asked)} ${label} ${state.pairs}`;
    if (!image.answers.has(key)) image.answers.set(key, await api.explain(image.file, image.asked, label, state.pairs, signal));
    const why = image.answers.get(key);
    if (signal.aborted) return;
    if (why !== state.why) showWhy(why, image);
    if (wanted) {
      say(`${label} has the similarity ${figure(why.similarity)}, made of ${several(why.reasons.length, "pair")} for it, `
        + `${why.against.length} against it and ${why.others.pairs} others`);
    }
  } catch (error) {
    if (signal.aborted) return;
    state.why = null;
    body.replaceChildren(trouble(error, () => explain(false)));
  } finally {
    if (!signal.aborted) body.removeAttribute("aria-busy");
  }
}

function showWhy(why, image) {
  state.why = why;
  $("why-about").textContent = `generation ${why.generation}`;
  $("why-body").replaceChildren(sheet(why, {
    single: state.set.sources.length < 2,
    onWithoutPair: withoutPair,
    onWithoutSource: withoutSource,
    onMap: (anchor) => {
      $("plane").scrollIntoView({ behavior: motion(), block: "center" });
      map.open(anchor);
    },
    onMore: state.pairs < MOST_PAIRS && (() => {
      state.pairs = Math.min(MOST_PAIRS, state.pairs * 3);
      explain(false);
    }),
  }));
  map.showReasons([...why.reasons, ...why.against], image.url);
}

// The set.

function showControls() {
  const { set, changes } = state;
  choices($("set"), state.sets.map(({ name, anchors }) => [name, `${name} (${anchors.toLocaleString("en")})`]), set.name);
  const kept = changes.filter((change) => change.kept && !change.live).reverse();
  choices($("generation"), [["", `${set.generation}, live`], ...kept.map((change) =>
    [String(change.generation), `${change.generation}, ${change.command}`])], String(state.generation ?? ""));
  const sources = set.sources.length > 1 ? set.sources : [];
  choices($("leave-out"), [["", state.without?.pairs ? several(state.without.pairs.size, "pair") : "nothing: all pairs"],
    ...sources.map(({ name, count }) => [name, `${name} (${count.toLocaleString("en")})`])], state.without?.source ?? "");
  $("leave-out").disabled = sources.length === 0 && state.without === null;
  $("out").hidden = !compared();
  $("out").replaceChildren(...chips(state, { onWithout: leaveOut, onGeneration: askGeneration }));
  showHistory(changes, { asked: state.generation, onAsk: askGeneration });
}

function showMap() {
  if (mapSeen && state.set) map.load(state.set.name, state.generation, state.generation ?? state.set.generation);
}

async function showSet() {
  state.changes = await api.generations(state.set.name);
  if (!state.changes.some((change) => change.kept && change.generation === state.generation)) state.generation = null;
  showControls();
  showMap();
}

async function onSets(sets, rate) {
  const before = state.set;
  Object.assign(state, { sets, rate, set: sets.find((set) => set.name === before?.name) ?? sets[0] });
  showPulse(state.set, rate, null);
  showFacts(state.set, rate);
  if (before && sameGround(before, state.set)) return;
  if (before) say(`Generation ${state.set.generation} is live`);
  await showSet();
  refresh();
}

mount({ onImages: addImages, onWords: () => refresh() });
$("random").addEventListener("click", askAny);
$("set").addEventListener("change", async () => {
  Object.assign(state, { set: state.sets.find(({ name }) => name === $("set").value), generation: null, without: null, picked: null });
  map.fade(null);
  showPulse(state.set, state.rate, null);
  showFacts(state.set, state.rate);
  await showSet();
  refresh();
});
$("generation").addEventListener("change", () => askGeneration($("generation").value === "" ? null : Number($("generation").value)));
$("leave-out").addEventListener("change", () => leaveOut($("leave-out").value === "" ? null : { source: $("leave-out").value }));
new IntersectionObserver((seen, observer) => {
  if (!seen.some((entry) => entry.isIntersecting)) return;
  observer.disconnect();
  mapSeen = true;
  showMap();
}, { rootMargin: "300px" }).observe($("plane"));

api.onKeyNeeded((wrong) => new Promise((resolve) => {
  $("key-said").textContent = wrong
    ? "That was not the key. Whoever runs this server can give you the right one."
    : "Whoever runs it can give you one. It is kept until this tab is closed.";
  $("key-form").hidden = false;
  $("key").value = "";
  $("key").focus();
  $("key-form").onsubmit = (event) => {
    event.preventDefault();
    $("key-form").hidden = true;
    resolve($("key").value.trim());
  };
}));

showAll();
watch({ onSets, onTrouble: (error) => showPulse(state.set, null, error) });
