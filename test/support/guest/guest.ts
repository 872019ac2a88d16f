import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { poll } from '../lab/poll.ts';
import { CommandChannel, type GuestResult } from './channel.ts';
import type { GuestImage } from './image.ts';
import { machineFor, qemuWords, type GuestMachine } from './machine.ts';

export interface GuestOptions {
  /** Unique in `scratch`. */
  name: string;
  image: GuestImage;
  /** A folder for sockets and logs; goes with the lab. */
  scratch: string;
  /** The guest's own network settings; `vmnetctl run` fills its {{placeholders}} in them. */
  network?: { address: string; gateway: string; endpoint?: string };
  /**
   * Starts QEMU: gets its words without any network card, or the machine for whoever has other words. Returns the running child,
   * with whose end the guest ends.
   */
  launch: (argv: string[], machine: GuestMachine) => ChildProcess;
}

/** 5 s under emulation on an idle machine; a busy one gets time. */
const BOOT_DEADLINE_MS = 120_000;
const COMMAND_TIMEOUT_MS = 20_000;

/** A small Linux under QEMU, root's shell in it, and its console. */
export class Guest {
  readonly name: string;
  /** What was started; with `vmnetctl run` QEMU is its child. */
  readonly process: ChildProcess;
  readonly #console: string;
  readonly #channel: CommandChannel;
  readonly #launched: () => string;

  private constructor(
    name: string,
    child: ChildProcess,
    console: string,
    channel: CommandChannel,
    said: () => string,
  ) {
    this.name = name;
    this.process = child;
    this.#console = console;
    this.#channel = channel;
    this.#launched = said;
  }

  /** Resolves when the guest takes commands. */
  static async boot({ name, image, scratch, network, launch }: GuestOptions): Promise<Guest> {
    const machine = await machineFor(image, name, scratch, { ...network });
    const { console: consoleFile, socket } = machine;
    const child = launch(qemuWords(machine), machine);
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.on('error', (error) => (said += error.message));
    const detail = (): string => `${said}\nconsole of ${name}:\n${tail(consoleFile, 15)}`;
    const stillStarting = (): void => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
        throw new Error(
          `guest ${name}: QEMU ended (${String(child.exitCode ?? child.signalCode)}): ${detail()}`,
        );
      }
    };
    const channel = await CommandChannel.open(socket, stillStarting);
    const ready = (): boolean => {
      stillStarting();
      return channel.ready;
    };
    await poll(`guest ${name} to boot`, ready, { deadlineMs: BOOT_DEADLINE_MS, detail });
    return new Guest(name, child, consoleFile, channel, () => said);
  }

  /** Runs a shell script as root in the guest; any exit code resolves. */
  async run(script: string, timeoutMs = COMMAND_TIMEOUT_MS): Promise<GuestResult> {
    try {
      return await this.#channel.run(script, timeoutMs);
    } catch (cause) {
      throw new Error(`guest ${this.name}: ${(cause as Error).message}\n${this.diagnosis()}`, { cause });
    }
  }

  /** Runs a shell script as root in the guest and returns its output; rejects on any exit code but 0. */
  async must(script: string, timeoutMs?: number): Promise<string> {
    const { code, output } = await this.run(script, timeoutMs);
    if (code !== 0)
      throw new Error(`guest ${this.name}: exit ${String(code)} of: ${script.slice(0, 200)}\n${output}`);
    return output;
  }

  /** What the launcher printed and the end of the console, for error messages. */
  diagnosis(): string {
    return `${this.#launched()}\nconsole of ${this.name}:\n${tail(this.#console, 15)}`;
  }

  /** Ends QEMU; the way it was started sees a SIGTERM first. A second call does nothing. */
  async stop(): Promise<void> {
    this.#channel.close();
    const ended = (): boolean => this.process.exitCode !== null || this.process.signalCode !== null;
    if (ended()) return;
    this.process.kill('SIGTERM');
    try {
      await poll(`the end of guest ${this.name}`, ended, { deadlineMs: 5_000 });
    } catch {
      this.process.kill('SIGKILL');
      await poll(`the end of guest ${this.name}`, ended, { deadlineMs: 5_000 });
    }
  }
}

function tail(file: string, lines: number): string {
  if (!existsSync(file)) return '(nothing)';
  return readFileSync(file, 'latin1').split('\n').slice(-lines).join('\n');
}
