import { readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { KubeConfig, User } from '@kubernetes/client-node';
import type { Clock } from '../../lib/clock.ts';
import { ConnectionConfigError } from './connection-config-error.ts';
import type { Credentials, Endpoint } from './credentials.ts';
import { FileCredentials } from './file-credentials.ts';
import type { Source } from './file-credentials.ts';
import { PluginCredentials } from './plugin-credentials.ts';

export interface KubeconfigOptions {
  /** One path, or several as in KUBECONFIG: of what several define, the first holds. */
  readonly paths: string;
  /** Absent: the file's current-context. */
  readonly context?: string | undefined;
  readonly clock: Clock;
}

/**
 * What a kubeconfig says, read by the library that knows all of its forms. It is loaded only here, when there is a
 * kubeconfig: it takes more memory than the rest of an agent (see the README).
 */
export async function kubeconfigEndpoint(options: KubeconfigOptions): Promise<Endpoint> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const files = options.paths.split(delimiter).filter((path) => path !== '');
  const load = (): KubeConfig => {
    const merged = new KubeConfig();
    for (const file of files) mergeMissing(merged, loaded(new KubeConfig(), file));
    if (options.context !== undefined) merged.setCurrentContext(options.context);
    return merged;
  };
  const config = load();
  const on = options.paths;
  const contextName = config.getCurrentContext();
  const context = config.getContextObject(contextName);
  if (context === null) {
    const known = config.getContexts().map(({ name }) => name);
    const problem = contextName ? `has no context "${contextName}"` : 'has no current-context';
    throw new ConnectionConfigError(on, problem, `Choose one of: ${known.join(', ') || '(it has none)'}.`);
  }
  const cluster = config.getCluster(context.cluster);
  if (cluster === null) {
    const remedy = 'Add that cluster, or choose another context.';
    throw new ConnectionConfigError(on, `context "${contextName}" names no known cluster`, remedy);
  }
  const server = serverOf(on, cluster.server);
  const user = config.getUser(context.user);
  const tokenFile = tokenFileOf(files, context.user);
  const shows: unknown[] = [
    user?.token,
    user?.certData,
    user?.certFile,
    user?.exec,
    user?.authProvider,
    user?.username,
  ];
  if (server.protocol === 'http:' && [...shows, tokenFile].some(Boolean) && !isLoopback(server.hostname)) {
    const remedy = 'Use https; plain http carries credentials only to this very machine.';
    throw new ConnectionConfigError(on, `server ${server.href} is not encrypted`, remedy);
  }
  const needsLibrary = Boolean(user?.exec) || Boolean(user?.authProvider) || Boolean(cluster.proxyUrl);
  const credentials: Credentials = needsLibrary
    ? new PluginCredentials({ load, on, clock: options.clock })
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

function loaded(config: KubeConfig, file: string): KubeConfig {
  try {
    config.loadFromFile(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const problem = code === undefined ? 'is not a kubeconfig' : `cannot be read (${code})`;
    const remedy = 'Check the path, its permissions, and `kubectl config view` with the same file.';
    throw new ConnectionConfigError(file, problem, remedy, cause);
  }
  return config;
}

/** kubectl's rule for several files; the library refuses what is defined twice. */
function mergeMissing(into: KubeConfig, from: KubeConfig): void {
  for (const cluster of from.getClusters())
    if (into.getCluster(cluster.name) === null) into.addCluster(cluster);
  for (const user of from.getUsers()) if (into.getUser(user.name) === null) into.addUser(user);
  for (const context of from.getContexts()) {
    if (into.getContextObject(context.name) === null) into.addContext(context);
  }
  if (!into.getCurrentContext() && from.getCurrentContext()) into.setCurrentContext(from.getCurrentContext());
}

/** The field `tokenFile`, which the library does not know; relative to its file, as all paths in a kubeconfig. */
function tokenFileOf(files: readonly string[], userName: string): string | undefined {
  for (const file of files) {
    const document = parse(readFileSync(file, 'utf8')) as {
      users?: { name?: string; user?: unknown }[];
    } | null;
    const entry = document?.users?.find(({ name }) => name === userName);
    if (entry === undefined) continue;
    const { tokenFile } = (entry.user ?? {}) as { tokenFile?: unknown };
    return typeof tokenFile === 'string' ? resolve(dirname(file), tokenFile) : undefined;
  }
  return undefined;
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

function plainHeaders(user: User | null): Record<string, string> {
  const headers: Record<string, string> = {};
  if (user?.username) {
    const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
    headers['authorization'] = `Basic ${pair}`;
  }
  if (user?.impersonateUser) headers['impersonate-user'] = user.impersonateUser;
  return headers;
}
