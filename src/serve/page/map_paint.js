// Paints the map on a canvas.

/** Beyond these, sources share the last colour. */
export const COLOURS = 12;

/** The colours as the style sheet has them now; a canvas cannot read custom properties. */
export function palette() {
  const probe = document.createElement("span");
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

/** A dot, drawn once and copied: much faster than a path for each of many thousands. */
function dot(colour, ground, radius, ratio) {
  const side = Math.ceil(2 * (radius + 1) * ratio);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.beginPath();
  context.arc(side / 2, side / 2, radius * ratio, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  if (radius > 2.5) {
    context.lineWidth = ratio * 0.75;
    context.strokeStyle = ground;
    context.stroke();
  }
  return canvas;
}

/** Paints points, the reasons of an answer with its image, and what is pointed at or open. */
export function paint(canvas, { view, points, shown, faded, colours, reasons, image, at, open, hover }) {
  const ratio = devicePixelRatio || 1;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  const crowd = Math.max(1.5, Math.min(4.5, 90 / Math.sqrt(points.length + 1)));
  const radius = Math.min(7, crowd * Math.sqrt(view.scale / view.fitted));
  const dots = colours.sources.map((colour) => dot(colour, colours.ground, radius, ratio));
  const half = dots[0].width / ratio / 2;
  const side = 2 * half;
  const quiet = reasons.length > 0 ? 0.45 : 0.85;
  for (let i = 0; i < points.length; i += 1) {
    if (!shown(i)) continue;
    const [x, y] = view.toScreen(points[i]);
    if (x < -side || y < -side || x > view.width + side || y > view.height + side) continue;
    context.globalAlpha = faded(i) ? 0.12 : quiet;
    context.drawImage(dots[Math.min(points[i][2], COLOURS)], x - half, y - half, side, side);
  }
  context.globalAlpha = 1;
  const ring = (i, colour, r, width) => {
    const [x, y] = view.toScreen(points[i]);
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  };
  if (at) paintReasons(context, { view, points, colours, reasons, at, dots, half, ring, radius });
  if (at && image) paintImage(context, view.toScreen(at), image, colours);
  if (hover >= 0) ring(hover, colours.ink, radius + 3, 1.5);
  if (open >= 0) {
    ring(open, colours.ground, radius + 6, 5);
    ring(open, colours.ink, radius + 5, 2.5);
  }
}

function paintReasons(context, { view, points, colours, reasons, at, dots, half, ring, radius }) {
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
    context.drawImage(dots[Math.min(points[anchor][2], COLOURS)], px - half, py - half, 2 * half, 2 * half);
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
