/** Bytes that have come and were not read yet. What it gives out are copies: they stay as they are. */
export class ByteQueue {
  #buffer = new Uint8Array(1024);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#buffer.length) this.#makeRoom(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next `count` bytes, left where they are and only good until the next `push`; null when there are fewer. */
  peek(count: number): DataView | null {
    if (count > this.length) return null;
    return new DataView(this.#buffer.buffer, this.#start, count);
  }

  /** The next `count` bytes; null, and nothing taken, when there are fewer. */
  take(count: number): Uint8Array | null {
    if (count > this.length) return null;
    const taken = this.#buffer.slice(this.#start, this.#start + count);
    this.#start += count;
    return taken;
  }

  /** Throws away up to `count` bytes; gives how many there were. */
  skip(count: number): number {
    const skipped = Math.min(count, this.length);
    this.#start += skipped;
    return skipped;
  }

  /** Moves what is left to the front; doubles the room only when that is not enough, so each byte moves a few times. */
  #makeRoom(bytes: number): void {
    const needed = this.length + bytes;
    const target =
      needed * 2 > this.#buffer.length
        ? new Uint8Array(Math.max(needed, 2 * this.#buffer.length))
        : this.#buffer;
    target.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = target;
  }
}
