import type { AssetName } from '../../../scripts/kube-assets/asset.ts';
import { findAsset } from '../../../scripts/kube-assets/cache.ts';
import { ApiCaller } from './api-caller.ts';
import { ApiServer } from './api-server.ts';
import { ControllerManager } from './controller-manager.ts';
import { pemOf, type ServerCredentials } from './credentials.ts';
import { Etcd } from './etcd.ts';
import { freePort } from './free-port.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { join } from 'node:path';

export interface ServersOptions {
  folder: string;
  credentials: ServerCredentials;
  apiServerFlags: readonly string[];
  controllers: readonly string[];
}

/** The processes of one control plane. They keep their ports over restarts. */
export class Servers {
  readonly url: string;
  readonly etcd: Etcd;
  readonly apiServer: ApiServer;
  readonly #manager: ControllerManager | null;
  readonly #credentials: ServerCredentials;

  private constructor(options: ServersOptions, ports: readonly [number, number, number]) {
    const { folder, credentials, apiServerFlags, controllers } = options;
    const [port, client, peer] = ports;
    this.#credentials = credentials;
    this.url = `https://127.0.0.1:${String(port)}`;
    this.etcd = new Etcd(program('etcd'), folder, { client, peer });
    this.apiServer = new ApiServer({
      program: program('kube-apiserver'),
      folder,
      port,
      etcdUrl: this.etcd.clientUrl,
      credentials,
      flags: apiServerFlags,
    });
    this.#manager = controllers.length === 0 ? null : this.#controllerManager(folder, controllers);
  }

  static async withFreePorts(options: ServersOptions): Promise<Servers> {
    return new Servers(options, [await freePort(), await freePort(), await freePort()]);
  }

  /** All of them; rejects with PortTaken when another process was quicker to listen. */
  async start(): Promise<void> {
    await this.etcd.start();
    await this.startApiServer();
    this.#manager?.start();
  }

  async startApiServer(): Promise<void> {
    // A connection of its own: one that outlived the server before would be the first to be tried.
    const probe = new ApiCaller(
      this.url,
      this.#credentials.cluster.certificate,
      pemOf(this.#credentials.admin),
    );
    try {
      await this.apiServer.start(() => isReady(probe));
    } finally {
      probe.close();
    }
  }

  async kill(): Promise<void> {
    await Promise.all([this.#manager?.kill(), this.apiServer.end('SIGKILL'), this.etcd.kill()]);
  }

  #controllerManager(folder: string, controllers: readonly string[]): ControllerManager {
    const { cluster, admin, serviceAccountKey } = this.#credentials;
    const kubeconfig = writeKubeconfig(join(folder, 'kube-controller-manager.json'), {
      url: this.url,
      authority: cluster.certificate,
      credentials: pemOf(admin),
    });
    return new ControllerManager({
      program: program('kube-controller-manager'),
      folder,
      kubeconfig,
      controllers,
      serviceAccountKey: serviceAccountKey.private,
      clusterAuthority: cluster.certificatePath,
    });
  }
}

/** `/readyz` holds a moment before the default namespace is there. */
async function isReady(api: ApiCaller): Promise<boolean> {
  try {
    if ((await api.call('GET', '/readyz', undefined, { timeoutMs: 2000 })).status !== 200) return false;
    return (await api.call('GET', '/api/v1/namespaces/default')).status === 200;
  } catch {
    return false;
  }
}

function program(name: AssetName): string {
  const path = findAsset(name);
  if (path === null) throw new Error(`no ${name} is built: run node scripts/kube-assets.ts ${name}`);
  return path;
}
