/** Connections to the API server as somebody, by the credential that they would really have. */
import type { ApiCaller } from '../control-plane/api-caller.ts';
import { callerWith } from '../control-plane/caller-with.ts';
import type { Cluster, Identity } from '../control-plane/cluster.ts';
import { SYSTEM_NAMESPACE } from './helm.ts';

export const NODES_GROUP = 'system:vmnetwork:nodes';

export class Callers {
  readonly #cluster: Cluster;
  readonly #open: ApiCaller[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** A person or component with a client certificate. */
  async certified(identity: Identity): Promise<ApiCaller> {
    return this.#keep(await this.#cluster.kubeconfigFor(identity));
  }

  /** A ServiceAccount; with `node` by a token that is bound to that Node. */
  async serviceAccount(name: string, { namespace = SYSTEM_NAMESPACE, node = '' } = {}): Promise<ApiCaller> {
    const account = { namespace, name, ...(node === '' ? {} : { node }) };
    return this.#keep(await this.#cluster.kubeconfigForServiceAccount(account));
  }

  /** The agent of a Linux host: a pod's token. */
  linuxAgent(node: string): Promise<ApiCaller> {
    return this.serviceAccount('vmnetwork-agent', { node });
  }

  /** The agent of a Mac: a certificate. */
  macAgent(node: string): Promise<ApiCaller> {
    return this.certified({ user: `system:vmnetwork:node:${node}`, groups: [NODES_GROUP] });
  }

  controller(): Promise<ApiCaller> {
    return this.serviceAccount('vmnetwork-controller');
  }

  /** Somebody who holds a ClusterRole in one namespace. */
  async tenant(user: string, namespace: string, clusterRole: string): Promise<ApiCaller> {
    await this.#cluster.apply([
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: `${user}-${clusterRole}`, namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
      },
    ]);
    return this.certified({ user });
  }

  close(): void {
    for (const caller of this.#open) caller.close();
  }

  #keep(kubeconfig: string): ApiCaller {
    const caller = callerWith(kubeconfig);
    this.#open.push(caller);
    return caller;
  }
}
