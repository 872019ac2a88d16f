import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { poll, type Namespace } from '../lab/index.ts';
import type { Destination } from '../frames/policy-bytes.ts';

/** What a guest knows of its card. */
export interface BlasterCard {
  tap: string;
  guestMac: string;
  guestAddress: string;
  /** Of a tap that somebody else opened: which of the blaster's `fds` it is. It is closed when the blaster ends. */
  fd?: number;
}

export interface BlasterOrder {
  vm: string;
  /** Null: power off, the tap is closed. */
  card: BlasterCard | null;
}

/** Guests that never stop sending, in a process of their own; see blaster-main.ts. */
export class Blaster {
  readonly #child: ChildProcess;
  #answered = 0;
  #asked = 0;

  /** `fds`: of taps that are open. */
  constructor(
    host: Namespace,
    places: Record<string, Destination>,
    everyMs = 4,
    fds: readonly number[] = [],
  ) {
    const main = fileURLToPath(new URL('blaster-main.ts', import.meta.url));
    const argv = [process.execPath, '--no-warnings', main, JSON.stringify(places), String(everyMs)];
    this.#child = host.spawn(argv, { stdio: ['pipe', 'pipe', 'inherit', ...fds] });
    if (this.#child.stdout === null) throw new Error('no pipe to the blaster');
    createInterface({ input: this.#child.stdout }).on('line', () => (this.#answered += 1));
  }

  /** Plugs a guest in: it opens the tap as soon as that exists, again if it went away, and sends. */
  plug(vm: string, card: BlasterCard): Promise<void> {
    return this.#order({ vm, card });
  }

  /** Powers a guest off; when this resolves its tap is closed. */
  unplug(vm: string): Promise<void> {
    return this.#order({ vm, card: null });
  }

  async end(): Promise<void> {
    this.#child.stdin?.end();
    await poll('the end of the blaster', () => this.#ended);
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #order(order: BlasterOrder): Promise<void> {
    this.#asked += 1;
    const wanted = this.#asked;
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    await poll('the blaster', () => {
      if (this.#ended) throw new Error('the blaster has ended');
      return this.#answered >= wanted;
    });
  }
}
