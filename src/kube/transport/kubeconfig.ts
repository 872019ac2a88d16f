import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../lib/clock.ts';
import { ConnectionConfigError } from './connection-config-error.ts';
import type { Credentials, Endpoint } from './credentials.ts';
import { FileCredentials } from './file-credentials.ts';
import type { Source } from './file-credentials.ts';
import { readKubeconfigs } from './kubeconfig-file.ts';
import type { KubeconfigUser } from './kubeconfig-file.ts';
import { PluginCredentials } from './plugin-credentials.ts';

export interface KubeconfigOptions {
  /** One path, or several as in KUBECONFIG: of what several define, the first holds. */
  readonly paths: string;
  /** Absent: the file's current-context. */
  readonly context?: string | undefined;
  readonly clock: Clock;
}

/**
 * The server and the user of a kubeconfig. Tokens, passwords and certificates are our own matter; exec plugins, OpenID
 * Connect and proxies that of the library, which is loaded only then: it takes more memory than the rest of an agent (see
 * the README).
 */
export async function kubeconfigEndpoint(options: KubeconfigOptions): Promise<Endpoint> {
  const on = options.paths;
  const config = readKubeconfigs(on);
  const contextName = options.context ?? config.currentContext;
  const context = named(config.contexts, contextName);
  if (context === null) {
    const known = config.contexts.map(({ name }) => name);
    const problem = contextName ? `has no context "${contextName}"` : 'has no current-context';
    throw new ConnectionConfigError(on, problem, `Choose one of: ${known.join(', ') || '(it has none)'}.`);
  }
  const cluster = named(config.clusters, context.cluster);
  if (cluster === null) {
    const remedy = 'Add that cluster, or choose another context.';
    throw new ConnectionConfigError(on, `context "${contextName}" names no known cluster`, remedy);
  }
  const server = serverOf(on, cluster.server);
  const user = named(config.users, context.user);
  const tokenFile = user?.tokenFile;
  const shows: unknown[] = [
    user?.token,
    user?.certData,
    user?.certFile,
    user?.exec,
    user?.authProvider,
    user?.username,
    tokenFile,
  ];
  if (server.protocol === 'http:' && shows.some(Boolean) && !isLoopback(server.hostname)) {
    const remedy = 'Use https; plain http carries credentials only to this very machine.';
    throw new ConnectionConfigError(on, `server ${server.href} is not encrypted`, remedy);
  }
  const needsLibrary = Boolean(user?.exec) || Boolean(user?.authProvider) || Boolean(cluster.proxyUrl);
  const credentials: Credentials = needsLibrary
    ? new PluginCredentials({ load: await loaderOf(on, contextName), on, clock: options.clock })
    : new FileCredentials({
        token: tokenFile === undefined ? text(user?.token) : { file: tokenFile },
        ca: fileOrData(cluster.caFile, cluster.caData),
        cert: fileOrData(user?.certFile, user?.certData),
        key: fileOrData(user?.keyFile, user?.keyData),
        servername: cluster.tlsServerName || undefined,
        rejectUnauthorized: cluster.skipTLSVerify ? false : undefined,
        headers: plainHeaders(user),
        clock: options.clock,
      });
  return { server, credentials };
}

/** The same for the library, which reads it anew when its credentials were refused. */
async function loaderOf(paths: string, currentContext: string): Promise<() => KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  return () => {
    const config = new KubeConfig();
    config.loadFromOptions({ ...readKubeconfigs(paths), currentContext });
    return config;
  };
}

function named<T extends { readonly name: string }>(entries: readonly T[], name: string): T | null {
  return entries.find((entry) => entry.name === name) ?? null;
}

function serverOf(on: string, server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new ConnectionConfigError(
      on,
      `server "${server}" is not an http(s) address`,
      'Correct clusters[].server.',
    );
  }
  return url;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

function text(value: string | undefined): Source | undefined {
  return value ? { text: value } : undefined;
}

function fileOrData(file: string | undefined, base64: string | undefined): Source | undefined {
  if (file) return { file };
  return base64 ? { text: Buffer.from(base64, 'base64') } : undefined;
}

function plainHeaders(user: KubeconfigUser | null): Record<string, string> {
  const headers: Record<string, string> = {};
  if (user?.username) {
    const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
    headers['authorization'] = `Basic ${pair}`;
  }
  if (user?.impersonateUser) headers['impersonate-user'] = user.impersonateUser;
  return headers;
}
