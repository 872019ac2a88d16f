/**
 * What the filters report: the first frame of each kind that broke a rule (told again after ten seconds, at most 32 a
 * second for each VM and CPU), and that the violations of a VM reached the threshold of its policy.
 */
import { endianness } from 'node:os';
import { addon, type Closable } from './addon.ts';
import { eventsPin } from './bpffs.ts';
import type { Direction } from './filter-engine.ts';
import { attempt } from './native-failure.ts';

/** One frame that broke a rule. */
export interface FilterEvent {
  /** `violations`: it is the one that reached the threshold. */
  kind: (typeof EVENT_KINDS)[number];
  /** It passed all the same: the policy counts and does not enforce. */
  audited: boolean;
  /** CLOCK_MONOTONIC, as process.hrtime.bigint(). */
  timeNs: bigint;
  /** Of the policy it was judged by; 0 without one. */
  generation: bigint;
  ifindex: number;
  /** Length of the whole frame. */
  frameBytes: number;
  direction: Direction;
  reason: number;
  /** The frame's first bytes, at most 64. */
  head: Uint8Array;
}

/** Offsets in `struct vmn_event` (native/include/vmn/abi.h); a test compares them with the compiler's. */
export const EVENT_LAYOUT = {
  time_ns: 0,
  generation: 8,
  ifindex: 16,
  frame_bytes: 20,
  head_bytes: 24,
  direction: 26,
  reason: 27,
  kind: 28,
  audited: 29,
  head: 32,
} as const;
export const EVENT_BYTES = 96;
/** By the number in the event. */
export const EVENT_KINDS = ['drop', 'violations'] as const;

const LITTLE = endianness() === 'LE';

/**
 * Calls back for each event of every filter below `root`, from Node's event loop. There is one reader a root: what one
 * takes another does not see. Keeps the process alive until closed.
 * @throws VmnError VMN_BPF_MAP when no filter was ever attached below `root`
 */
export function openEvents(root: string, onEvent: (event: FilterEvent) => void): Closable {
  const path = eventsPin(root);
  return attempt(
    {
      code: 'VMN_BPF_MAP',
      attempted: 'open the events of the filters',
      on: path,
      means: { ENOENT: { remedy: 'It appears with the first filter that is attached.' } },
    },
    () =>
      addon().openEvents(path, (bytes) => {
        const event = decodeEvent(bytes);
        if (event !== null) onEvent(event);
      }),
  );
}

/** null for bytes that are no event of this version. */
export function decodeEvent(bytes: Uint8Array): FilterEvent | null {
  if (bytes.byteLength !== EVENT_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = EVENT_LAYOUT;
  const headBytes = Math.min(view.getUint16(at.head_bytes, LITTLE), EVENT_BYTES - at.head);
  const kind = EVENT_KINDS[view.getUint8(at.kind)];
  if (kind === undefined) return null;
  return {
    kind,
    audited: view.getUint8(at.audited) !== 0,
    timeNs: view.getBigUint64(at.time_ns, LITTLE),
    generation: view.getBigUint64(at.generation, LITTLE),
    ifindex: view.getUint32(at.ifindex, LITTLE),
    frameBytes: view.getUint32(at.frame_bytes, LITTLE),
    direction: view.getUint8(at.direction) === 0 ? 'from-vm' : 'to-vm',
    reason: view.getUint8(at.reason),
    head: bytes.slice(at.head, at.head + headBytes),
  };
}
