// What was asked lately, of what could be asked again.

/** A map that lets go of its oldest entry when it is full. */
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
