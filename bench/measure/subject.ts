/** One thing to measure, as native/bench/plan.h reads it: one line of words `key=value`. */
export interface Subject {
  name: string;
  /** File name of the filter's object in build/native/bpf; absent: no filter. */
  object?: string;
  program?: 'vmn_from_vm' | 'vmn_to_vm';
  policy?: Uint8Array;
  frame: Uint8Array;
  /** Indices of `counters` that together must count every frame. */
  slots?: readonly number[];
  /** The frame is a UDP super-frame with so many payload bytes a segment. */
  segmentBytes?: number;
  /** The guest writes each frame to its tap, instead of their being injected in batches. */
  written?: boolean;
  device?: string;
  sink?: string;
  /** /run/netns/NAME. */
  netns?: string;
}

/** @throws TypeError for a word that a line cannot carry. */
export function planLine(subject: Subject): string {
  const { policy, slots, segmentBytes, written } = subject;
  const words: [string, string | undefined][] = [
    ['name', subject.name],
    ['object', subject.object],
    ['program', subject.program],
    ['policy', policy === undefined ? undefined : hex(policy)],
    ['frame', hex(subject.frame)],
    ['slots', slots?.join(',')],
    ['segment', segmentBytes?.toString()],
    ['written', written === true ? '1' : undefined],
    ['device', subject.device],
    ['sink', subject.sink],
    ['netns', subject.netns],
  ];
  return words
    .filter((word): word is [string, string] => word[1] !== undefined)
    .map(([key, value]) => {
      if (/\s/.test(value)) throw new TypeError(`${subject.name}: ${key} has a space in it: ${value}`);
      return `${key}=${value}`;
    })
    .join(' ');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
