import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Writes frames to a descriptor in turn, from another thread, until it is stopped: this thread may sit in a system call. */
export class Flood {
  static readonly #running = new Set<Flood>();

  readonly #worker: Worker;
  readonly #shared = new Int32Array(new SharedArrayBuffer(8));

  private constructor(fd: number, frames: readonly Uint8Array[]) {
    this.#worker = new Worker(LOOP, { eval: true, workerData: { fd, frames, shared: this.#shared } });
  }

  /** Resolves when the first frames are on their way. */
  static async start(fd: number, frames: readonly Uint8Array[]): Promise<Flood> {
    const flood = new Flood(fd, frames);
    Flood.#running.add(flood);
    await once(flood.#worker, 'message');
    return flood;
  }

  /** For afterEach: the descriptor is somebody else's once it was closed. */
  static async stopAll(): Promise<void> {
    for (const flood of Flood.#running) await flood.stop();
  }

  /** Rounds so far; each round is every frame once. */
  get rounds(): number {
    return Atomics.load(this.#shared, 1);
  }

  async stop(): Promise<number> {
    if (Flood.#running.delete(this)) {
      Atomics.store(this.#shared, 0, 1);
      await once(this.#worker, 'exit');
    }
    return this.rounds;
  }
}

const LOOP = `
const { writeSync } = require('node:fs');
const { parentPort, workerData: { fd, frames, shared } } = require('node:worker_threads');
let started = false;
while (Atomics.load(shared, 0) === 0) {
  for (const frame of frames) writeSync(fd, frame);
  Atomics.add(shared, 1, 1);
  if (!started) parentPort.postMessage('started');
  started = true;
}
`;
