import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ChildProcess } from 'node:child_process';
import type { Namespace } from '../lab/index.ts';

const NATIVE = fileURLToPath(new URL('../../../src/native/', import.meta.url));

/**
 * Starts Node in a namespace on a few lines of module code, which may use `engine`, `tap`, `rtnetlink`, `nftables`
 * and `probe` of src/native and `say(value)`, which prints one line of JSON. `wrap`: words before the command, such as
 * `setpriv …`.
 */
export function startChild(namespace: Namespace, code: string, wrap: readonly string[] = []): Child {
  const preamble = `
    import * as engine from ${JSON.stringify(`${NATIVE}filter-engine.ts`)};
    import * as tap from ${JSON.stringify(`${NATIVE}tap.ts`)};
    import * as rtnetlink from ${JSON.stringify(`${NATIVE}rtnetlink.ts`)};
    import * as nftables from ${JSON.stringify(`${NATIVE}nftables-watch.ts`)};
    import { probe } from ${JSON.stringify(`${NATIVE}probe.ts`)};
    import { readFileSync, writeSync } from 'node:fs';
    const say = (value) => writeSync(1, JSON.stringify(value) + '\\n');
    const caught = (what) => {
      try {
        return { value: what() };
      } catch ({ code, message, remedy }) {
        return { code, message, remedy };
      }
    };
  `;
  const argv = [...wrap, process.execPath, '--input-type=module-typescript', '-e', preamble + code];
  return new Child(namespace.spawn(argv, { stdio: ['ignore', 'pipe', 'inherit'] }));
}

export class Child {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<unknown>;

  constructor(process: ChildProcess) {
    this.process = process;
    this.#exit = once(process, 'exit');
    if (process.stdout === null) throw new Error('no standard output');
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  /** The next thing it said; rejects when it ended without. */
  async next<T>(): Promise<T> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the child ended without a word');
    return JSON.parse(line.value) as T;
  }

  /** SIGKILL: no handler, no cleaning up. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#exit;
  }

  /** Exit code of a child that ends by itself. */
  async end(): Promise<number | null> {
    await this.#exit;
    return this.process.exitCode;
  }
}
