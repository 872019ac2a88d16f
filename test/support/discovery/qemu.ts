import type { ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { type Namespace, poll } from '../lab/index.ts';

export interface QemuOptions {
  /** Descriptors that it inherits, from 3 on. */
  readonly fds?: readonly number[];
  /** Words before the command, such as `unshare …`. */
  readonly wrap?: readonly string[];
  /** Another program than qemu-system-x86_64. */
  readonly program?: string;
}

/** A real QEMU whose guest never starts: everything of the host's side is there, and nothing runs. */
export class Qemu {
  readonly process: ChildProcess;
  #said = '';

  constructor(namespace: Namespace, words: readonly string[], options: QemuOptions = {}) {
    const quiet = [
      '-S',
      '-display',
      'none',
      '-monitor',
      'none',
      '-serial',
      'none',
      '-accel',
      'tcg',
      '-m',
      '16',
    ];
    const program = options.program ?? 'qemu-system-x86_64';
    this.process = namespace.spawn([...(options.wrap ?? []), program, ...quiet, ...words], {
      stdio: ['ignore', 'ignore', 'pipe', ...(options.fds ?? [])],
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** What it complained about. */
  get said(): string {
    return this.#said;
  }

  /** SIGKILL, and it is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await poll('the end of QEMU', () => this.ended);
  }
}

/** Somebody who uses a monitor, and shares no code with what is tested. */
export class MonitorUser {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly events: string[] = [];
  closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    socket.on('close', () => (this.closed = true));
  }

  /** Resolves once the monitor is its own. */
  static async connect(path: string): Promise<MonitorUser> {
    const socket = await poll(`a monitor at ${path}`, () => tryToConnect(path));
    const user = new MonitorUser(socket);
    await user.#line();
    await user.ask('qmp_capabilities');
    return user;
  }

  async ask(command: string, given: object = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: given })}\n`);
    for (;;) {
      const answer = await this.#line();
      if (typeof answer['event'] === 'string') this.events.push(answer['event']);
      else if ('return' in answer) return answer['return'];
      else throw new Error(`${command}: ${JSON.stringify(answer)}`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #line(): Promise<Record<string, unknown>> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the monitor closed');
    return JSON.parse(line.value) as Record<string, unknown>;
  }
}

function tryToConnect(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => resolve(socket));
    socket.on('error', () => resolve(null));
  });
}

/** Options for a card on this tap whose frames come from a UDP port of the loopback: what is sent there goes out of the tap. */
export function tapFedFromPort(tap: string, port: number): string[] {
  return [
    ...['-netdev', `tap,id=t,ifname=${tap},script=no,downscript=no`],
    ...['-netdev', 'hubport,id=h0,hubid=0,netdev=t'],
    ...['-netdev', `socket,id=s,udp=127.0.0.1:9,localaddr=127.0.0.1:${port}`],
    ...['-netdev', 'hubport,id=h1,hubid=0,netdev=s'],
  ];
}
