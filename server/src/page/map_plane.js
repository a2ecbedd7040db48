// Points on a plane: screen coordinates and nearest-neighbour search.

const CELLS = 64;
/** One more than the largest coordinate from the server. */
const SIZE = 4096;
const CELL = SIZE / CELLS;
/** The zoom limits, as multiples of the overview. */
const CLOSEST = 60;
const FARTHEST = 0.6;
const MARGIN = 28;
/** The margin in pixels within which a point does not count as visible. */
const EDGE = 12;
const STRETCH = 1.8;
/** The share of points at each end that may lie outside the overview, so that outliers do not shrink it. */
const OUTERMOST = 0.012;

/** The points of a map, in a grid for spatial search. */
export class Plane {
  constructor(points, sources) {
    this.points = points;
    this.sources = sources;
    this.bySource = sources.map(() => []);
    points.forEach(([, , source], i) => this.bySource[source].push(i));
    this.cells = Array.from({ length: CELLS * CELLS }, () => []);
    points.forEach(([x, y], i) => this.cells[this.cell(x) + CELLS * this.cell(y)].push(i));
  }

  cell(v) {
    return Math.max(0, Math.min(CELLS - 1, Math.floor(v / CELL)));
  }

  /** The nearest point within an ellipse of these semi-axes, among those that `shown` accepts. */
  nearest(x, y, [rx, ry], shown) {
    let best = -1;
    let least = 1;
    for (let cy = this.cell(y - ry); cy <= this.cell(y + ry); cy += 1) {
      for (let cx = this.cell(x - rx); cx <= this.cell(x + rx); cx += 1) {
        for (const i of this.cells[cx + CELLS * cy]) {
          const [px, py] = this.points[i];
          const distance = ((px - x) / rx) ** 2 + ((py - y) / ry) ** 2;
          if (distance <= least && shown(i)) [best, least] = [i, distance];
        }
      }
    }
    return best;
  }

  /** The next point in a direction, `[dx, dy]` of -1, 0 or 1; -1 if there is none. */
  next(from, [dx, dy], shown) {
    const [x, y] = this.points[from];
    let best = -1;
    let least = Infinity;
    this.points.forEach(([px, py], i) => {
      const along = (px - x) * dx + (py - y) * dy;
      const across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      // The distance across the direction counts double, or navigation would get stuck within a cluster.
      const cost = along + 2 * across;
      if (along > 0 && across <= 2 * along && cost < least && shown(i)) [best, least] = [i, cost];
    });
    return best;
  }
}

/** The visible part of the plane. */
export class View {
  constructor() {
    // `scale` is pixels per unit to the right, `scale * aspect` downwards.
    Object.assign(this, { width: 1, height: 1, ratio: 1, scale: 1, aspect: 1, x: 0, y: 0, fitted: 1 });
  }

  /** Shows all points but the outermost, with a margin. */
  fit(points) {
    const ends = (axis) => {
      const sorted = Uint16Array.from(points, (point) => point[axis]).sort();
      const out = Math.floor(sorted.length * OUTERMOST);
      return [sorted[out], sorted[sorted.length - 1 - out]];
    };
    const [[left, right], [top, bottom]] = [ends(0), ends(1)];
    const room = (pixels) => Math.max(1, pixels - 2 * MARGIN);
    const across = room(this.width) / Math.max(1, right - left);
    const down = room(this.height) / Math.max(1, bottom - top);
    // The two directions have different scales, but too much stretching would be misleading.
    this.aspect = Math.max(1 / STRETCH, Math.min(STRETCH, down / across));
    this.scale = Math.min(across, down / this.aspect);
    this.fitted = this.scale;
    this.centre([(left + right) / 2, (top + bottom) / 2]);
  }

  toScreen([x, y]) {
    return [x * this.scale + this.x, y * this.scale * this.aspect + this.y];
  }

  toPlane(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / (this.scale * this.aspect)];
  }

  /** A length in pixels, in units of the plane to the right and downwards. */
  reach(pixels) {
    return [pixels / this.scale, pixels / (this.scale * this.aspect)];
  }

  /** Centres a point. */
  centre([x, y]) {
    this.x = this.width / 2 - x * this.scale;
    this.y = this.height / 2 - y * this.scale * this.aspect;
  }

  /** Zooms around a fixed position of the screen. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.max(this.fitted * FARTHEST, Math.min(this.fitted * CLOSEST, this.scale * factor));
    const by = scale / this.scale;
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.scale = scale;
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
  }

  /** Centres a point unless it is visible already. */
  reveal(point) {
    const [x, y] = this.toScreen(point);
    const inside = (v, size) => v > EDGE && v < size - EDGE;
    if (!inside(x, this.width) || !inside(y, this.height)) this.centre(point);
  }
}
