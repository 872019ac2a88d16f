import { mkdirSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { VmnError } from '../../lib/errors.ts';
import { createServer } from '../../lib/http.ts';
import type { DropEventFeed } from './drop-events.ts';
import type { AgentStatus } from './status.ts';

export interface StatusServerOptions {
  readonly socketPath: string;
  /** The latest status, or null before the first pass ended. */
  readonly status: () => AgentStatus | null;
  readonly events: DropEventFeed;
  /** Why only a restart helps; null: nothing of that kind. */
  readonly ailment: () => string | null;
  /** Why it does not yet, or not any more, do what it is there for. */
  readonly unready: () => string | null;
}

/**
 * HTTP on a Unix socket that only root can reach (folder 0700, socket 0600): GET /v1/status, /v1/events, /healthz,
 * /readyz. Read-only by design. The caller holds the agent's lock, so a socket that is found is a dead agent's.
 */
export class StatusServer {
  readonly #options: StatusServerOptions;
  readonly #server: Server;

  private constructor(options: StatusServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#answer(request, response));
    // Clients come and go as they like; only listening itself may fail, and that is seen by listen().
    this.#server.on('error', () => undefined);
    // A stream of events has no end.
    this.#server.requestTimeout = 0;
  }

  /** Listens. Relies on umask 077 of the process for the mode of the socket. */
  static async listen(options: StatusServerOptions): Promise<StatusServer> {
    const { socketPath } = options;
    const server = new StatusServer(options);
    try {
      mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
      rmSync(socketPath, { force: true });
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject);
        server.#server.listen(socketPath, () => {
          server.#server.off('error', reject);
          resolve();
        });
      });
    } catch (cause) {
      const remedy = 'Check that --run-dir is writable; the path of the socket may have at most 107 bytes.';
      throw new VmnError('VMN_AGENT_UNREACHABLE', { attempted: 'listen', on: socketPath, remedy, cause });
    }
    return server;
  }

  /** Ends all streams and removes the socket. Idempotent. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.#options.socketPath, { force: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Not by `new URL`, which throws for some paths: no request may end the agent.
    const [pathname] = (request.url ?? '/').split('?');
    if (request.method !== 'GET') return text(response, 405, 'only GET\n');
    switch (pathname) {
      case '/v1/status':
        return this.#sendStatus(response);
      case '/v1/events':
        return this.#streamEvents(response);
      case '/healthz':
        return checked(response, this.#options.ailment());
      case '/readyz':
        return checked(response, this.#options.unready());
      default:
        return text(response, 404, 'there are /v1/status, /v1/events, /healthz and /readyz\n');
    }
  }

  #sendStatus(response: ServerResponse): void {
    const status = this.#options.status();
    if (status === null) return text(response, 503, 'the first pass has not ended\n');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(status)}\n`);
  }

  /** A reader that is slower than the events misses some; the agent's memory does not grow. */
  #streamEvents(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    const unsubscribe = this.#options.events.subscribe((event) => {
      if (!response.writableNeedDrain) response.write(`${JSON.stringify(event)}\n`);
    });
    response.on('close', unsubscribe);
  }
}

function checked(response: ServerResponse, wrong: string | null): void {
  text(response, wrong === null ? 200 : 503, `${wrong ?? 'ok'}\n`);
}

function text(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'content-type': 'text/plain' });
  response.end(body);
}
