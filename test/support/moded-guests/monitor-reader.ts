import { connect, type Socket } from 'node:net';
import { poll } from '../lab/index.ts';

/** Whoever holds a QMP monitor from the guest's first second to its last, and does nothing there but listen. */
export class MonitorReader {
  readonly #socket: Socket;
  #said = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    socket.on('error', () => undefined); // QEMU ended while something was under way
  }

  /** Resolves once QEMU tells it its events. */
  static async hold(path: string): Promise<MonitorReader> {
    const reader = new MonitorReader(connect({ path }));
    await poll('the greeting of the monitor', () => reader.#said.includes('"QMP"'));
    reader.#socket.write('{"execute": "qmp_capabilities"}\n');
    await poll('the monitor', () => reader.#said.includes('"return"'));
    return reader;
  }

  /** Why QEMU shut down (its ShutdownCause), such as `host-qmp-quit` and `host-signal`; null as long as it has not. */
  get shutdownReason(): string | null {
    return /"event": "SHUTDOWN"[^\n]*"reason": "([a-z-]+)"/.exec(this.#said)?.[1] ?? null;
  }

  close(): void {
    this.#socket.destroy();
  }
}
