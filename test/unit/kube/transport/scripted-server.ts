import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The client went before the answer was complete. */
  readonly left: () => boolean;
}

export type Answerer = (request: SeenRequest, response: ServerResponse) => void;

/** A real HTTP server on loopback that answers what the test tells it to, and remembers what it was asked. */
export class ScriptedServer {
  readonly requests: SeenRequest[] = [];
  /** Connections that were ever made. */
  connections = 0;
  /** Requests that are being answered, and the most there ever were. */
  busy = 0;
  busiest = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #secure: boolean;
  #answer: Answerer;

  private constructor(answer: Answerer, tls?: ServerOptions) {
    this.#answer = answer;
    this.#secure = tls !== undefined;
    const listener = (request: IncomingMessage, response: ServerResponse) => this.#take(request, response);
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    // A process that was held up for longer would find its connection closed, and a fake clock never lets it try again.
    this.#server.keepAliveTimeout = 0;
    this.#server.on(tls === undefined ? 'connection' : 'secureConnection', () => (this.connections += 1));
    // Those in the middle of a handshake too, or close() would wait for them.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(answer: Answerer, tls?: ServerOptions, port = 0): Promise<ScriptedServer> {
    const server = new ScriptedServer(answer, tls);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(port, '127.0.0.1', resolve);
    });
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  answer(answer: Answerer): void {
    this.#answer = answer;
  }

  /** As a server that is killed: every connection is reset. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await closed;
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let left = false;
    this.busy += 1;
    this.busiest = Math.max(this.busiest, this.busy);
    response.on('close', () => {
      this.busy -= 1;
      left = !response.writableFinished;
    });
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://server');
      const seen: SeenRequest = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        left: () => left,
      };
      this.requests.push(seen);
      this.#answer(seen, response);
    });
  }
}

export function json(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function statusBody(code: number, reason: string, message = reason, details: object = {}): object {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message, details };
}

export function refuse(response: ServerResponse, code: number, reason: string, headers: object = {}): void {
  json(response, code, statusBody(code, reason), headers);
}

/** Polls until `condition` holds. */
export async function until(
  condition: () => boolean,
  what = 'condition',
  deadlineMs = 10_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** One answer after the other, the last one for ever. */
export function inTurn(...answers: Answerer[]): Answerer {
  let turn = 0;
  return (request, response) => {
    const answer = answers[Math.min(turn, answers.length - 1)]!;
    turn += 1;
    answer(request, response);
  };
}

const served: ScriptedServer[] = [];

/** Ended by `endServers`. */
export async function serve(answer: Answerer): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(answer);
  served.push(server);
  return server;
}

export async function endServers(): Promise<void> {
  await Promise.all(served.splice(0).map((server) => server.close()));
}
