import { writeFileSync } from 'node:fs';
import type { Credentials } from './api-caller.ts';

export interface Impersonation {
  user: string;
  groups?: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface Kubeconfig {
  url: string;
  /** PEM of the authority that signed the server's certificate. */
  authority: string | undefined;
  credentials: Credentials & {
    /** Read anew by clients as they see fit: the way to try rotation. */
    tokenFile?: string;
  };
  impersonate?: Impersonation;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Writes it where only its owner reads it; JSON, which is YAML. Returns the path. */
export function writeKubeconfig(
  path: string,
  { url, authority, credentials, impersonate }: Kubeconfig,
): string {
  const { certificate, key, token, tokenFile } = credentials;
  const user = {
    ...(certificate === undefined ? {} : { 'client-certificate-data': base64(certificate) }),
    ...(key === undefined ? {} : { 'client-key-data': base64(key) }),
    ...(token === undefined ? {} : { token }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(impersonate === undefined
      ? {}
      : {
          as: impersonate.user,
          'as-groups': impersonate.groups ?? [],
          'as-user-extra': impersonate.extra ?? {},
        }),
  };
  const cluster = {
    server: url,
    ...(authority === undefined ? {} : { 'certificate-authority-data': base64(authority) }),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  };
  writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
}
