/**
 * A list of endpoints in shared memory: one thread replaces it as a whole, any number look up, none ever waits.
 *
 * Theory of operation. There are two slots and a sequence number n. The list in force is in slot n mod 2; the other slot
 * is the writer's. To replace the list the writer fills its slot and then stores n + 1: that one store is the moment of
 * change. A reader takes n, reads slot n mod 2, and takes n again. If n is the same, the answer stands: the writer only
 * touches that slot after it has stored n + 1, so nothing of what was read can be newer. If n has moved, the answer is
 * thrown away and the reader begins again, because the writer may have come round to its slot: a reader that sleeps
 * through one replacement and meets the second would otherwise read half of each.
 *
 * Why this is enough:
 * - Every access is an Atomics operation. They have one order that all threads agree on (ECMA-262, memory model), so "the
 *   writer stored n + 1 before it touched the slot" holds for readers too, and once `write` has returned every lookup that
 *   begins sees the new list.
 * - n never wraps: at its end `write` refuses. So "n is the same" cannot mean "n came round" (ABA).
 * - A writer that dies half way has touched only its own slot: the list in force stays whole. A reader begins again only
 *   when a replacement was finished, so some thread always gets on: lock-free.
 * - There is one writer: two would fill the same slot. EndpointAllowlist keeps it to the thread that made the list.
 */
import { Ipv4Address } from '../packet/ipv4-address.ts';
import type { Endpoint } from './endpoint.ts';

/** Words of 32 bits: the sequence number, then slot 0 and slot 1, each a count and its entries. */
const SEQUENCE = 0;
const SLOTS = 1;
const COUNT_WORDS = 1;
const ENTRY_WORDS = 2;

/** The last sequence number; one replacement a second gets there in 136 years. */
const LAST = 0xffff_ffff;

/** What other threads are given: plain data that `postMessage` and `workerData` carry. The memory is shared, not copied. */
export interface SharedEndpoints {
  readonly words: Uint32Array;
  /** Endpoints that fit into one slot. */
  readonly capacity: number;
}

export function allocate(capacity: number): SharedEndpoints {
  const words = SLOTS + 2 * slotWords(capacity);
  return { words: new Uint32Array(new SharedArrayBuffer(words * Uint32Array.BYTES_PER_ELEMENT)), capacity };
}

/** Puts a list into force. Only ever called by one thread. @throws RangeError; the old list then stays. */
export function write({ words, capacity }: SharedEndpoints, endpoints: readonly Endpoint[]): void {
  if (endpoints.length > capacity)
    throw new RangeError(`${endpoints.length} endpoints, room for ${capacity}`);
  const sequence = Atomics.load(words, SEQUENCE);
  if (sequence === LAST) throw new RangeError('the list was replaced as often as it can be');

  const slot = slotOf(sequence + 1, capacity);
  Atomics.store(words, slot, endpoints.length);
  endpoints.forEach(({ protocol, address, port }, index) => {
    const at = entryAt(slot, index);
    Atomics.store(words, at, address.value);
    Atomics.store(words, at + 1, protocol * 0x10000 + port);
  });
  Atomics.store(words, SEQUENCE, sequence + 1);
}

/**
 * Asks the list in force one question and gives the answer that it, as a whole, has. `question` may be put several times,
 * and on the way to an answer that is thrown away it may see entries of two lists; it has no effects.
 */
export function read<T>({ words, capacity }: SharedEndpoints, question: (list: Iterable<Endpoint>) => T): T {
  for (;;) {
    const sequence = Atomics.load(words, SEQUENCE);
    const answer = question(entries(words, slotOf(sequence, capacity), capacity));
    if (Atomics.load(words, SEQUENCE) === sequence) return answer;
  }
}

function* entries(words: Uint32Array, slot: number, capacity: number): Generator<Endpoint> {
  const count = Math.min(Atomics.load(words, slot), capacity);
  for (let index = 0; index < count; index += 1) {
    const at = entryAt(slot, index);
    const address = Ipv4Address.fromNumber(Atomics.load(words, at));
    const protocolAndPort = Atomics.load(words, at + 1);
    yield { address, protocol: protocolAndPort >>> 16, port: protocolAndPort & 0xffff };
  }
}

function slotOf(sequence: number, capacity: number): number {
  return SLOTS + (sequence % 2) * slotWords(capacity);
}

function entryAt(slot: number, index: number): number {
  return slot + COUNT_WORDS + index * ENTRY_WORDS;
}

function slotWords(capacity: number): number {
  return COUNT_WORDS + capacity * ENTRY_WORDS;
}
