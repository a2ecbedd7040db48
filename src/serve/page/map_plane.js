// Points on a plane: where they are on the screen, and which is nearest.

const CELLS = 64;
/** The largest coordinate that the server gives, plus one. */
const SIZE = 4096;
const CELL = SIZE / CELLS;
/** How far one can go in. */
const CLOSEST = 60;

/** The points of a map, found by place through a grid. */
export class Plane {
  constructor(points) {
    this.points = points;
    this.cells = Array.from({ length: CELLS * CELLS }, () => []);
    points.forEach(([x, y], i) => this.cells[this.cell(x) + CELLS * this.cell(y)].push(i));
  }

  cell(v) {
    return Math.max(0, Math.min(CELLS - 1, Math.floor(v / CELL)));
  }

  /** The point nearest to a place, at most `reach` away, of those that `shown` lets through. */
  nearest(x, y, reach, shown) {
    let best = -1;
    let least = reach * reach;
    for (let cy = this.cell(y - reach); cy <= this.cell(y + reach); cy += 1) {
      for (let cx = this.cell(x - reach); cx <= this.cell(x + reach); cx += 1) {
        for (const i of this.cells[cx + CELLS * cy]) {
          const [px, py] = this.points[i];
          const distance = (px - x) ** 2 + (py - y) ** 2;
          if (distance <= least && shown(i)) [best, least] = [i, distance];
        }
      }
    }
    return best;
  }

  /** The next point in a direction, `[dx, dy]` of -1, 0 or 1; -1 where there is none. */
  next(from, [dx, dy], shown) {
    const [x, y] = this.points[from];
    let best = -1;
    let least = Infinity;
    this.points.forEach(([px, py], i) => {
      const along = (px - x) * dx + (py - y) * dy;
      const across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      // Straight ahead counts more than near by, or one would never leave a cluster sideways.
      const cost = along + 2 * across;
      if (along > 0 && across <= 2 * along && cost < least && shown(i)) [best, least] = [i, cost];
    });
    return best;
  }
}

/** What part of the plane is seen. */
export class View {
  constructor() {
    Object.assign(this, { width: 1, height: 1, scale: 1, x: 0, y: 0, fitted: 1 });
  }

  /** Shows all points, with a margin. */
  fit(points) {
    let [left, right, top, bottom] = [SIZE, 0, SIZE, 0];
    for (const [x, y] of points) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    const margin = 28;
    const room = (pixels) => Math.max(1, pixels - 2 * margin);
    this.scale = Math.min(room(this.width) / Math.max(1, right - left), room(this.height) / Math.max(1, bottom - top));
    this.fitted = this.scale;
    this.x = this.width / 2 - this.scale * (left + right) / 2;
    this.y = this.height / 2 - this.scale * (top + bottom) / 2;
  }

  toScreen([x, y]) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }

  toPlane(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /** Zooms, with this place of the screen staying where it is. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.max(this.fitted * 0.6, Math.min(this.fitted * CLOSEST, this.scale * factor));
    const by = scale / this.scale;
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.scale = scale;
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
  }

  /** Brings a point into the middle unless it is well inside already. */
  reveal(point) {
    const [x, y] = this.toScreen(point);
    const inside = (v, size) => v > size * 0.08 && v < size * 0.92;
    if (!inside(x, this.width) || !inside(y, this.height)) this.move(this.width / 2 - x, this.height / 2 - y);
  }
}
