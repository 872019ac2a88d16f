import { createConnection, type Socket } from 'node:net';

/*
 * QMP, the protocol of QEMU's monitor (docs/interop/qmp-spec): a line of JSON each way. The server greets; the client ends
 * the negotiation with qmp_capabilities; then commands and their answers, matched by `id`, with events in between.
 *
 * The other end may be anything that bound this path, so whatever it sends is bounded in size and in time, and the session
 * ends at the first thing that is no QMP. A monitor serves one client at a time and lets the next one wait: sessions are
 * short. Whether to begin one at all is decided in monitor-socket.ts.
 */

export interface QmpLimits {
  /** From the connection to the end of the negotiation, ms. */
  readonly greetingMs: number;
  /** For each answer, ms. */
  readonly answerMs: number;
  /** Bytes of one line, and of the whole session. */
  readonly lineBytes: number;
  readonly sessionBytes: number;
}

export const QMP_LIMITS: QmpLimits = {
  greetingMs: 500,
  answerMs: 1000,
  lineBytes: 1024 * 1024,
  sessionBytes: 4 * 1024 * 1024,
};

export interface QmpEvent {
  readonly event: string;
  readonly data: unknown;
}

/** What ended a session, or what QEMU answered to one command. */
export class QmpError extends Error {
  /** The command was refused and the session goes on; else it is over. */
  readonly refused: boolean;

  constructor(message: string, refused = false) {
    super(message);
    this.name = 'QmpError';
    this.refused = refused;
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: QmpError) => void;
  readonly timer: NodeJS.Timeout;
}

export class QmpClient {
  readonly #socket: Socket;
  readonly #limits: QmpLimits;
  readonly #onEvent: (event: QmpEvent) => void;
  readonly #waiting = new Map<number, Waiting>();
  #chunks: Buffer[] = [];
  #lineBytes = 0;
  #sessionBytes = 0;
  #lastId = 0;
  #greeted: (() => void) | null = null;
  #ended: QmpError | null = null;

  private constructor(socket: Socket, limits: QmpLimits, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onEvent = onEvent;
  }

  /** Connects and negotiates. Rejects with QmpError; nothing is left open then. */
  static async connect(
    path: string,
    options: { readonly limits?: QmpLimits; readonly onEvent?: (event: QmpEvent) => void } = {},
  ): Promise<QmpClient> {
    const limits = options.limits ?? QMP_LIMITS;
    const socket = createConnection({ path });
    const client = new QmpClient(socket, limits, options.onEvent ?? (() => undefined));
    await client.#negotiate();
    return client;
  }

  /** One command. Rejects with QmpError: `refused` when QEMU says no. */
  execute(command: string, given: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#end(`no answer to ${command} within ${this.#limits.answerMs} ms`),
        this.#limits.answerMs,
      );
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: given, id })}\n`);
    });
  }

  /** Idempotent. What is not answered yet rejects. */
  close(): void {
    this.#end('closed');
  }

  async #negotiate(): Promise<void> {
    const { greetingMs } = this.#limits;
    const late = setTimeout(() => this.#end(`no greeting within ${greetingMs} ms`), greetingMs);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#greeted = resolve;
        this.#waiting.set(0, { resolve: () => undefined, reject, timer: late });
        this.#socket.on('data', (chunk) => this.#take(chunk));
        this.#socket.on('error', (error) => this.#end(error.message));
        this.#socket.on('close', () => this.#end('the other end closed'));
      });
      this.#waiting.delete(0);
      await this.execute('qmp_capabilities');
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  #take(chunk: Buffer): void {
    this.#sessionBytes += chunk.length;
    if (this.#sessionBytes > this.#limits.sessionBytes) return this.#end('it says too much');
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0 && this.#ended === null; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end));
      from = end + 1;
      const line = Buffer.concat(this.#chunks).toString('utf8').trim();
      this.#chunks = [];
      this.#lineBytes = 0;
      if (line !== '') this.#takeLine(line);
    }
    this.#keep(chunk.subarray(from));
  }

  #keep(bytes: Buffer): void {
    if (this.#ended !== null || bytes.length === 0) return;
    this.#lineBytes += bytes.length;
    if (this.#lineBytes > this.#limits.lineBytes) return this.#end('a line is too long');
    this.#chunks.push(bytes);
  }

  #takeLine(line: string): void {
    const message = parseObject(line);
    if (message === null) return this.#end('a line is no JSON object');
    if (this.#greeted !== null) {
      if (!('QMP' in message)) return this.#end('the greeting is not that of QMP');
      this.#greeted();
      this.#greeted = null;
      return;
    }
    if (typeof message['event'] === 'string') {
      this.#onEvent({ event: message['event'], data: message['data'] });
      return;
    }
    const waiting = this.#waiting.get(Number(message['id']));
    // An error about what could not be parsed carries no id; we write no such thing, so something else is wrong.
    if (waiting === undefined) return this.#end('an answer to nothing that was asked');
    this.#waiting.delete(Number(message['id']));
    clearTimeout(waiting.timer);
    if ('return' in message) waiting.resolve(message['return']);
    else waiting.reject(new QmpError(reasonOf(message['error']), true));
  }

  #end(reason: string): void {
    if (this.#ended !== null) return;
    this.#ended = new QmpError(reason);
    this.#socket.destroy();
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#ended);
    }
    this.#waiting.clear();
    this.#chunks = [];
  }
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('desc' in error)) return 'refused';
  return typeof error.desc === 'string' ? error.desc : 'refused';
}
