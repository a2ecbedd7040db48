// Pictures of pairs. They are fetched, not linked, because an <img> sends no key.

import * as api from "./api.js";
import { el } from "./dom.js";

const MOST = 400;
/** Narrower pictures are not enlarged to fill their box. */
const SMALL = 128;
/** URL to a promise of its blob, least recently used first. */
const kept = new Map();

/** The bytes at a URL, fetched once. */
export function bytesOf(address) {
  const known = kept.get(address);
  kept.delete(address);
  const bytes = known ?? api.picture(address);
  kept.set(address, bytes);
  // A failed request may be tried again.
  if (!known) bytes.catch(() => kept.delete(address));
  if (kept.size > MOST) kept.delete(kept.keys().next().value);
  return bytes;
}

/** A box with the picture, or with the reason for its absence. */
export function picture(address, alt) {
  const box = el("div", { class: "picture" });
  bytesOf(address)
    .then((bytes) => {
      const img = el("img", { alt, decoding: "async" });
      const url = URL.createObjectURL(bytes);
      for (const end of ["load", "error"])
        img.addEventListener(end, () => URL.revokeObjectURL(url), { once: true });
      img.addEventListener("load", () => img.classList.toggle("small", img.naturalWidth < SMALL), {
        once: true,
      });
      img.src = url;
      box.prepend(img);
    })
    .catch((error) => {
      box.classList.add("gone");
      box.append(
        el("p", {}, error.status === 404 ? "The picture no longer exists" : error.message),
      );
    });
  return box;
}
