import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { reasonOf } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import * as http from '../../lib/http.ts';
import type { Answer } from './answer.ts';
import type { Endpoint, Identity, TlsMaterial } from './credentials.ts';
import { TransportError, transportError } from './transport-error.ts';

/*
 * Theory of operation
 *
 * One pool of kept-alive connections for requests, one for watches: a watch holds its connection for minutes and must
 * not keep a request waiting. When certificates or the CA change, new pools are made and the old ones end with their
 * last exchange. A connection that is idle for longer than IDLE_MS is closed by us, before the API server (90 s) does
 * so in the very moment in which a write is on its way. TCP keep-alive finds a peer that went without a word.
 */

export interface ConnectionOptions extends Endpoint {
  readonly clock: Clock;
  readonly userAgent: string;
  /** From the first byte sent to the last byte read; of a watch, to its headers. ms */
  readonly requestTimeoutMs: number;
  /** Requests at the same time; more wait. */
  readonly maxConnections: number;
  /** Bytes of one answer. */
  readonly maxBodyBytes: number;
}

export interface OutgoingRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** See `WriteOptions.beforeSend`. */
  readonly beforeSend?: (() => void) | undefined;
}

const IDLE_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
const MAX_WATCHES = 64;
/** Of an answer that only explains why there is no stream. */
const MAX_REFUSAL_BYTES = 1 << 20;

interface Pools {
  readonly tls: TlsMaterial;
  readonly requests: Agent;
  readonly watches: Agent;
}

/** Way to one API server, as one identity. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #base: string;
  #pools: Pools | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#base = options.server.pathname.replace(/\/+$/, '');
  }

  /** Sends and reads all of the answer, whatever its status. */
  async request(request: OutgoingRequest): Promise<Answer> {
    return this.#asSomebody(request, async (identity) => {
      const exchange = this.#exchange(request, identity, 'requests');
      try {
        return await readAll(await exchange.response, this.#options.maxBodyBytes, whatOf(request));
      } catch (error) {
        throw exchange.explain(error);
      } finally {
        exchange.end();
      }
    });
  }

  /** Sends, and hands over the stream of a 200; any other answer is read and given as such. */
  async stream(request: OutgoingRequest): Promise<Answer | Streaming> {
    return this.#asSomebody<Answer | Streaming>(request, async (identity) => {
      const exchange = this.#exchange(request, identity, 'watches');
      try {
        const response = await exchange.response;
        if (response.statusCode === 200) {
          exchange.untimed();
          return { status: 200, chunks: chunksOf(response, exchange) };
        }
        const answer = await readAll(response, MAX_REFUSAL_BYTES, whatOf(request));
        exchange.end();
        return answer;
      } catch (error) {
        exchange.end();
        throw exchange.explain(error);
      }
    });
  }

  /** A 401 gets one more try if there are newer credentials; it was not looked at, so that is safe for writes too. */
  async #asSomebody<T extends { status: number }>(
    request: OutgoingRequest,
    send: (identity: Identity) => Promise<T>,
  ): Promise<T> {
    const { credentials } = this.#options;
    request.signal?.throwIfAborted();
    const identity = await this.#inTime(request, credentials.current());
    const answer = await send(identity);
    if (answer.status !== 401) return answer;
    const fresh = await this.#inTime(request, credentials.refused(identity));
    return fresh === identity ? answer : send(fresh);
  }

  /** Credentials may come from a program that hangs. It goes on for the others; this request does not wait for it. */
  async #inTime(request: OutgoingRequest, identity: Promise<Identity>): Promise<Identity> {
    const { clock, requestTimeoutMs } = this.#options;
    const { signal } = request;
    return new Promise((resolve, reject) => {
      const late = `${whatOf(request)}: no credentials within ${requestTimeoutMs} ms`;
      const timer = clock.setTimer(requestTimeoutMs, () => reject(new TransportError('TIMEOUT', late)));
      const onAbort = (): void => reject(reasonOf(signal));
      signal?.addEventListener('abort', onAbort, { once: true });
      void identity.then(resolve, reject).finally(() => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      });
    });
  }

  #exchange(request: OutgoingRequest, identity: Identity, pool: 'requests' | 'watches'): Exchange {
    const { server, clock, userAgent, requestTimeoutMs } = this.#options;
    const { signal, body, beforeSend } = request;
    const secure = server.protocol === 'https:';
    const outgoing = (secure ? https : http).request({
      protocol: server.protocol,
      // URL keeps the brackets of IPv6 addresses, sockets do not want them.
      hostname: server.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: server.port === '' ? (secure ? 443 : 80) : Number(server.port),
      method: request.method,
      path: this.#base + request.path,
      headers: {
        accept: 'application/json',
        'user-agent': userAgent,
        ...identity.headers,
        ...request.headers,
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      },
      agent: identity.proxy ?? this.#poolsFor(identity.tls)[pool],
    });

    // What we ended it for; the sockets only know that it ended.
    let reason: { readonly error: unknown } | null = null;
    const cut = (error: unknown): void => {
      reason ??= { error };
      outgoing.destroy();
    };
    const onAbort = (): void => cut(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const late = `${whatOf(request)}: no complete answer within ${requestTimeoutMs} ms`;
    const timer = clock.setTimer(requestTimeoutMs, () => cut(new TransportError('TIMEOUT', late)));

    const response = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      // These stay: what is destroyed may emit once more, and an error that nobody hears ends the process.
      outgoing.on('error', reject);
      outgoing.on('close', () =>
        reject(new TransportError('ECONNRESET', `${whatOf(request)}: connection closed`)),
      );
    });
    // It may be cut before anybody waits for it.
    response.catch(() => undefined);
    outgoing.once('socket', (socket: Socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    if (beforeSend === undefined) outgoing.end(body);
    else sendOnceConnected(outgoing, body, beforeSend, cut);
    return {
      response,
      untimed: () => timer.cancel(),
      end: () => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      },
      explain: (error) => (reason === null ? transportError(whatOf(request), error) : reason.error),
    };
  }

  #poolsFor(tls: TlsMaterial): Pools {
    if (this.#pools?.tls === tls) return this.#pools;
    const { server, maxConnections } = this.#options;
    const pool = (maxSockets: number): Agent => {
      const options = { keepAlive: true, maxSockets, timeout: IDLE_MS, scheduling: 'lifo' as const };
      return server.protocol === 'https:'
        ? new https.Agent({ ...options, ...given(tls) })
        : new http.Agent(options);
    };
    const old = this.#pools;
    this.#pools = { tls, requests: pool(maxConnections), watches: pool(MAX_WATCHES) };
    closeIdle(old?.requests);
    closeIdle(old?.watches);
    return this.#pools;
  }
}

/** An answer that goes on for as long as it is read. */
export interface Streaming {
  readonly status: 200;
  readonly chunks: AsyncIterable<Buffer>;
}

interface Exchange {
  readonly response: Promise<IncomingMessage>;
  /** From here on it may take as long as it takes. */
  readonly untimed: () => void;
  readonly end: () => void;
  /** The reason for which we ended the exchange, or the failure by which it ended. */
  readonly explain: (error: unknown) => unknown;
}

/** The moment in which `beforeSend` is asked is the one in which the bytes go: on a connection that stands. */
function sendOnceConnected(
  outgoing: ClientRequest,
  body: string | undefined,
  beforeSend: () => void,
  cut: (error: unknown) => void,
): void {
  const send = (): void => {
    try {
      beforeSend();
    } catch (error) {
      cut(error);
      return;
    }
    outgoing.end(body);
  };
  outgoing.once('socket', (socket: Socket) => {
    if (outgoing.reusedSocket) send();
    else if (socket instanceof TLSSocket && (socket.connecting || socket.getCipher() === undefined)) {
      socket.once('secureConnect', send);
    } else if (socket.connecting) socket.once('connect', send);
    else send();
  });
}

async function readAll(response: IncomingMessage, maxBytes: number, what: string): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the response, and with it the connection.
    if (size > maxBytes)
      throw new TransportError('TOO_LARGE', `${what}: the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

async function* chunksOf(response: IncomingMessage, exchange: Exchange): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw exchange.explain(error);
  } finally {
    exchange.end();
  }
}

/** Without the query, which may hold a continue token of a kilobyte. */
function whatOf(request: OutgoingRequest): string {
  return `${request.method} ${request.path.split('?')[0] ?? ''}`;
}

function closeIdle(agent: Agent | undefined): void {
  for (const sockets of Object.values(agent?.freeSockets ?? {})) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

/** Node takes an undefined option for a given one. */
function given(tls: TlsMaterial): https.AgentOptions {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}
