import type { Agent } from 'node:http';

/** What proves the server to us and us to the server. PEM. */
export interface TlsMaterial {
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** Name to expect in the server's certificate, if not that of the address. */
  readonly servername?: string | undefined;
  /** False only where a kubeconfig says insecure-skip-tls-verify. */
  readonly rejectUnauthorized?: boolean | undefined;
}

export interface Identity {
  /** `authorization` and whatever else the server knows us by. */
  readonly headers: Readonly<Record<string, string>>;
  /** The same object as long as nothing in it changed: connections are made anew when it is another. */
  readonly tls: TlsMaterial;
  /** Where the way to the server is through a proxy: makes the connections. */
  readonly proxy?: Agent | undefined;
}

/** Who we are, now: tokens and certificates are replaced while we run. */
export interface Credentials {
  /** For the next request. Rejects with `ConnectionConfigError` when there is nothing to show. */
  current(): Promise<Identity>;
  /** The server refused `used`: what the source says now, read past every cache, but not more than once in a while. */
  refused(used: Identity): Promise<Identity>;
}

/** A server and how to be let in. */
export interface Endpoint {
  readonly server: URL;
  readonly credentials: Credentials;
}
