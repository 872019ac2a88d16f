import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { VmnError } from '../../lib/errors.ts';
import { createServer } from '../../lib/http.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { LoopLag } from './loop-lag.ts';

/** What is wrong, in a few words, or null. Cheap: it is asked at each request. What it throws is what is wrong. */
export type Check = () => string | null;

export interface HealthServerOptions {
  /** IPv4 or IPv6 address to listen on. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** By name; all must pass for /healthz, besides the event loop. Only what a restart heals. */
  readonly live?: Readonly<Record<string, Check>> | undefined;
  /** By name; all must pass for /readyz. */
  readonly ready?: Readonly<Record<string, Check>> | undefined;
  /** /healthz fails when the event loop runs later than this, ms: only a restart heals that. Default 10,000. */
  readonly longestLagMs?: number | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const CONNECTIONS = 64;
const SLOWEST_REQUEST_MS = 10_000;

/** HTTP for the kubelet and Prometheus: /healthz, /readyz (each with `?verbose`) and /metrics. Nothing can be changed by it. */
export class HealthServer {
  readonly #options: HealthServerOptions;
  readonly #server: Server;
  readonly #lag: LoopLag;

  private constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#lag = new LoopLag(options.clock);
    this.#server = createServer({ requestTimeout: SLOWEST_REQUEST_MS }, (request, response) =>
      this.#answer(request, response),
    );
    // Clients come and go as they like; only listening itself may fail, and listen() sees that.
    this.#server.on('error', () => undefined);
    this.#server.maxConnections = CONNECTIONS;
  }

  /** On all addresses (`::`) means those of IPv4 alone where the machine has no IPv6. Throws VMN_LISTEN. */
  static async listen(options: HealthServerOptions): Promise<HealthServer> {
    try {
      return await HealthServer.#listenOn(options);
    } catch (error) {
      const cause: unknown = error instanceof Error ? error.cause : null;
      const lacksIpv6 = cause instanceof Error && 'code' in cause && cause.code === 'EAFNOSUPPORT';
      if (options.host !== '::' || !lacksIpv6) throw error;
      return HealthServer.#listenOn({ ...options, host: '0.0.0.0' });
    }
  }

  static async #listenOn(options: HealthServerOptions): Promise<HealthServer> {
    const server = new HealthServer(options);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject);
        server.#server.listen({ host: options.host, port: options.port }, () => {
          server.#server.off('error', reject);
          resolve();
        });
      });
    } catch (cause) {
      server.#lag.close();
      const on = `${options.host} port ${options.port}`;
      throw new VmnError('VMN_LISTEN', { attempted: 'listen for health checks and metrics', on, cause });
    }
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#lag.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Not by `new URL`, which throws for some paths: no request may end the process.
    const [path, query = ''] = (request.url ?? '/').split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET\n');
    const { live = {}, ready = {} } = this.#options;
    switch (path) {
      case '/healthz':
        return report(response, { 'event-loop': () => this.#lagging(), ...live }, query);
      case '/readyz':
        return report(response, ready, query);
      case '/metrics':
        return void this.#sendMetrics(response);
      default:
        return send(response, 404, 'there are /healthz, /readyz and /metrics\n');
    }
  }

  #lagging(): string | null {
    const { longestLagMs = 10_000 } = this.#options;
    const lagMs = this.#lag.ms;
    return lagMs > longestLagMs
      ? `runs ${Math.round(lagMs)} ms late, at most ${longestLagMs} are well`
      : null;
  }

  async #sendMetrics(response: ServerResponse): Promise<void> {
    const { registry } = this.#options.metrics;
    try {
      send(response, 200, await registry.metrics(), registry.contentType);
    } catch (error) {
      send(response, 500, `${wordsOf(error)}\n`);
    }
  }
}

/** In the manner of Kubernetes' own: a line a check if one fails or `verbose` asks for it. */
function report(response: ServerResponse, checks: Readonly<Record<string, Check>>, query: string): void {
  const results = Object.entries(checks).map(([name, check]) => ({ name, wrong: tried(check) }));
  const passed = results.every(({ wrong }) => wrong === null);
  if (passed && !query.split('&').includes('verbose')) return send(response, 200, 'ok\n');
  const lines = results.map(({ name, wrong }) => (wrong === null ? `[+]${name} ok` : `[-]${name}: ${wrong}`));
  send(response, passed ? 200 : 503, [...lines, passed ? 'ok' : 'not ok', ''].join('\n'));
}

function tried(check: Check): string | null {
  try {
    return check();
  } catch (error) {
    return wordsOf(error);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function send(
  response: ServerResponse,
  code: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(code, { 'content-type': type, 'x-content-type-options': 'nosniff' });
  response.end(body);
}
