import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { limited } from '../../lib/time-limit.ts';
import type { KubeClient } from '../client.ts';
import { ConnectionConfigError } from './connection-config-error.ts';
import { Connection } from './connection.ts';
import type { Endpoint } from './credentials.ts';
import { inClusterEndpoint } from './in-cluster.ts';
import { RestClient } from './rest-client.ts';
import type { RequestMetrics } from './rest-client.ts';

export interface ConnectOptions {
  /** Path of a kubeconfig. Absent: KUBECONFIG, else the service account of the pod. */
  readonly kubeconfig?: string | undefined;
  /** Context of the kubeconfig. Absent: its current one. */
  readonly context?: string | undefined;
  /** `program/version`; shows up in the server's audit log. */
  readonly userAgent: string;
  /** Default 30 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Requests at the same time, watches apart. Default 16. */
  readonly maxConnections?: number | undefined;
  /** Bytes of one answer. Default 64 MiB. */
  readonly maxBodyBytes?: number | undefined;
  readonly metrics?: RequestMetrics | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** A client of the API server that the options name. Asks the server nothing yet. Rejects with `ConnectionConfigError`. */
export async function connect(options: ConnectOptions): Promise<KubeClient> {
  const { userAgent, requestTimeoutMs = 30_000, maxConnections = 16, maxBodyBytes = 64 << 20 } = options;
  const { clock = systemClock, metrics, random } = options;
  const endpoint = await endpointOf(options, clock);
  // What cannot be had now will hardly be had later: the person who starts us is still looking.
  await firstCredentials(endpoint, options, clock, requestTimeoutMs);
  const connection = new Connection({
    ...endpoint,
    clock,
    userAgent,
    requestTimeoutMs,
    maxConnections,
    maxBodyBytes,
  });
  return new RestClient({ connection, clock, metrics, random });
}

/** A program that gives credentials may hang. */
async function firstCredentials(
  { credentials }: Endpoint,
  options: ConnectOptions,
  clock: Clock,
  limitMs: number,
): Promise<void> {
  let isLate = false;
  const ask = (limit: AbortSignal) => {
    limit.addEventListener('abort', () => (isLate = true));
    return credentials.current();
  };
  try {
    await limited(clock, limitMs, new AbortController().signal, ask);
  } catch (error) {
    if (!isLate) throw error;
    const on = pathsOf(options) || 'the service account';
    const problem = `the credentials of its user did not come within ${limitMs / 1000} s`;
    const remedy = 'Run `kubectl get --raw /version` with it.';
    throw new ConnectionConfigError(on, problem, remedy, error);
  }
}

function pathsOf({ kubeconfig, env = process.env }: ConnectOptions): string {
  return kubeconfig ?? env['KUBECONFIG'] ?? '';
}

async function endpointOf(options: ConnectOptions, clock: Clock): Promise<Endpoint> {
  const { env = process.env, context } = options;
  const paths = pathsOf(options);
  if (paths === '') return inClusterEndpoint({ env, clock });
  // A pod has no use for what reads them.
  const { kubeconfigEndpoint } = await import('./kubeconfig.ts');
  return kubeconfigEndpoint({ paths, context, clock });
}
