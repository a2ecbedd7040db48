// The whole page: the query, the anchor set, and the answers.
//
//   ask ──> labels, images ─┐
//   sets ─> set, generation ├─> answers: one request per image ─> bars
//   without ────────────────┘                selected label ─> why: the pairs behind it ─> map
//
// | file | role |
// |---|---|
// | state | the state of the page |
// | api, pictures | the routes of the server; pictures of pairs |
// | ask, without, sets | the query, its excluded pairs, the anchor sets and their generations |
// | answers, bars | scores |
// | why, reasons | the explanation of a score |
// | map, map_plane, map_paint, map_hands, pair | the map, and the selected pair |
// | dom, recent, theme | elements and number formats; a cache; light and dark |

import * as api from "./api.js";
import { askAll } from "./answers.js";
import { asked, mount, showImages, showTemplates } from "./ask.js";
import { makeBars } from "./bars.js";
import { $, count, el, motion, say, several, trouble } from "./dom.js";
import { makeMap } from "./map.js";
import { pairPanel } from "./pair.js";
import { bytesOf } from "./pictures.js";
import { choices, showFacts, showHistory, showPulse, watch } from "./sets.js";
import { compared, newImage, pickedOf, state } from "./state.js";
import { makeWhy, pick } from "./why.js";
import { chips, leftOut, sameGround, summary } from "./without.js";

const withoutPair = ({ id, captions }) => {
  const pairs = new Map(state.without?.pairs).set(id, captions[0] ?? id);
  leaveOut(leftOut(new Set(state.without?.sources), pairs));
};
const withoutSource = (source) =>
  leaveOut(leftOut(new Set(state.without?.sources).add(source), new Map(state.without?.pairs)));

const bars = makeBars((label) => {
  pick(label);
  showAnswer();
  why.show(true);
});
const map = makeMap({ onOpen: openPair });
const why = makeWhy(map, { onWithoutPair: withoutPair, onWithoutSource: withoutSource });
const troubles = new WeakMap();
let mapSeen = false;

// The query.

function addImages(files) {
  const added = files.map(newImage);
  state.images.push(...added);
  select(added[0]);
  say(`${several(added.length, "image")} added`);
  refresh();
}

function select(image) {
  state.selected = image;
  pick(null);
  showAll();
  if (image?.now) why.show();
}

function removeImage(image) {
  const at = state.images.indexOf(image);
  const focused = $("strip").contains(document.activeElement);
  state.images.splice(at, 1);
  URL.revokeObjectURL(image.url);
  if (state.selected === image) select(state.images[Math.min(at, state.images.length - 1)] ?? null);
  else showAll();
  // The pressed button is gone: focus its neighbour, if there is one.
  const next = [...$("strip").querySelectorAll(".remove")][Math.min(at, state.images.length - 1)];
  if (focused) (state.images.length > 1 ? next : $("file")).focus();
}

async function askPair({ id, image }) {
  const bytes = await bytesOf(image);
  addImages([new File([bytes], id, { type: bytes.type })]);
  $("ask").scrollIntoView({ behavior: motion() });
}

async function askAny() {
  if (state.set === null) return;
  try {
    const { name, generation, anchors } = state.set;
    await askPair(await api.anchor(name, Math.floor(Math.random() * anchors), generation));
  } catch (error) {
    $("answer-body").replaceChildren(trouble(error, askAny));
  }
}

function openPair(record) {
  const single = state.set.sources.length < 2;
  const onAsk = () =>
    askPair(record).catch((error) => $("pair").prepend(trouble(error)));
  const onWithoutPair = () => withoutPair(record);
  $("pair").replaceChildren(
    pairPanel(record, { single, onAsk, onWithoutPair, onWithoutSource: withoutSource }),
  );
  say(`Pair ${record.id}: ${record.captions[0] ?? ""}`);
}

function leaveOut(without) {
  state.without = without;
  changeGround();
}

function askGeneration(generation) {
  state.generation = generation;
  changeGround();
  showMap();
}

/** After a change of generation or exclusion: shows the answer, and keeps explaining the same label. */
function changeGround() {
  map.fade(state.without?.sources ?? new Set());
  if (state.selected?.now) {
    state.picked = pickedOf(state.selected);
    const title = $("answer-title");
    // The clicked element may be removed with the new answer.
    const at = document.activeElement;
    if ($("why").contains(at) || $("out").contains(at)) title.focus({ preventScroll: true });
    const { top } = title.getBoundingClientRect();
    if (top < 0 || top > innerHeight) {
      title.closest("section").scrollIntoView({ behavior: motion(), block: "start" });
    }
  }
  showControls();
  refresh(true);
}

// Rendering.

const refresh = (aloud = false) =>
  askAll((image) => {
    showAll();
    if (image !== null && image === state.selected && image.now) why.show();
  }, aloud);

function showAll() {
  showImages(state.images, state.selected, { onSelect: select, onRemove: removeImage });
  showAnswer();
}

function showAnswer() {
  const image = state.selected;
  const body = $("answer-body");
  const content = answerOf(image);
  if (body.firstChild !== content) body.replaceChildren(content);
  const compares = image?.before
    ? "thin bars: the live generation with all pairs"
    : "click a label to see its pairs";
  $("answer-about").textContent = content === bars.element ? compares : "";
  if (content !== bars.element) why.hide();
}

function answerOf(image) {
  if (image === null) return $("nothing").content.cloneNode(true);
  if (image.error) {
    // Announce each error once, even if the page is rendered again.
    if (!troubles.has(image.error))
      troubles.set(
        image.error,
        trouble(image.error, () => refresh()),
      );
    return troubles.get(image.error);
  }
  if (asked().labels.length === 0) {
    return el("p", { class: "empty" }, "Type a label or two, such as: cat, dog");
  }
  if (image.now === null) {
    const lines = [0.7, 0.45, 0.3, 0.2].map((share) => el("span", { vars: { share } }));
    return el("div", { class: "waiting", role: "img", "aria-label": "Loading" }, lines);
  }
  const { predictions } = image.now;
  bars.show({ predictions, before: image.before?.predictions ?? null, picked: pickedOf(image) });
  return bars.element;
}

function showControls() {
  const { sets, set, changes, generation, without } = state;
  const withCount = ({ name, count: n, anchors = n }) => [name, `${name} (${count(anchors)})`];
  choices($("set"), sets.map(withCount), set.name);
  const kept = changes.filter((change) => change.kept && !change.live).reverse();
  const others = kept.map(({ generation: n, command }) => [String(n), `${n}, ${command}`]);
  choices($("generation"), [["", `${set.generation}, live`], ...others], String(generation ?? ""));
  const sources = set.sources.length > 1 ? set.sources : [];
  // The select holds one source; its first option summarizes exclusions made by buttons.
  const [one = ""] = without?.sources.size === 1 ? without.sources : [];
  const first = [["", one === "" ? summary(without) : "none"]];
  choices($("leave-out"), [...first, ...sources.map(withCount)], one);
  for (const id of ["set", "generation"]) $(id).disabled = false;
  $("leave-out").disabled = sources.length === 0 && without === null;
  $("out").hidden = !compared();
  $("out").replaceChildren(...chips(state, { onWithout: leaveOut, onGeneration: askGeneration }));
  showHistory(changes, { asked: generation, onAsk: askGeneration });
}

function showMap() {
  if (mapSeen && state.set)
    map.load(state.set.name, state.generation, state.generation ?? state.set.generation);
}

// The anchor set.

/** Shows an anchor set that was selected or has changed. */
async function showSet() {
  showPulse(state.set, state.rate, null);
  showFacts(state.set, state.rate);
  const of = state.set;
  try {
    const changes = await api.generations(of.name);
    // Another anchor set may be selected by now.
    if (state.set.name !== of.name) return;
    state.changes = changes;
  } catch (error) {
    if (state.set.name !== of.name) return;
    state.changes = [];
    showPulse(of, state.rate, error);
  }
  const kept = state.changes.some((change) => change.kept && change.generation === state.generation);
  if (!kept) state.generation = null;
  showControls();
  showMap();
  refresh();
}

async function onSets(sets, rate) {
  const before = state.set;
  Object.assign(state, { sets, rate, set: sets.find((set) => set.name === before?.name) ?? sets[0] });
  showPulse(state.set, rate, null);
  showFacts(state.set, rate);
  if (before && sameGround(before, state.set)) return;
  // The page works without the published templates.
  if (!before) api.templates().then(showTemplates, () => {});
  if (before) say(`Generation ${state.set.generation} is live`);
  await showSet();
}

function askForKey(wrong) {
  $("key-said").textContent = wrong
    ? "Wrong key. The operator of this server can give you the right one."
    : "Its operator can give you one. The key is stored until this tab is closed.";
  $("key-form").hidden = false;
  $("key").value = "";
  $("key").focus();
  return new Promise((resolve) => {
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      $("key-form").hidden = true;
      resolve($("key").value.trim());
    };
  });
}

mount({ onImages: addImages, onWords: () => refresh() });
$("random").addEventListener("click", askAny);
$("set").addEventListener("change", () => {
  const set = state.sets.find(({ name }) => name === $("set").value);
  Object.assign(state, { set, generation: null, without: null, picked: null });
  map.fade(new Set());
  showSet();
});
$("generation").addEventListener("change", () => {
  const { value } = $("generation");
  askGeneration(value === "" ? null : Number(value));
});
$("leave-out").addEventListener("change", () => {
  const { value } = $("leave-out");
  leaveOut(leftOut(new Set(value === "" ? [] : [value]), new Map(state.without?.pairs)));
});
const nearMap = new IntersectionObserver(
  (seen) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    nearMap.disconnect();
    mapSeen = true;
    showMap();
  },
  { rootMargin: "300px" },
);
nearMap.observe($("plane"));
api.onKeyNeeded(askForKey);
showAll();
watch({ onSets, onTrouble: (error) => showPulse(state.set, null, error) });
