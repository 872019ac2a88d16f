/** Connections to the API server as somebody, by the credential that they would really have. */
import { readFileSync } from 'node:fs';
import { ApiCaller } from '../control-plane/api-caller.ts';
import type { Cluster, Identity } from '../control-plane/cluster.ts';
import { SYSTEM_NAMESPACE } from './helm.ts';

export const NODES_GROUP = 'system:vmnetwork:nodes';

interface KubeconfigFile {
  users: { user: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[];
}

export class Callers {
  readonly #cluster: Cluster;
  readonly #open: ApiCaller[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** A person or component with a client certificate. */
  async certified(identity: Identity): Promise<ApiCaller> {
    const path = await this.#cluster.kubeconfigFor(identity);
    const { users } = JSON.parse(readFileSync(path, 'utf8')) as KubeconfigFile;
    const { 'client-certificate-data': certificate, 'client-key-data': key } = users[0]!.user;
    if (certificate === undefined || key === undefined) {
      throw new Error(`${identity.user}: no certificate can be made for this cluster`);
    }
    return this.#keep({ certificate: fromBase64(certificate), key: fromBase64(key) });
  }

  /** A ServiceAccount; with `node` by a token that is bound to that Node. */
  async serviceAccount(name: string, { namespace = SYSTEM_NAMESPACE, node = '' } = {}): Promise<ApiCaller> {
    const token = await this.#cluster.serviceAccountToken({
      namespace,
      name,
      ...(node === '' ? {} : { node }),
    });
    return this.#keep({ token });
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

  #keep(credentials: ConstructorParameters<typeof ApiCaller>[2]): ApiCaller {
    const caller = new ApiCaller(this.#cluster.url, this.#cluster.authority, credentials);
    this.#open.push(caller);
    return caller;
  }
}

const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
