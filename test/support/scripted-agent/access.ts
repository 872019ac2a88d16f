import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** How to reach one API server as one user. Every text is PEM or a bearer token, not a path. */
export interface Access {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly ca?: string;
  readonly token?: string;
  readonly certificate?: string;
  readonly key?: string;
}

interface Kubeconfig {
  clusters: { name: string; cluster: Record<string, string> }[];
  users: { name: string; user: Record<string, string> }[];
  contexts: { name: string; context: { cluster: string; user: string } }[];
  'current-context': string;
}

/** Reads the current context of a kubeconfig; only what the tests' own harness writes: no plug-ins, no proxies. */
export function accessOf(kubeconfigPath: string): Access {
  const config = parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
  const context = config.contexts.find(({ name }) => name === config['current-context'])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users.find(({ name }) => name === context?.user)?.user ?? {};
  if (cluster?.['server'] === undefined)
    throw new Error(`${kubeconfigPath}: no server in its current context`);
  const text = (from: Record<string, string>, key: string): string | undefined => {
    const inline = from[`${key}-data`];
    if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
    const path = from[key];
    return path === undefined ? undefined : readFileSync(resolve(dirname(kubeconfigPath), path), 'utf8');
  };
  const token = user['token'] ?? (user['tokenFile'] && readFileSync(user['tokenFile'], 'utf8').trim());
  return defined({
    server: cluster['server'],
    ca: text(cluster, 'certificate-authority'),
    token,
    certificate: text(user, 'client-certificate'),
    key: text(user, 'client-key'),
  });
}

/** The same server as somebody else. */
export function withToken({ server, ca }: Access, token: string): Access {
  return defined({ server, ca, token });
}

function defined(access: Record<string, string | undefined>): Access {
  return Object.fromEntries(Object.entries(access).filter(([, value]) => value)) as unknown as Access;
}
