// Paints the map on a canvas.

/** The number of source colours; further sources share the last one. */
export const COLOURS = 12;

/** The current colours of the style sheet; a canvas cannot read custom properties. */
export function palette() {
  const probe = document.createElement("span");
  // In forced-colors mode, sources must keep distinct colours.
  probe.style.forcedColorAdjust = "none";
  document.body.append(probe);
  const read = (value) => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const colours = {
    sources: Array.from({ length: COLOURS + 1 }, (_, i) => read(`var(--source-${i})`)),
    ink: read("var(--ink)"),
    ground: read("var(--card)"),
    line: read("var(--line)"),
    up: read("var(--accent)"),
    down: read("var(--against)"),
  };
  probe.remove();
  return colours;
}

/** Smaller points are drawn as squares, which look the same and take a tenth of the time. */
const ROUND = 2.2;

/** The radius of a point: smaller for many points, larger when zoomed in. */
function radiusOf(view, points) {
  const crowd = Math.max(1.5, Math.min(4.5, 90 / Math.sqrt(points.length + 1)));
  return Math.min(7, crowd * Math.sqrt(view.scale / view.fitted));
}

/** A disc, drawn once and copied, which is much faster than a path for each point. */
function disc(colour, ground, radius, ratio) {
  const side = Math.ceil(2 * (radius + 1) * ratio);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.beginPath();
  context.arc(side / 2, side / 2, radius * ratio, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = ratio * 0.75;
  context.strokeStyle = ground;
  context.stroke();
  return canvas;
}

/** A function that draws a point, given its centre, in the colour of its source. */
function stamp(context, colours, radius) {
  const side = 2 * radius;
  if (radius < ROUND) {
    return (source, x, y) => {
      context.fillStyle = colours.sources[Math.min(source, COLOURS)];
      context.fillRect(x - radius, y - radius, side, side);
    };
  }
  const discs = colours.sources.map((colour) => disc(colour, colours.ground, radius, devicePixelRatio));
  const wide = discs[0].width / devicePixelRatio;
  return (source, x, y) =>
    context.drawImage(discs[Math.min(source, COLOURS)], x - wide / 2, y - wide / 2, wide, wide);
}

function cleared(canvas, view) {
  const context = canvas.getContext("2d");
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  return context;
}

/** Paints all points; `quiet` dims them behind an explanation. */
export function paintPoints(layer, { view, plane, shown, faded, colours, quiet }) {
  const { points, bySource } = plane;
  const context = cleared(layer, view);
  const radius = radiusOf(view, points);
  const put = stamp(context, colours, radius);
  const [right, below] = [view.width + radius, view.height + radius];
  // Sources with the shared colour first, then large before small, so that small sources stay visible.
  const order = [...bySource.keys()].sort((a, b) => (b >= COLOURS) - (a >= COLOURS) || a - b);
  for (const source of order) {
    if (!shown(source)) continue;
    context.globalAlpha = faded(source) ? 0.12 : quiet ? 0.5 : 0.85;
    for (const i of bySource[source]) {
      const [x, y] = view.toScreen(points[i]);
      if (x > -radius && y > -radius && x < right && y < below) put(source, x, y);
    }
  }
  context.globalAlpha = 1;
}

/** Paints the layer of points, and over it an explanation with its image, the hovered pair and the open pair. */
export function paintOver(canvas, layer, { view, plane, colours, reasons, image, at, open, hover }) {
  const { points } = plane;
  const context = cleared(canvas, view);
  context.drawImage(layer, 0, 0, view.width, view.height);
  const radius = radiusOf(view, points);
  const ring = (i, colour, r, width) => {
    const [x, y] = view.toScreen(points[i]);
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  };
  if (at) {
    const put = stamp(context, colours, Math.max(radius, 3));
    paintReasons(context, { view, points, colours, reasons, at, put, ring, radius: Math.max(radius, 3) });
    if (image) paintImage(context, view.toScreen(at), image, colours);
  }
  if (hover >= 0) ring(hover, colours.ink, radius + 3, 1.5);
  if (open >= 0) {
    ring(open, colours.ground, radius + 6, 5);
    ring(open, colours.ink, radius + 5, 2.5);
  }
}

function paintReasons(context, { view, points, colours, reasons, at, put, ring, radius }) {
  const [x, y] = view.toScreen(at);
  for (const { anchor, share } of reasons) {
    const [px, py] = view.toScreen(points[anchor]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(px, py);
    context.lineWidth = Math.max(1, Math.min(6, Math.abs(share) * 24));
    context.globalAlpha = 0.5;
    context.strokeStyle = share < 0 ? colours.down : colours.up;
    context.stroke();
    context.globalAlpha = 1;
    put(points[anchor][2], px, py);
    ring(anchor, share < 0 ? colours.down : colours.up, radius + 3, 2);
  }
}

function paintImage(context, [x, y], image, colours) {
  const side = 44;
  const [w, h] = [image.naturalWidth, image.naturalHeight];
  const cut = Math.min(w, h);
  context.save();
  context.beginPath();
  context.roundRect(x - side / 2, y - side / 2, side, side, 8);
  context.fillStyle = colours.ground;
  context.shadowColor = "rgb(0 0 0 / .35)";
  context.shadowBlur = 8;
  context.fill();
  context.shadowColor = "transparent";
  context.clip();
  context.drawImage(image, (w - cut) / 2, (h - cut) / 2, cut, cut, x - side / 2, y - side / 2, side, side);
  context.restore();
  context.beginPath();
  context.roundRect(x - side / 2, y - side / 2, side, side, 8);
  context.lineWidth = 2.5;
  context.strokeStyle = colours.up;
  context.stroke();
}
