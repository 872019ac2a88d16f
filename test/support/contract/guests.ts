import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { poll } from '../lab/index.ts';
import type { Place } from './guest-frames.ts';

/** Frames a second of each guest, over time. */
const RATE = 1000;
const MOST_STREAMS = 1000;

/**
 * Guests that never stop sending, from a thread of their own. Each is a descriptor of a tap and its frames, in turn; the first two
 * of them are counted by themselves. Guests come and go meanwhile.
 */
export class Guests {
  readonly #worker: Worker;
  /** Orders that were obeyed; then for each stream frames written, those of the first kind, those of the second. */
  readonly #shared = new BigInt64Array(new SharedArrayBuffer(8 * (1 + 3 * MOST_STREAMS)));
  #orders = 0;
  #streams = 0;
  #running = true;

  constructor() {
    this.#worker = new Worker(LOOP, { eval: true, workerData: { shared: this.#shared, rate: RATE } });
  }

  /** From when it resolves on the guest sends. Returns its number. */
  async plug(fd: number, frames: readonly Uint8Array[]): Promise<number> {
    const stream = this.#streams;
    this.#streams += 1;
    await this.#order({ kind: 'plug', stream, fd, frames });
    return stream;
  }

  /** When it resolves the descriptor may be closed. */
  unplug(stream: number): Promise<void> {
    return this.#order({ kind: 'unplug', stream });
  }

  /** No frame is on its way from any guest when it resolves. */
  pause(): Promise<void> {
    return this.#order({ kind: 'pause' });
  }

  resume(): Promise<void> {
    return this.#order({ kind: 'resume' });
  }

  /** What its tap took so far. */
  written(stream: number): { all: number } & Record<Place, number> {
    const [all = 0, a = 0, b = 0] = [0, 1, 2].map((at) =>
      Number(Atomics.load(this.#shared, 1 + 3 * stream + at)),
    );
    return { all, a, b };
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#worker.postMessage({ kind: 'stop' });
    await once(this.#worker, 'exit');
  }

  async #order(order: object): Promise<void> {
    this.#orders += 1;
    const wanted = this.#orders;
    this.#worker.postMessage(order);
    await poll('the guests', () => Number(Atomics.load(this.#shared, 0)) >= wanted, {
      everyMs: 1,
      deadlineMs: 45_000,
    });
  }
}

const LOOP = `
const { writeSync } = require('node:fs');
const { parentPort, receiveMessageOnPort, workerData: { shared, rate } } = require('node:worker_threads');
const sleeping = new Int32Array(new SharedArrayBuffer(4));
const streams = new Map();
let paused = false;
let stopped = false;

function obey(order) {
  if (order.kind === 'plug') streams.set(order.stream, { ...order, begun: Date.now(), tried: 0 });
  if (order.kind === 'unplug') streams.delete(order.stream);
  if (order.kind === 'pause') paused = true;
  if (order.kind === 'resume') {
    paused = false;
    for (const stream of streams.values()) Object.assign(stream, { begun: Date.now(), tried: 0 });
  }
  if (order.kind === 'stop') stopped = true;
  Atomics.add(shared, 0, 1n);
}

function send({ stream, fd, frames }, kind) {
  try {
    writeSync(fd, frames[kind]);
    Atomics.add(shared, 1 + 3 * stream, 1n);
    if (kind < 2) Atomics.add(shared, 2 + 3 * stream + kind, 1n);
  } catch (error) {
    // EIO: the interface is down, and may come up again. EBADFD: it is gone for good.
    if (error.code !== 'EIO') streams.delete(stream);
  }
}

while (!stopped) {
  for (let order; (order = receiveMessageOnPort(parentPort)) !== undefined; ) obey(order.message);
  for (const one of paused ? [] : [...streams.values()]) {
    const due = ((Date.now() - one.begun) * rate) / 1000;
    // A thread that lost the processor for long does not make up for all of it.
    if (due - one.tried > rate / 10) one.tried = Math.floor(due - rate / 10);
    for (; one.tried < due; one.tried += 1) send(one, one.tried % one.frames.length);
  }
  Atomics.wait(sleeping, 0, 0, 2);
}
process.exit(0);
`;
