// Pointer and keyboard input on the map.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** A pointer that moved less than this is a click. */
const STILL = 4;

/** One pointer moves, two zoom, a click opens; the wheel zooms with Ctrl, which browsers also send for a pinch. */
export function pointers(canvas, { ready, find, point, open, zoom, move }) {
  const down = new Map();
  let moved = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const apart = () => {
    const [a, b] = [...down.values()];
    return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!ready()) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    moved = down.size > 1 ? Infinity : 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!ready()) return;
    const [x, y] = place(event);
    const before = down.get(event.pointerId);
    if (before === undefined) {
      const found = find(x, y);
      point(found);
      canvas.classList.toggle("on", found >= 0);
      return;
    }
    const [wide] = down.size === 2 ? apart() : [0];
    down.set(event.pointerId, [x, y]);
    moved += Math.hypot(x - before[0], y - before[1]);
    if (down.size === 2) {
      const [now, cx, cy] = apart();
      if (wide > 0) zoom(now / wide, cx, cy);
    } else if (moved > STILL) {
      move(x - before[0], y - before[1]);
    }
  });
  const up = (event) => {
    if (!down.delete(event.pointerId) || moved > STILL || event.type !== "pointerup") return;
    open(find(...place(event)));
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => ready() && down.size === 0 && point(-1));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!ready() || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.004)), ...place(event));
    },
    { passive: false },
  );
}

/** Arrows go from pair to pair, Enter opens, `+` and `-` zoom, 0 shows all. */
export function keys(canvas, { ready, go, open, zoom, showAll }) {
  const acts = {
    Enter: open,
    " ": open,
    "+": () => zoom(1.4),
    "=": () => zoom(1.4),
    "-": () => zoom(1 / 1.4),
    0: showAll,
  };
  canvas.addEventListener("keydown", (event) => {
    if (!ready() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) go(ARROWS[event.key]);
    else if (event.key in acts) acts[event.key]();
    else return;
    event.preventDefault();
  });
}
