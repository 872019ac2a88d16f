import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** How long everything a lab made may take to go, in milliseconds. */
const BURIAL_DEADLINE_MS = 20_000;

/**
 * A process of its own that undoes what the lab made when the lab closes or dies: signal handlers do not run in
 * Jest's sandbox, and none run after SIGKILL. It sits in its own session, so Ctrl-C on the terminal does not reach it.
 */
export class Undertaker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #stderr = '';
  readonly #underWay = new Set<Promise<unknown>>();
  #last = 0;
  #closing: Promise<void> | null = null;

  constructor() {
    const script = fileURLToPath(new URL('undertaker.sh', import.meta.url));
    this.#child = spawn('sh', [script], { detached: true, stdio: ['pipe', 'ignore', 'pipe'] });
    this.#ended = once(this.#child, 'close');
    this.#child.stdin?.on('error', () => undefined); // it has been killed: close() reports that
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
  }

  /** Registers a one-line shell command that removes something; returns the function that forgets it again. */
  promise(command: string): () => void {
    if (command.includes('\n')) throw new Error(`an undo command has one line: ${command}`);
    this.demandOpen();
    const number = ++this.#last;
    this.#child.stdin?.write(`+ ${String(number)} ${command}\n`);
    return () => {
      if (this.#closing === null) this.#child.stdin?.write(`- ${String(number)}\n`);
    };
  }

  /** Makes something whose undoing is promised already: {@link close} waits until it is made, and nothing is begun after it. */
  during<T>(make: () => Promise<T>): Promise<T> {
    this.demandOpen();
    const made = make();
    this.#underWay.add(made);
    const done = (): boolean => this.#underWay.delete(made);
    made.then(done, done);
    return made;
  }

  /** Runs every registered command, newest first, and waits for the end. Throws when one of them failed. */
  close(): Promise<void> {
    this.#closing ??= this.#bury();
    return this.#closing;
  }

  async #bury(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    this.#child.stdin?.end('close\n');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), BURIAL_DEADLINE_MS);
    await this.#ended;
    clearTimeout(late);
    if (this.#child.exitCode !== 0) {
      throw new Error(
        `lab: cleaning up failed: ${this.#stderr || `signal ${String(this.#child.signalCode)}`}`,
      );
    }
  }

  /** Throws once {@link close} has begun: whatever is started now would stay. */
  demandOpen(): void {
    if (this.#closing !== null) throw new Error('the lab is closed');
  }
}
