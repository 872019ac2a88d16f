import { connect, type Socket } from 'node:net';
import { poll } from '../lab/poll.ts';

export interface GuestResult {
  code: number;
  /** Standard output and standard error. */
  output: string;
}

interface Waiting {
  resolve: (result: GuestResult) => void;
  reject: (error: Error) => void;
}

/** The tester's line into the guest: its second serial port, so never part of the network under test. See
 * probe/shell.c for the protocol. */
export class CommandChannel {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, Waiting>();
  #rest = '';
  #last = 0;
  #ready = false;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      this.#closed = true;
      for (const { reject } of this.#waiting.values()) reject(new Error('the guest is gone'));
      this.#waiting.clear();
    });
  }

  /** Connects as soon as QEMU listens. */
  static async open(path: string, stillStarting: () => void): Promise<CommandChannel> {
    const socket = await poll(`QEMU's socket ${path}`, () => {
      stillStarting();
      return connected(path);
    });
    return new CommandChannel(socket);
  }

  /** True once init has said so. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Runs a shell script as root in the guest; one after the other in the order of the calls. */
  run(script: string, timeoutMs: number): Promise<GuestResult> {
    if (this.#closed) return Promise.reject(new Error('the guest is gone'));
    const id = String(++this.#last);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`no answer from the guest in ${String(timeoutMs)} ms to: ${script.slice(0, 200)}`));
      }, timeoutMs);
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          settle(value);
        };
      this.#waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      this.#socket.write(`${id} ${Buffer.from(script).toString('hex')}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === 'ready') this.#ready = true;
      const [id = '', code = '', output = ''] = line.trim().split(' ');
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      waiting?.resolve({ code: Number(code), output: Buffer.from(output, 'hex').toString('utf8') });
    }
  }
}

/** Null while nobody listens: the file may be there a moment before. */
function connected(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => resolve(null));
  });
}
