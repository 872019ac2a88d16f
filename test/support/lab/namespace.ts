import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { join } from 'node:path';
import { ensureProbe } from '../guest/probe.ts';
import { mustRun, runCommand, type CommandOptions, type CommandResult } from './command.ts';
import type { Undertaker } from './undertaker.ts';

/** One network namespace of a {@link Lab}. */
export class Namespace {
  /** The short name given by the test. */
  readonly name: string;
  /** The name `ip netns` knows. */
  readonly id: string;
  /** /run/netns/ID, for `nsenter --net=` and setns. */
  readonly path: string;
  readonly #undertaker: Undertaker;
  readonly #scratch: string;

  /** Made by {@link Lab.namespace} only. */
  constructor(name: string, id: string, undertaker: Undertaker, scratch: string) {
    this.name = name;
    this.id = id;
    this.path = join('/run/netns', id);
    this.#undertaker = undertaker;
    this.#scratch = scratch;
  }

  /** The words that run a program in here. Only the network changes: `ip netns exec` would also give a private /sys, and lose pins. */
  enter(argv: readonly string[]): string[] {
    return ['nsenter', `--net=${this.path}`, ...argv];
  }

  /** Runs a program to its end; any exit code resolves. */
  async exec(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    this.#undertaker.demandOpen();
    return runCommand(this.enter(argv), options);
  }

  /** Runs a program to its end and returns what it printed; rejects on any exit code but 0. */
  async run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    this.#undertaker.demandOpen();
    return mustRun(this.enter(argv), options);
  }

  /** Starts a program that is killed, at the latest, when the lab closes. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    this.#undertaker.demandOpen();
    const [program = '', ...args] = this.enter(argv);
    const child = spawn(program, args, options);
    if (child.pid !== undefined) {
      const forget = this.#undertaker.promise(`kill -9 ${String(child.pid)} 2>/dev/null || true`);
      child.on('exit', forget);
    }
    return child;
  }

  /** Sets a value under /proc/sys; `net.` values are those of this namespace. */
  async sysctl(name: string, value: string | number): Promise<void> {
    await this.run(['sysctl', '-q', '-w', `${name}=${String(value)}`]);
  }

  /**
   * Sends raw frames, Ethernet header first, out of an interface of this namespace. A tc program that drops them on their
   * way out makes the kernel answer "no buffer space": for whoever tests one that is no error.
   */
  async sendFrames(device: string, frames: readonly Uint8Array[]): Promise<void> {
    const input = frames.map((frame) => `${Buffer.from(frame).toString('hex')}\n`).join('');
    const { code, stderr } = await this.exec([await ensureProbe(), 'raw', device], { input });
    const complaints = stderr.split('\n').filter((line) => line !== '' && !line.includes('No buffer space'));
    if (code > 1 || complaints.length > 0)
      throw new Error(`sending out of ${device}: exit ${code}, ${stderr}`);
  }

  /** A path in the lab's scratch folder, which goes with the lab. */
  scratchFile(name: string): string {
    return join(this.#scratch, `${this.name}-${name}`);
  }
}
