/**
 * Stands between a client and the API server and does harm on demand; what it is not told to harm passes byte for byte.
 *
 * It ends the client's TLS with a certificate of the cluster's authority. Tokens pass as they are. A client certificate
 * cannot be passed on, so the proxy says whom it named in the headers of an authenticating front proxy, the way in which
 * Kubernetes' own aggregation layer does (X-Remote-User, X-Remote-Group): RBAC judges the same user.
 */
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FaultRules, statusObject, type Fault, type FaultRule } from './fault.ts';
import { seenRequest, type SeenRequest } from './seen-request.ts';

interface Pem {
  certificate: string;
  key: string;
}

export interface FaultProxyOptions {
  upstream: string;
  /** PEM of the cluster's authority. */
  authority: string;
  serving: Pem;
  frontProxy: Pem;
}

type Fate = Exclude<Fault, { do: 'delay' }>;

/** Of one connection only, RFC 9110 section 7.6.1; and those by which a client could name another user. */
const NOT_PASSED_ON = /^(connection|keep-alive|transfer-encoding|te|trailer|upgrade|proxy-.*|x-remote-.*)$/;

export class FaultProxy {
  /** Everything that came, refused or not, oldest first. */
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  readonly #options: FaultProxyOptions;
  readonly #rules = new FaultRules();
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();
  readonly #held = new Set<ServerResponse>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** No connection is kept: one to a server that has gone meanwhile would be a fault that nobody asked for. */
  readonly #plainAgent: Agent;
  readonly #namingAgent: Agent;

  private constructor(options: FaultProxyOptions) {
    this.#options = options;
    const { authority, serving, frontProxy } = options;
    this.#plainAgent = new Agent({ ca: authority });
    this.#namingAgent = new Agent({ ca: authority, cert: frontProxy.certificate, key: frontProxy.key });
    this.#server = createServer({
      cert: serving.certificate,
      key: serving.key,
      ca: authority,
      requestCert: true,
      rejectUnauthorized: false, // a client with a token has none
      keepAliveTimeout: 0,
      requestTimeout: 0,
    });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#take(request, response),
    );
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', () => undefined);
  }

  static async listen(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** How many connections clients have open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Watches that are being passed on. */
  get openWatches(): number {
    return this.#watches.size;
  }

  /** Requests that are stalled, and answers that are frozen. */
  get frozen(): number {
    return this.#held.size;
  }

  /** Harms requests that come from now on; returns what takes it back. */
  inject(fault: Fault, rule: FaultRule = {}): () => void {
    return this.#rules.add(fault, rule);
  }

  /** No faults any more; requests that are stalled or frozen lose their connection, as when a network comes back. */
  heal(): void {
    this.#rules.clear();
    for (const response of this.#held) response.destroy();
  }

  /** Cuts all watches now, in the middle of whatever they say. */
  cutWatches(): void {
    for (const response of this.#watches) response.destroy();
  }

  /** Cuts everything now: what a reset of the network does. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Requests that are so, e.g. `count({ verb: 'create', resource: 'events' })`; after `sinceMs` by the monotonic clock. */
  count(like: Partial<SeenRequest> = {}, sinceMs = 0): number {
    const wanted = Object.entries(like) as [keyof SeenRequest, unknown][];
    return this.requests.filter(
      (request) => request.atMs >= sinceMs && wanted.every(([key, value]) => request[key] === value),
    ).length;
  }

  /** `verb resource` and how many came, most first: for the message of a test that counts. */
  summary(sinceMs = 0): Record<string, number> {
    const counts = new Map<string, number>();
    for (const { verb, resource, path, atMs } of this.requests) {
      if (atMs < sinceMs) continue;
      const key = `${verb} ${resource || path}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#server.close();
    this.cutConnections();
    await once(this.#server, 'close');
    this.#plainAgent.destroy();
    this.#namingAgent.destroy();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const user = userOf(request.socket);
    const seen = seenRequest(request.method ?? 'GET', request.url ?? '/', user?.name ?? '');
    this.requests.push(seen);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    response.on('close', () => this.#held.delete(response));
    const { delayMs, fate } = this.#rules.take(seen);
    if (delayMs === 0) this.#decide(request, response, seen, user, fate);
    else this.#later(delayMs, response, () => this.#decide(request, response, seen, user, fate));
  }

  #decide(
    request: IncomingMessage,
    response: ServerResponse,
    seen: SeenRequest,
    user: User | null,
    fate: Fate | null,
  ): void {
    switch (fate?.do) {
      case 'answer':
        answer(
          response,
          fate.status,
          statusObject(fate.status, fate.retryAfterSeconds),
          fate.retryAfterSeconds,
        );
        seen.status = fate.status;
        return;
      case 'expire-watch':
        answer(response, 200, { type: 'ERROR', object: statusObject(410) });
        seen.status = 200;
        return;
      case 'stall':
        this.#held.add(response);
        return;
      case 'drop':
        response.destroy();
        return;
      case 'drop-answer':
      case 'cut':
      case 'freeze':
      case undefined:
        this.#passOn(request, response, seen, user, fate);
    }
  }

  #passOn(
    request: IncomingMessage,
    response: ServerResponse,
    seen: SeenRequest,
    user: User | null,
    fate: Fate | null,
  ): void {
    const outgoing = httpsRequest(new URL(request.url ?? '/', this.#options.upstream), {
      method: request.method,
      agent: user === null ? this.#plainAgent : this.#namingAgent,
      headers: { ...passedOn(request.headers), ...(user === null ? {} : user.headers) },
    });
    outgoing.on('error', () => response.destroy());
    outgoing.on('response', (incoming) => {
      if (fate?.do === 'drop-answer') {
        incoming.resume().on('close', () => response.destroy());
        return;
      }
      seen.status = incoming.statusCode ?? 0;
      response.writeHead(seen.status, passedOn(incoming.headers));
      response.flushHeaders();
      if (seen.verb === 'watch') this.#watches.add(response);
      incoming.on('error', () => response.destroy());
      // Ended in the middle: the client must not take it for the end.
      incoming.on('aborted', () => response.destroy());
      incoming.pipe(response);
      this.#harmAnswer(incoming, response, fate);
    });
    response.on('close', () => {
      this.#watches.delete(response);
      outgoing.destroy();
    });
    request.pipe(outgoing);
  }

  #harmAnswer(incoming: IncomingMessage, response: ServerResponse, fate: Fate | null): void {
    if (fate?.do === 'cut') {
      this.#later(fate.afterMs, response, () => {
        incoming.unpipe(response);
        if (fate.orderly === true) response.end();
        else response.destroy();
      });
    }
    if (fate?.do === 'freeze') {
      this.#later(fate.afterMs, response, () => {
        incoming.unpipe(response);
        incoming.resume();
        this.#held.add(response);
      });
    }
  }

  /** Unless the client has gone by then. */
  #later(ms: number, response: ServerResponse, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!response.destroyed) act();
    }, ms);
    this.#timers.add(timer);
  }
}

interface User {
  name: string;
  headers: OutgoingHttpHeaders;
}

/** Whom a certificate of the cluster's authority names: its CN and, as groups, its O. */
function userOf(socket: Socket): User | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { CN: name, O: organizations } = socket.getPeerCertificate().subject as {
    CN: string;
    O?: string | string[];
  };
  // The server adds this group for its own authenticators only.
  const groups = [organizations ?? [], 'system:authenticated'].flat();
  return { name, headers: { 'x-remote-user': name, 'x-remote-group': groups } };
}

function passedOn(headers: IncomingMessage['headers']): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.test(name)));
}

function answer(response: ServerResponse, status: number, body: object, retryAfterSeconds?: number): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(`${JSON.stringify(body)}\n`);
}
