/** Big-endian reads over the bytes of a frame that were captured. Callers check `has` first; reads never throw. */
export class FrameView {
  readonly bytes: Uint8Array;
  /** Length of the frame on the wire; more than `bytes.length` when the capture is cut short. */
  readonly frameBytes: number;

  constructor(bytes: Uint8Array, frameBytes: number = bytes.length) {
    this.bytes = bytes;
    this.frameBytes = Math.max(frameBytes, bytes.length);
  }

  has(end: number): boolean {
    return this.bytes.length >= end;
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  u16(at: number): number {
    return this.u8(at) * 0x100 + this.u8(at + 1);
  }

  u32(at: number): number {
    return this.u16(at) * 0x1_0000 + this.u16(at + 2);
  }

  mac(at: number): string {
    return Array.from({ length: 6 }, (_, n) =>
      this.u8(at + n)
        .toString(16)
        .padStart(2, '0'),
    ).join(':');
  }

  ipv4(at: number): string {
    return `${this.u8(at)}.${this.u8(at + 1)}.${this.u8(at + 2)}.${this.u8(at + 3)}`;
  }

  /** RFC 5952: lower case, the longest run of two or more zero groups as `::`, the first of equals. */
  ipv6(at: number): string {
    const groups = Array.from({ length: 8 }, (_, n) => this.u16(at + 2 * n).toString(16));
    const runs = [
      ...groups
        .map((group) => (group === '0' ? '0' : 'x'))
        .join('')
        .matchAll(/00+/g),
    ];
    const longest = runs.reduce<{ start: number; length: number } | null>(
      (best, run) =>
        best && best.length >= run[0].length ? best : { start: run.index, length: run[0].length },
      null,
    );
    if (!longest) return groups.join(':');
    const before = groups.slice(0, longest.start).join(':');
    return `${before}::${groups.slice(longest.start + longest.length).join(':')}`;
  }
}
