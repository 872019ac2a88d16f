/** etcd and kube-apiserver of one set of tests, on loopback, and what can happen to them. */
import { findAsset } from '../../../scripts/kube-assets/cache.ts';
import type { KeyPair } from './certificate-authority.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { clusterAuthorityIn, makeCredentials, pemOf, type ServerCredentials } from './credentials.ts';
import { PortTaken } from './daemon.ts';
import { FaultProxy } from './fault-proxy.ts';
import { makeRunFolder, removeSecrets } from './run-folder.ts';
import { Servers } from './servers.ts';

export interface ControlPlaneOptions {
  /** More flags for kube-apiserver; they win over the harness's. */
  apiServerFlags?: readonly string[];
  /**
   * Starts kube-controller-manager with these of its controllers, e.g. `garbage-collector-controller`,
   * `namespace-controller`, `clusterrole-aggregation-controller`. Without it nobody does their work.
   */
  controllers?: readonly string[];
}

/** Paths and address: all that another process needs while this one keeps the servers running. */
export interface ControlPlaneRecord {
  url: string;
  folder: string;
  admin: KeyPair;
}

const START_TRIES = 5;

export class ControlPlane extends Cluster {
  /** From nothing until the API server was ready, making the keys included. */
  readonly startedInMs: number;
  readonly #servers: Servers;
  readonly #credentials: ServerCredentials;
  readonly #proxies: FaultProxy[] = [];
  #stopping: Promise<void> | null = null;

  private constructor(
    options: ClusterOptions,
    servers: Servers,
    credentials: ServerCredentials,
    startedInMs: number,
  ) {
    super(options);
    this.#servers = servers;
    this.#credentials = credentials;
    this.startedInMs = startedInMs;
  }

  /** Resolves when the API server is ready; rejects with the end of the log of what would not start. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const began = performance.now();
    const { apiServerFlags = [], controllers = [] } = options;
    const folder = makeRunFolder();
    const credentials = await makeCredentials(folder);
    for (let tried = 1; ; tried += 1) {
      const servers = await Servers.withFreePorts({ folder, credentials, apiServerFlags, controllers });
      try {
        await servers.start();
        const access = accessTo(folder, servers.url, pemOf(credentials.admin));
        return new ControlPlane(access, servers, credentials, performance.now() - began);
      } catch (error) {
        await servers.kill();
        if (!(error instanceof PortTaken) || tried === START_TRIES) throw error;
        servers.etcd.empty();
      }
    }
  }

  /** How another process reaches it, see any-cluster.ts. */
  get record(): ControlPlaneRecord {
    return { url: this.url, folder: this.folder, admin: this.#credentials.admin };
  }

  get apiServerRunning(): boolean {
    return this.#servers.apiServer.daemon?.running === true;
  }

  /** For tests of the harness: what must be gone with its maker. */
  get pids(): number[] {
    const { etcd, apiServer } = this.#servers;
    return [etcd.daemon, apiServer.daemon].flatMap((daemon) => (daemon === null ? [] : [daemon.pid]));
  }

  /** The end of both logs, for the message of a test that failed. */
  get logTails(): string {
    const { etcd, apiServer } = this.#servers;
    return [etcd.daemon, apiServer.daemon]
      .map((daemon) => `${daemon?.name ?? 'not started'}:\n${daemon?.logTail ?? ''}`)
      .join('\n');
  }

  /** It is gone when this resolves, with every connection to it; its data stay in etcd. */
  kill9ApiServer(): Promise<void> {
    return this.#servers.apiServer.end('SIGKILL');
  }

  /** Stops it as an orderly restart does (it ends its watches first); it is gone when this resolves. */
  stopApiServer(): Promise<void> {
    return this.#servers.apiServer.end('SIGTERM');
  }

  /** The kernel still accepts connections, and nobody answers. */
  async freezeApiServer(): Promise<void> {
    await this.#servers.apiServer.daemon?.freeze();
  }

  thawApiServer(): void {
    this.#servers.apiServer.daemon?.thaw();
  }

  /** At the same address with the same keys; kills it first where it runs. Resolves when it is ready. */
  async restartApiServer(): Promise<void> {
    await this.kill9ApiServer();
    await this.#servers.startApiServer();
  }

  /** Both start anew without any data: CRDs and all objects are gone, resource versions count from one. */
  emptyEtcd(): Promise<void> {
    return this.#startAnew((etcd) => etcd.empty());
  }

  /** Puts what etcd stores now aside; the servers go on. */
  snapshotEtcd(): Promise<void> {
    return this.#servers.etcd.snapshot();
  }

  /** Both start anew with what was stored at the last snapshot: resource versions go back and are given again. */
  restoreEtcd(): Promise<void> {
    return this.#startAnew((etcd) => etcd.restore());
  }

  /** A proxy in front of the API server, for `kubeconfigFor(identity, proxy.url)`. It ends with the set. */
  async faultProxy(): Promise<FaultProxy> {
    const { cluster, serving, frontProxyClient } = this.#credentials;
    const proxy = await FaultProxy.listen({
      upstream: this.url,
      authority: cluster.certificate,
      serving: pemOf(serving),
      frontProxy: pemOf(frontProxyClient),
    });
    this.#proxies.push(proxy);
    return proxy;
  }

  /** Ends all processes and removes keys and data; logs stay in build/control-plane until newer ones push them out. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #startAnew(change: (etcd: Servers['etcd']) => void): Promise<void> {
    await this.kill9ApiServer();
    await this.#servers.etcd.kill();
    change(this.#servers.etcd);
    await this.#servers.etcd.start();
    await this.#servers.startApiServer();
  }

  async #stop(): Promise<void> {
    this.close();
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await this.#servers.kill();
    removeSecrets(this.folder);
  }
}

/** How to reach the control plane of a run's folder, in the process that made it or in another. */
export function accessTo(folder: string, url: string, admin: ClusterOptions['admin']): ClusterOptions {
  const issuer = clusterAuthorityIn(folder);
  const programs = { kubectl: findAsset('kubectl'), helm: findAsset('helm') };
  return { url, folder, issuer, authority: issuer.certificate, admin, programs };
}
