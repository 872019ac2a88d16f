import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { ConnectionConfigError } from './connection-config-error.ts';
import type { Endpoint } from './credentials.ts';
import { FileCredentials } from './file-credentials.ts';

/** Where the kubelet mounts them: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The API server as a pod sees it. Needs no library: a token file, a CA file and two variables. */
export function inClusterEndpoint(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly serviceAccountDir?: string | undefined;
}): Endpoint {
  const { env, clock, serviceAccountDir = SERVICE_ACCOUNT } = options;
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || host === '' || port === undefined || !/^\d{1,5}$/.test(port)) {
    throw new ConnectionConfigError(
      'KUBERNETES_SERVICE_HOST',
      'is not set with KUBERNETES_SERVICE_PORT, so this is no pod',
      'Give a kubeconfig (--kubeconfig or KUBECONFIG), or run in a pod with a service account.',
    );
  }
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    credentials: new FileCredentials({
      token: { file: join(serviceAccountDir, 'token') },
      ca: { file: join(serviceAccountDir, 'ca.crt') },
      clock,
    }),
  };
}
