import { join } from 'node:path';
import type { ServerCredentials } from './credentials.ts';
import { Daemon } from './daemon.ts';

export interface ApiServerOptions {
  program: string;
  folder: string;
  port: number;
  etcdUrl: string;
  credentials: ServerCredentials;
  /** Added last, so they win over ours. */
  flags: readonly string[];
}

/** One kube-apiserver on loopback, with RBAC, Node authorization and the default admission plug-ins. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  #daemon: Daemon | null = null;

  constructor(options: ApiServerOptions) {
    this.#options = options;
  }

  get daemon(): Daemon | null {
    return this.#daemon;
  }

  /** Resolves when `isReady` holds. */
  async start(isReady: () => Promise<boolean>): Promise<void> {
    const { program, folder, flags } = this.#options;
    this.#daemon = new Daemon([program, ...this.#flags(), ...flags], join(folder, 'kube-apiserver.log'));
    await this.#daemon.ready(isReady);
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.#daemon?.end(signal);
  }

  #flags(): string[] {
    const { port, etcdUrl, credentials } = this.#options;
    const { cluster, frontProxy, serving, serviceAccountKey } = credentials;
    return [
      `--etcd-servers=${etcdUrl}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${String(port)}`,
      // Loopback is no address that pods could use, so none is published.
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none',
      `--tls-cert-file=${serving.certificate}`,
      `--tls-private-key-file=${serving.key}`,
      `--client-ca-file=${cluster.certificatePath}`,
      `--requestheader-client-ca-file=${frontProxy.certificatePath}`,
      '--requestheader-allowed-names=front-proxy',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${serviceAccountKey.public}`,
      `--service-account-signing-key-file=${serviceAccountKey.private}`,
      '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      '--v=1',
    ];
  }
}
