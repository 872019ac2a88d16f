import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../lab/index.ts';

/** A sender on the host side of an interface: frames leave through the interface as if the host's stack had sent them. */
export class PacketSocket {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcess, answers: AsyncIterator<string>) {
    this.#child = child;
    this.#answers = answers;
  }

  static async open(namespace: Namespace, device: string): Promise<PacketSocket> {
    const script = fileURLToPath(new URL('packet_socket.py', import.meta.url));
    const child = namespace.spawn(['python3', script, device], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (child.stdout === null) throw new Error('no pipe to the packet socket');
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const socket = new PacketSocket(child, answers);
    await socket.#expect('ready');
    return socket;
  }

  /** Resolves when the kernel took the frame, and so, without queues in between, has judged it. */
  async send(frame: Uint8Array, segmentBytes?: number): Promise<void> {
    const line = [
      Buffer.from(frame).toString('hex'),
      ...(segmentBytes === undefined ? [] : [String(segmentBytes)]),
    ];
    this.#child.stdin?.write(`${line.join(' ')}\n`);
    await this.#expect('ok');
  }

  close(): void {
    this.#child.stdin?.end();
  }

  async #expect(word: string): Promise<void> {
    const answer = await this.#answers.next();
    if (answer.done === true || answer.value !== word)
      throw new Error(`packet socket: ${String(answer.value)}`);
  }
}
