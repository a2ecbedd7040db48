// Elements and number formats, shared by all parts of the page.

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/**
 * An element. `props` are properties, except for `class`, `data` (an object), `vars` (custom
 * properties), `on` (listeners), and `aria-*` and `role`, which are attributes.
 */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class") made.className = value;
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name === "on") for (const [event, f] of Object.entries(value)) made.addEventListener(event, f);
    else if (name === "vars") for (const [v, x] of Object.entries(value)) made.style.setProperty(`--${v}`, x);
    else if (name.startsWith("aria-") || name === "role" || name === "datetime")
      made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The scroll behaviour: instant if the user prefers reduced motion. */
export const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

/** Announces a text to screen readers. */
export function say(text) {
  $("said").textContent = text;
}

const decimals = (n) => new Intl.NumberFormat("en", { minimumFractionDigits: n, maximumFractionDigits: n });
const [whole, one, two, three] = [0, 1, 2, 3].map(decimals);

/** 0.6321 as `63.2 %`. */
export const percent = (share) => `${one.format(share * 100)} %`;
/** 12345 as `12,345`. */
export const count = (n) => whole.format(n);
/** A similarity, or a contribution without a plus sign. */
export const figure = (x) =>
  (Math.abs(x) >= 100 ? one : Math.abs(x) >= 10 ? two : three).format(x).replace("-", "−");
/** A contribution, always with its sign. */
export const signed = (x) => `${x < 0 ? "−" : "+"}${figure(Math.abs(x))}`;
/** `1 pair`, `2 pairs`. */
export const several = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
/** A time in the format of the user's locale. */
export function moment(text) {
  const date = new Date(text);
  const known = !Number.isNaN(date.getTime());
  return el("time", { datetime: text, textContent: known ? clock.format(date) : text });
}

/** An error box: the message of the server, the id of the request, and optionally a retry button. */
export function trouble(error, again) {
  return el(
    "div",
    { class: "trouble", role: "alert" },
    el("p", {}, error.message),
    error.requestId && el("p", { class: "id" }, "Request ", el("code", {}, error.requestId)),
    again && el("button", { type: "button", on: { click: again } }, "Try again"),
  );
}
