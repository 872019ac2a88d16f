import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatControl } from '../../../src/native/nat-control.ts';
import { built } from '../c-tests.ts';
import { poll } from '../lab/poll.ts';
import { GuestEnd } from './guest-end.ts';

/** Of a user that owns nothing. Where the tests have no root they are such a user themselves. */
const NOBODY = 65534;

export interface EngineOptions {
  /** Of build/native. */
  program?: 'vmn-nat' | 'vmn_nat_sanitized' | 'vmn_nat_forbidden' | 'vmn_nat_poor_host';
  /** Behind the sockets. */
  args?: string[];
  /** With sockets of another engine, unless it shall have its own. */
  folder?: string;
  /** Put before the program. */
  wrapper?: string[];
}

/** One vmn-nat that listens on two sockets of a folder of its own. */
export class Engine {
  readonly folder: string;
  readonly controlPath: string;
  readonly guestPath: string;
  readonly process: ChildProcess;
  stderr = '';
  readonly #closers: (() => void)[] = [];

  constructor({ program = 'vmn-nat', args = [], wrapper = [], folder }: EngineOptions = {}) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'vmn-nat-'));
    this.controlPath = join(this.folder, 'control');
    this.guestPath = join(this.folder, 'guest');
    const sockets = ['--control', this.controlPath, '--guest', this.guestPath];
    const [command = '', ...rest] = [...wrapper, built(program), ...sockets, ...args];
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(this.folder, NOBODY, NOBODY);
    this.process = spawn(command, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(isRoot && wrapper.length === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    this.process.stderr?.on('data', (text) => (this.stderr += String(text)));
  }

  /** Started, and it answers. */
  static async start(options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(options);
    await poll('the sockets of vmn-nat', () => existsSync(engine.guestPath) || engine.hasEnded, {
      detail: () => engine.stderr,
    });
    if (engine.hasEnded) throw new Error(`vmn-nat ended at once: ${engine.stderr}`);
    return engine;
  }

  /** A file that the kernel keeps of the process. */
  proc(name: string): string {
    return `/proc/${String(this.process.pid)}/${name}`;
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** By its exit code, or the name of the signal that it died of. */
  async end(): Promise<number | string> {
    if (!this.hasEnded) await once(this.process, 'exit');
    return this.process.signalCode ?? this.process.exitCode ?? -1;
  }

  async control(): Promise<NatControl> {
    const control = await poll('the control socket', () =>
      NatControl.connect(this.controlPath).catch(() => null),
    );
    this.#closers.push(() => control.close());
    return control;
  }

  async guest(): Promise<GuestEnd> {
    const guest = await GuestEnd.connect(this.guestPath);
    this.#closers.push(() => guest.close());
    return guest;
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) close();
    this.process.kill('SIGKILL');
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
