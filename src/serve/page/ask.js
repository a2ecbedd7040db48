// The question: images by choice, drop or paste; labels; and how they are put into words.

import { $, el, say } from "./dom.js";

/** While somebody types, the question is not asked at each letter. */
const PAUSE_MS = 500;

/** Templates that can be chosen; the value is what the server is told. A test asks it for each. */
export const TEMPLATES = [
  ["", "a photo of a …"],
  ["[\"{}\"]", "the label alone"],
  ["clip:imagenet7", "7 sentences (CLIP)"],
  ["clip:imagenet", "80 sentences (CLIP)"],
  ["clip:cifar", "18, small pictures (CLIP)"],
  ["clip:pets", "pets (CLIP)"],
  ["clip:food", "food (CLIP)"],
  ["clip:flowers", "flowers (CLIP)"],
  ["clip:scenes", "scenes (CLIP)"],
  ["clip:actions", "actions (CLIP)"],
  ["asif:animal", "animals (ASIF)"],
  ["asif:texture", "textures (ASIF)"],
  ["own", "your own templates…"],
];

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** The labels of a text, each once. */
export const labelsOf = (text) => [...new Set(lines(text.replaceAll(",", "\n")))];

/** What the form says, in the server's terms. */
export function asked() {
  const chosen = $("templates").value;
  let templates = null;
  if (chosen === "own") templates = lines($("own-templates").value);
  else if (chosen.startsWith("[")) templates = JSON.parse(chosen);
  else if (chosen) templates = chosen;
  return { labels: labelsOf($("labels").value), templates: templates?.length === 0 ? null : templates };
}

/** Wires the form: `onImages(files)` when images came, `onWords()` when the words changed. */
export function mount({ onImages, onWords }) {
  $("templates").append(...TEMPLATES.map(([value, name]) => el("option", { value }, name)));
  let timer;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(onWords, PAUSE_MS);
  };
  const now = () => {
    clearTimeout(timer);
    onWords();
  };
  for (const text of [$("labels"), $("own-templates")]) {
    text.addEventListener("input", soon);
    text.addEventListener("change", now);
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) now();
    });
  }
  $("templates").addEventListener("change", () => {
    $("own").hidden = $("templates").value !== "own";
    now();
  });
  $("file").addEventListener("change", () => {
    onImages([...$("file").files]);
    // The same file can be chosen again.
    $("file").value = "";
  });
  fromElsewhere(onImages);
}

/** Files that are dropped or pasted anywhere on the page. */
function fromElsewhere(onImages) {
  const drop = $("drop");
  const take = (list) => {
    const files = [...list].filter((file) => file.type.startsWith("image/"));
    if (files.length > 0) onImages(files);
    else if (list.length > 0) say("That is no image");
    return files.length > 0;
  };
  let inside = 0;
  const mark = (by) => {
    inside = Math.max(0, inside + by);
    drop.classList.toggle("over", inside > 0);
  };
  const files = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => files(event) && mark(1));
  addEventListener("dragleave", (event) => files(event) && mark(-1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    mark(-inside);
    take(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length > 0 && take(event.clipboardData.files)) event.preventDefault();
  });
}

/** Shows the images: the selected one large, all of them small where there are several. */
export function showImages(images, selected, { onSelect, onRemove }) {
  const chosen = images.find((image) => image === selected);
  const preview = $("preview");
  preview.hidden = !chosen;
  if (chosen) Object.assign(preview, { src: chosen.url, alt: `The image asked about: ${chosen.name}` });
  $("drop").classList.toggle("full", Boolean(chosen));
  const strip = $("strip");
  strip.hidden = images.length < 2;
  strip.replaceChildren(...images.map((image) => {
    const best = image.now?.predictions[0];
    return el("li", {},
      el("button", {
        type: "button", class: "thumb", "aria-pressed": String(image === chosen), on: { click: () => onSelect(image) },
      },
      el("img", { src: image.url, alt: image.name }),
      el("span", {}, image.error ? "failed" : best?.label ?? "…")),
      el("button", {
        type: "button", class: "remove", "aria-label": `Remove ${image.name}`, on: { click: () => onRemove(image) },
      }, "×"));
  }));
}
