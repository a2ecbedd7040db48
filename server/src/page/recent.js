// A cache of recent entries.

/** A map that drops its oldest entry when it is full. */
export class Recent extends Map {
  constructor(most) {
    super();
    this.most = most;
  }

  set(key, value) {
    if (this.size >= this.most && !this.has(key)) this.delete(this.keys().next().value);
    return super.set(key, value);
  }
}
