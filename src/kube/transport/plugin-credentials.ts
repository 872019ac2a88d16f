import type { Agent, RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../lib/clock.ts';
import { ConnectionConfigError } from './connection-config-error.ts';
import type { Credentials, Identity, TlsMaterial } from './credentials.ts';

export interface PluginCredentialsOptions {
  /** Reads the kubeconfig anew; what the library remembers of tokens hangs on what it returns. */
  readonly load: () => KubeConfig;
  /** The kubeconfig, for messages. */
  readonly on: string;
  readonly clock: Clock;
}

/** Programs and identity providers are not asked more often than this, whatever the server says, ms. */
const REFUSED_PAUSE_MS = 10_000;

/** Exec plugins, OpenID Connect and proxies: the library's business. It keeps a token until the token says it expires. */
export class PluginCredentials implements Credentials {
  readonly #options: PluginCredentialsOptions;
  #config: KubeConfig;
  #identity: Identity | null = null;
  #fingerprint = '';
  #loadedAtMs: number;
  #asking: Promise<Identity> | null = null;

  constructor(options: PluginCredentialsOptions) {
    this.#options = options;
    this.#config = options.load();
    this.#loadedAtMs = options.clock.monotonicMs();
  }

  current(): Promise<Identity> {
    // One program at a time, however many requests wait for it.
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async refused(used: Identity): Promise<Identity> {
    if (this.#identity !== null && this.#identity !== used) return this.#identity;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#loadedAtMs < REFUSED_PAUSE_MS) return used;
    this.#loadedAtMs = nowMs;
    this.#config = this.#options.load();
    return this.current();
  }

  async #ask(): Promise<Identity> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      const problem = `the credentials of its user cannot be had (${cause instanceof Error ? cause.message.trim() : String(cause)})`;
      throw new ConnectionConfigError(
        this.#options.on,
        problem,
        'Run `kubectl get --raw /version` with it.',
        cause,
      );
    }
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      headers[name.toLowerCase()] = String(value).trim();
    }
    const material = { ca, cert, key, servername, rejectUnauthorized } as TlsMaterial;
    const fingerprint = JSON.stringify([headers, material]);
    if (this.#identity === null || fingerprint !== this.#fingerprint) {
      const proxied = this.#config.getCurrentCluster()?.proxyUrl;
      const proxy = proxied ? (options.agent as Agent) : undefined;
      this.#identity = { headers, tls: this.#sameTls(material) ?? material, proxy };
      this.#fingerprint = fingerprint;
    }
    return this.#identity;
  }

  /** A new token is no reason for new connections. */
  #sameTls(material: TlsMaterial): TlsMaterial | null {
    const known = this.#identity?.tls;
    return known !== undefined && JSON.stringify(known) === JSON.stringify(material) ? known : null;
  }
}
