/** The control socket of one vmn-nat, the userspace engine of one VM: policy in, read-back, counters and events out. */
import { createConnection, type Socket } from 'node:net';
import { VmnError } from '../lib/errors.ts';
import { decodeEvent, type FilterEvent } from './events.ts';
import {
  decodeCounters,
  decodeHead,
  decodeStatus,
  encodeRequest,
  encodeSetPolicy,
  HEAD_BYTES,
  OPERATIONS,
  REFUSALS,
  type Head,
  type NatCounters,
  type NatStatus,
} from './nat-control-abi.ts';
import { checkedPolicy, POLICY_BYTES } from './policy-abi.ts';

/** An engine answers at once: it is one loop, and every turn of it is bounded. */
const ANSWER_MS = 2000;

interface Waiting {
  readonly operation: number;
  readonly answer: (body: Uint8Array) => void;
  readonly fail: (error: VmnError) => void;
  readonly timer: NodeJS.Timeout;
}

/** Every promise rejects with VmnError: VMN_NAT_UNREACHABLE once the engine is lost, VMN_NAT_REFUSED for a refusal. */
export class NatControl {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;
  #received = Buffer.alloc(0);
  #lost: VmnError | null = null;
  #onEvent: (event: FilterEvent) => void = () => undefined;
  #onLost: () => void = () => undefined;

  private constructor(path: string) {
    this.#path = path;
    this.#socket = createConnection({ path });
    this.#socket.on('data', (bytes) => this.#take(bytes));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('the engine has ended the connection')));
  }

  /** Connects, and asks: it is an engine of this version that answers. */
  static async connect(path: string): Promise<NatControl> {
    const control = new NatControl(path);
    await control.status();
    return control;
  }

  async status(): Promise<NatStatus> {
    return this.#statusAfter(OPERATIONS.status);
  }

  /** In force once this resolves, with its generation and hash read back; refused, the one before it still is. */
  async setPolicy(policy: Uint8Array): Promise<NatStatus> {
    checkedPolicy(policy);
    return this.#statusAfter(OPERATIONS.setPolicy, encodeSetPolicy(policy));
  }

  /** The policy in force, with zeros for its secret. Refused when there is none. */
  async readPolicy(): Promise<Uint8Array> {
    const body = await this.#ask(OPERATIONS.readPolicy);
    return this.#understood(body.byteLength === POLICY_BYTES ? body : null);
  }

  async counters(): Promise<NatCounters> {
    return this.#understood(decodeCounters(await this.#ask(OPERATIONS.counters)));
  }

  /** Nothing passes until the next policy. */
  async quarantine(): Promise<NatStatus> {
    return this.#statusAfter(OPERATIONS.quarantine);
  }

  /** There is no policy any more, so nothing passes. */
  async deny(): Promise<NatStatus> {
    return this.#statusAfter(OPERATIONS.deny);
  }

  /** Frames that broke a rule, from now on, as `openEvents` has them for the kernel's filters; ifindex is 0. */
  async subscribe(onEvent: (event: FilterEvent) => void): Promise<void> {
    this.#onEvent = onEvent;
    await this.#statusAfter(OPERATIONS.subscribe);
  }

  /** The engine ends, within a second. */
  async quit(): Promise<void> {
    await this.#statusAfter(OPERATIONS.quit);
  }

  /** Calls back once the engine has ended the connection, or does not answer; not after close(). */
  onLost(callback: () => void): void {
    this.#onLost = callback;
  }

  /** Idempotent. The engine goes on. */
  close(): void {
    this.#onLost = () => undefined;
    this.#end(new Error('closed'));
  }

  async #statusAfter(operation: number, body?: Uint8Array): Promise<NatStatus> {
    return this.#understood(decodeStatus(await this.#ask(operation, body)));
  }

  #ask(operation: number, body: Uint8Array = new Uint8Array()): Promise<Uint8Array> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    return new Promise((answer, fail) => {
      const timer = setTimeout(() => this.#end(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      this.#waiting.set(sequence, { operation, answer, fail, timer });
      this.#socket.write(encodeRequest(operation, sequence, body));
    });
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#lost === null && this.#received.byteLength >= HEAD_BYTES) {
      const head = decodeHead(this.#received.subarray(0, HEAD_BYTES));
      if (head === null) return this.#end(new Error('it speaks another version'));
      const end = HEAD_BYTES + head.bodyBytes;
      if (this.#received.byteLength < end) return;
      const body = Uint8Array.from(this.#received.subarray(HEAD_BYTES, end));
      this.#received = this.#received.subarray(end);
      this.#deliver(head, body);
    }
  }

  #deliver(head: Head, body: Uint8Array): void {
    if (head.operation === OPERATIONS.event) {
      const event = decodeEvent(body);
      if (event !== null) this.#onEvent(event);
      return;
    }
    const waiting = this.#waiting.get(head.sequence);
    if (waiting?.operation !== head.operation) return this.#end(new Error('it answers what nobody asked'));
    this.#waiting.delete(head.sequence);
    clearTimeout(waiting.timer);
    if (head.status === 0) waiting.answer(body);
    else
      waiting.fail(
        this.#error('VMN_NAT_REFUSED', new Error(REFUSALS[head.status] ?? `status ${head.status}`)),
      );
  }

  #understood<T>(decoded: T | null): T {
    if (decoded !== null) return decoded;
    const error = this.#error('VMN_NAT_UNREACHABLE', new Error('its answer has another size'));
    this.#end(error);
    throw error;
  }

  #end(cause: Error): void {
    if (this.#lost !== null) return;
    this.#lost = this.#error('VMN_NAT_UNREACHABLE', cause);
    this.#socket.destroy();
    for (const { fail, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      fail(this.#lost);
    }
    this.#waiting.clear();
    this.#onLost();
  }

  #error(code: 'VMN_NAT_UNREACHABLE' | 'VMN_NAT_REFUSED', cause: Error): VmnError {
    return new VmnError(code, { attempted: 'speak to the userspace engine', on: this.#path, cause });
  }
}
