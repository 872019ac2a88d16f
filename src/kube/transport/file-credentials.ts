import { readFile } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { ConnectionConfigError } from './connection-config-error.ts';
import type { Credentials, Identity, TlsMaterial } from './credentials.ts';

/** A value that is given, or that stands in a file which others replace while we run. */
export type Source = { readonly text: string | Buffer } | { readonly file: string };

export interface FileCredentialsOptions {
  readonly token?: Source | undefined;
  readonly ca?: Source | undefined;
  readonly cert?: Source | undefined;
  readonly key?: Source | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
  /** Headers that do not change, for example of a user with a password. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly clock: Clock;
}

/** Kubelets replace a token long before it expires, so this age is safe, and it bounds the reads under load. */
const FRESH_MS = 10_000;
/** After a refusal files are read past the cache, but requests that fail in numbers share one read. */
const REFUSED_FRESH_MS = 1_000;

/**
 * Token, CA and client certificate out of files, read again when they are older than ten seconds or the server refuses
 * them. While a file cannot be read (a volume that is being swapped) what it said last goes on being used.
 */
export class FileCredentials implements Credentials {
  readonly #options: FileCredentialsOptions;
  #identity: Identity | null = null;
  #fingerprint = '';
  #readAtMs = 0;
  #reading: Promise<Identity> | null = null;

  constructor(options: FileCredentialsOptions) {
    this.#options = options;
  }

  current(): Promise<Identity> {
    return this.#youngerThan(FRESH_MS);
  }

  refused(used: Identity): Promise<Identity> {
    // Another request has been refused before us and brought what is new.
    if (this.#identity !== null && this.#identity !== used) return Promise.resolve(this.#identity);
    return this.#youngerThan(REFUSED_FRESH_MS);
  }

  async #youngerThan(ageMs: number): Promise<Identity> {
    const known = this.#identity;
    if (known !== null && this.#options.clock.monotonicMs() - this.#readAtMs < ageMs) return known;
    // Requests that come meanwhile wait for the same read.
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    try {
      return await this.#reading;
    } catch (error) {
      if (known !== null) return known;
      throw error;
    }
  }

  async #read(): Promise<Identity> {
    const { token, ca, cert, key, servername, rejectUnauthorized, headers } = this.#options;
    const [tokenText, caText, certText, keyText] = await Promise.all([token, ca, cert, key].map(contentOf));
    const bearer = tokenText?.toString().trim();
    if (token !== undefined && (bearer === undefined || bearer === '')) throw emptyToken(token);
    this.#readAtMs = this.#options.clock.monotonicMs();

    const material = { ca: caText, cert: certText, key: keyText, servername, rejectUnauthorized };
    const fingerprint = JSON.stringify(material, (_, value: unknown) =>
      Buffer.isBuffer(value) ? value.toString('base64') : value,
    );
    const tls: TlsMaterial =
      this.#identity !== null && fingerprint === this.#fingerprint ? this.#identity.tls : material;
    const authorization = bearer === undefined ? undefined : `Bearer ${bearer}`;
    if (tls !== this.#identity?.tls || authorization !== this.#identity.headers['authorization']) {
      this.#identity = { headers: { ...headers, ...(authorization && { authorization }) }, tls };
      this.#fingerprint = fingerprint;
    }
    return this.#identity;
  }
}

async function contentOf(source: Source | undefined): Promise<string | Buffer | undefined> {
  if (source === undefined) return undefined;
  if ('text' in source) return source.text;
  try {
    return await readFile(source.file);
  } catch (cause) {
    const remedy = 'Check that the file exists and that this user may read it.';
    throw new ConnectionConfigError(source.file, 'cannot be read', remedy, cause);
  }
}

function emptyToken(source: Source): ConnectionConfigError {
  const on = 'file' in source ? source.file : 'token';
  return new ConnectionConfigError(on, 'holds no token', 'Write a bearer token into it.');
}
