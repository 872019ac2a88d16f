import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** What is written to one descriptor. */
export interface Stream {
  fd: number;
  /** In turn. */
  frames: readonly Uint8Array[];
  /** Frames a second, over time; in bursts of a few milliseconds. */
  rate: number;
}

/**
 * Writes frames at given rates from another thread, until it is stopped. A thread that lost the processor for a while
 * catches up, so that over a second the rate is right.
 */
export class PacedFlood {
  readonly #worker: Worker;
  readonly #shared: BigInt64Array;
  #running = true;

  private constructor(streams: readonly Stream[]) {
    // To be stopped; stalled, ns; then, for each stream, frames written.
    this.#shared = new BigInt64Array(new SharedArrayBuffer(8 * (2 + streams.length)));
    this.#worker = new Worker(LOOP, { eval: true, workerData: { streams, shared: this.#shared } });
  }

  static async start(streams: readonly Stream[]): Promise<PacedFlood> {
    const flood = new PacedFlood(streams);
    await once(flood.#worker, 'message');
    return flood;
  }

  /** Frames written to a stream so far. */
  written(stream = 0): number {
    return Number(Atomics.load(this.#shared, 2 + stream));
  }

  /** Milliseconds in which nothing was written for want of a processor: of each pause, what is beyond 50 ms. */
  get stalledMs(): number {
    return Number(Atomics.load(this.#shared, 1)) / 1e6;
  }

  /** Idempotent. No frame is on its way when it resolves. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    Atomics.store(this.#shared, 0, 1n);
    await once(this.#worker, 'exit');
  }
}

const LOOP = `
const { writeSync } = require('node:fs');
const { parentPort, workerData: { streams, shared } } = require('node:worker_threads');
const start = process.hrtime.bigint();
const sleeping = new Int32Array(new SharedArrayBuffer(4));
const tried = streams.map(() => 0);
let started = false;
let last = start;
while (Atomics.load(shared, 0) === 0n) {
  const now = process.hrtime.bigint();
  if (now - last > 50_000_000n) Atomics.add(shared, 1, now - last - 50_000_000n);
  last = now;
  const elapsed = Number(now - start) / 1e9;
  streams.forEach(({ fd, frames, rate }, index) => {
    // At most so many at once: what could not be sent in a second is let go.
    const due = Math.min(Math.floor(elapsed * rate), tried[index] + rate);
    for (; tried[index] < due; tried[index] += 1) {
      try {
        writeSync(fd, frames[tried[index] % frames.length]);
        Atomics.add(shared, 2 + index, 1n);
      } catch (error) {
        // The interface is down: the guest goes on.
        if (error.code !== 'EIO') throw error;
      }
    }
  });
  if (!started) parentPort.postMessage('started');
  started = true;
  Atomics.wait(sleeping, 0, 0, 2);
}
`;
