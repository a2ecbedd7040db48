// The map of the pairs.

import * as api from "./api.js";
import { $, count, el, percent, say, several, trouble } from "./dom.js";
import { keys, pointers } from "./map_hands.js";
import { COLOURS, paintOver, paintPoints, palette } from "./map_paint.js";
import { Plane, View } from "./map_plane.js";
import { Recent } from "./recent.js";

/** The largest distance between pointer and point, in pixels. */
const REACH = 12;
/** The delay before the record under the pointer is fetched. */
const REST_MS = 70;
/** The number of cached records. */
const RECORDS = 2000;

/** Makes the map; calls `onOpen(record)` when a pair is opened. */
export function makeMap({ onOpen }) {
  const canvas = $("canvas");
  const layer = document.createElement("canvas");
  const view = new View();
  let plane = null;
  let where = null;
  let loading = null;
  /** A pair to open once the map is loaded. */
  let awaited = -1;
  let address = null;
  let colours = palette();
  let hidden = new Set();
  let withoutSources = new Set();
  let reasons = [];
  /** The generation of their anchor numbers. */
  let numbered = null;
  let image = null;
  let [hover, open] = [-1, -1];
  let frame = 0;
  let stale = true;
  const records = new Recent(RECORDS);

  const shown = (i) => !hidden.has(plane.points[i][2]);

  /** Paints in the next frame; repaints the points only if they changed. */
  function draw(moved = true) {
    stale ||= moved;
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (plane === null) return;
      const seen = numbered === plane.generation ? reasons : [];
      const at = middle(seen);
      const faded = (source) => withoutSources.has(plane.sources[source]);
      if (stale)
        paintPoints(layer, {
          view,
          plane,
          shown: (source) => !hidden.has(source),
          faded,
          colours,
          quiet: at !== null,
        });
      stale = false;
      paintOver(canvas, layer, { view, plane, colours, reasons: seen, image, at, open, hover });
    });
  }

  /** The position for the query image: the weighted mean of the pairs that contribute to its label. */
  function middle(seen) {
    const spoke = seen.filter((r) => r.share > 0);
    const weight = spoke.reduce((sum, r) => sum + r.share, 0);
    if (weight === 0) return null;
    const along = (axis) =>
      spoke.reduce((sum, r) => sum + r.share * plane.points[r.anchor][axis], 0) / weight;
    return [along(0), along(1)];
  }

  function resize() {
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    if (width === 0 || (view.width === width && view.height === height && view.ratio === ratio)) return;
    const first = view.width === 1;
    const middleNow = view.toPlane(view.width / 2, view.height / 2);
    Object.assign(view, { width, height, ratio });
    for (const sized of [canvas, layer])
      Object.assign(sized, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    if (plane && first) view.fit(plane.points);
    else {
      view.centre(middleNow);
    }
    draw();
  }

  /** Handles a move to a screen with another pixel ratio. */
  function watchRatio() {
    const another = () => {
      resize();
      watchRatio();
    };
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", another, { once: true });
  }

  /** Loads the map of a generation (null is the live one), unless it is shown already. */
  async function load(set, generation, now) {
    const wanted = `${set}/${now}`;
    if (where === wanted) return;
    where = wanted;
    loading?.abort();
    loading = new AbortController();
    const state = $("map-state");
    state.hidden = false;
    state.textContent = plane ? "" : "Loading the map…";
    try {
      const got = await api.map(set, generation, loading.signal);
      plane = Object.assign(new Plane(got.points, got.sources), { set, generation: got.generation });
      [hover, open] = [-1, -1];
      hidden = new Set();
      $("pair").replaceChildren(el("p", { class: "empty" }, "Click a dot to see its pair."));
      $("map-about").textContent =
        `${several(got.points.length, "pair")}; similar images are close to each other. ` +
        `The two directions explain ${percent(got.explained)} of the variance.`;
      resize();
      view.fit(plane.points);
      legend();
      state.hidden = true;
      draw();
      openPair(awaited);
    } catch (error) {
      if (error.name === "AbortError") return;
      where = null;
      state.replaceChildren(trouble(error, () => load(set, generation, now)));
    }
  }

  function legend() {
    const boxes = plane.sources.map((name, i) => {
      const box = el("input", {
        type: "checkbox",
        checked: true,
        on: {
          change: () => {
            if (box.checked) hidden.delete(i);
            else hidden.add(i);
            draw();
          },
        },
      });
      const swatch = el("span", {
        class: "swatch",
        "aria-hidden": "true",
        vars: { colour: `var(--source-${Math.min(i, COLOURS)})` },
      });
      return el(
        "label",
        {},
        box,
        swatch,
        el("span", { class: "name" }, name),
        el("span", { class: "n" }, count(plane.bySource[i].length)),
      );
    });
    const all = (checked) => () => {
      hidden = new Set(checked ? [] : plane.sources.keys());
      for (const box of $("legend").querySelectorAll("input")) box.checked = checked;
      draw();
    };
    const choose = (text, checked) =>
      el("button", { type: "button", class: "link", on: { click: all(checked) } }, text);
    $("legend-acts").replaceChildren(...(boxes.length > 2 ? [choose("All", true), choose("None", false)] : []));
    $("legend").replaceChildren(...boxes);
  }

  /** The record of a pair, fetched once per map. */
  function record(i) {
    const key = `${plane.set}/${plane.generation}/${i}`;
    if (!records.has(key)) {
      const got = api.anchor(plane.set, i, plane.generation);
      got.catch(() => records.delete(key));
      records.set(key, got);
    }
    return records.get(key);
  }

  let rest;
  /** Highlights a pair; `aloud` also announces it to screen readers. */
  function point(i, aloud) {
    if (i === hover && !aloud) return;
    hover = i;
    draw(false);
    clearTimeout(rest);
    const tip = $("tip");
    tip.hidden = i < 0;
    if (i < 0) return;
    const source = plane.sources[plane.points[i][2]];
    tip.replaceChildren(el("strong", {}, source));
    placeTip(i);
    rest = setTimeout(async () => {
      const known = await record(i).catch(() => null);
      if (hover !== i || known === null) return;
      tip.replaceChildren(el("strong", {}, known.captions[0] ?? known.id), el("span", {}, known.id));
      placeTip(i);
      if (aloud) say(`${known.captions[0] ?? ""}, ${known.id}, ${source}`);
    }, REST_MS);
  }

  function placeTip(i) {
    const tip = $("tip");
    const [x, y] = view.toScreen(plane.points[i]);
    const left = Math.max(6, Math.min(view.width - tip.offsetWidth - 6, x + 14));
    const top = y + 18 + tip.offsetHeight > view.height ? y - tip.offsetHeight - 12 : y + 14;
    tip.style.setProperty("left", `${left}px`);
    tip.style.setProperty("top", `${Math.max(6, top)}px`);
  }

  async function openPair(i) {
    awaited = plane === null ? i : -1;
    if (plane === null || i < 0 || i >= plane.points.length) return;
    const of = plane;
    open = i;
    view.reveal(plane.points[i]);
    draw();
    try {
      const known = await record(i);
      if (open === i && plane === of) onOpen(known);
    } catch (error) {
      if (open !== i || plane !== of) return;
      $("pair").replaceChildren(trouble(error, () => openPair(i)));
    }
  }

  function zoom(factor, x, y) {
    view.zoom(factor, x, y);
    point(-1);
    draw();
  }

  function showAll() {
    if (plane) view.fit(plane.points);
    point(-1);
    draw();
  }

  pointers(canvas, {
    ready: () => plane !== null,
    find: (x, y) => plane.nearest(...view.toPlane(x, y), view.reach(REACH), shown),
    point,
    open: openPair,
    zoom,
    move: (dx, dy) => {
      view.move(dx, dy);
      point(-1);
      draw();
    },
  });
  keys(canvas, {
    ready: () => plane !== null,
    go: (direction) => {
      const from = hover >= 0 ? hover : open;
      const next =
        from < 0
          ? plane.nearest(...view.toPlane(view.width / 2, view.height / 2), [8192, 8192], shown)
          : plane.next(from, direction, shown);
      if (next < 0) return;
      view.reveal(plane.points[next]);
      draw();
      point(next, true);
    },
    open: () => openPair(hover),
    zoom,
    showAll,
  });
  $("zoom-in").addEventListener("click", () => zoom(1.6));
  $("zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  $("zoom-all").addEventListener("click", showAll);
  addEventListener("asif-theme", () => {
    colours = palette();
    draw();
  });
  new ResizeObserver(resize).observe(canvas);
  watchRatio();

  return {
    load,
    /** Opens a pair if the map shows its generation. */
    open(anchor, generation) {
      if (plane === null || plane.generation === generation) openPair(anchor);
    },
    /** Shows the pairs of an explanation, and the URL of its image; empty without an answer. */
    showReasons(list, generation, wanted) {
      [reasons, numbered] = [list, generation];
      if (wanted === null) image = null;
      else if (wanted !== address) {
        const loaded = Object.assign(new Image(), { src: wanted });
        image = null;
        loaded.decode().then(
          () => {
            // Another image may be selected by now.
            if (address !== wanted) return;
            image = loaded;
            draw();
          },
          () => {},
        );
      }
      address = wanted;
      draw();
    },
    /** The sources whose pairs are excluded. */
    fade(sources) {
      withoutSources = sources;
      draw();
    },
  };
}
