// The query: images by choice, drop or paste; labels; prompt templates.

import { $, el, several } from "./dom.js";

/** The delay after typing before a request is sent. */
const PAUSE_MS = 500;

/** Unnamed templates; the value is sent to the server. */
const PLAIN = [
  ["", "a photo of a …"],
  ['["{}"]', "the label alone"],
];
const OWN = ["own", "your own templates…"];

const lines = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The distinct labels in a text. */
export const labelsOf = (text) => [...new Set(lines(text.replaceAll(",", "\n")))];

/** The values of the form, as the server takes them. */
export function asked() {
  const chosen = $("templates").value;
  let templates = null;
  if (chosen === "own") templates = lines($("own-templates").value);
  else if (chosen.startsWith("[")) templates = JSON.parse(chosen);
  else if (chosen) templates = chosen;
  return { labels: labelsOf($("labels").value), templates: templates?.length === 0 ? null : templates };
}

/** Wires the form: `onImages(files)` when images were added, `onWords()` when labels or templates changed. */
export function mount({ onImages, onWords }) {
  showTemplates([]);
  let timer;
  let last = JSON.stringify(asked());
  // A click elsewhere also ends typing, and must not rebuild the page under the pointer without need.
  const now = () => {
    clearTimeout(timer);
    const words = JSON.stringify(asked());
    if (words === last) return;
    last = words;
    onWords();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(now, PAUSE_MS);
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
    showRefused([]);
    onImages([...$("file").files]);
    // So that the same file can be chosen again.
    $("file").value = "";
  });
  fromElsewhere(onImages);
}

/** Offers the published templates by their purpose. */
export function showTemplates(published) {
  const option = ([value, text]) => el("option", { value }, text);
  const named = ({ name, purpose, count: n }) => [
    name,
    `${purpose[0].toUpperCase()}${purpose.slice(1)} (${several(n, "template")})`,
  ];
  const chosen = $("templates").value;
  $("templates").replaceChildren(
    ...PLAIN.map(option),
    option(OWN),
    ...(published.length > 0 ? [el("optgroup", { label: "Published" }, published.map(named).map(option))] : []),
  );
  $("templates").value = chosen;
}

/** Reports files that are not images. */
function showRefused(files) {
  $("refused").hidden = files.length === 0;
  $("refused").textContent =
    files.length === 1 ? `“${files[0].name}” is not an image.` : `${files.length} of the files are not images.`;
}

/** Files that are dropped or pasted anywhere on the page. */
function fromElsewhere(onImages) {
  const drop = $("drop");
  const take = (list) => {
    const isImage = (file) => file.type.startsWith("image/");
    const files = [...list].filter(isImage);
    showRefused([...list].filter((file) => !isImage(file)));
    if (files.length > 0) onImages(files);
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
    const { files = [], types = [] } = event.clipboardData ?? {};
    // Copied table cells contain both text and a picture of it.
    const text = types.includes("text/plain") && event.target.closest?.("textarea, input");
    if (files.length > 0 && !text && take(files)) event.preventDefault();
  });
}

/** The thumbnail of an image, made once: replacing an element would lose a click or the focus. */
const made = new WeakMap();

function thumb(image, { onSelect, onRemove }) {
  const text = el("span", {});
  const button = el(
    "button",
    { type: "button", class: "thumb", on: { click: () => onSelect(image) } },
    el("img", { src: image.url, alt: image.name }),
    text,
  );
  const remove = el(
    "button",
    {
      type: "button",
      class: "remove",
      "aria-label": `Remove ${image.name}`,
      on: { click: () => onRemove(image) },
    },
    "×",
  );
  return { item: el("li", {}, button, remove), button, text };
}

/** Shows the selected image large, and thumbnails if there are several images. */
export function showImages(images, selected, acts) {
  const preview = $("preview");
  preview.hidden = selected === null;
  if (selected && preview.src !== selected.url) {
    Object.assign(preview, { src: selected.url, alt: `The selected image: ${selected.name}` });
  }
  $("drop").classList.toggle("full", selected !== null);
  const strip = $("strip");
  strip.hidden = images.length < 2;
  const items = images.map((image) => {
    if (!made.has(image)) made.set(image, thumb(image, acts));
    const { item, button, text } = made.get(image);
    button.setAttribute("aria-pressed", String(image === selected));
    text.textContent = image.error ? "failed" : (image.now?.predictions[0].label ?? "…");
    return item;
  });
  for (const item of [...strip.children]) if (!items.includes(item)) item.remove();
  strip.append(...items.filter((item) => item.parentNode !== strip));
}
