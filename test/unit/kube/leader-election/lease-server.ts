import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import type { Lease } from '../../../../src/kube/leader-election/lease.ts';
import type { KubeObject } from '../../../../src/kube/resource.ts';

/** One Lease with the optimistic locking of the API server: PUT needs the uid and resourceVersion that are there. */
export class LeaseServer {
  lease: Lease | null = null;
  #version = 100;
  /** What was done to the Lease, as `VERB HOLDER`, refused requests included. */
  readonly requests: string[] = [];

  get = (): Lease => {
    this.requests.push('get');
    return structuredClone(this.#found());
  };

  create = (object: Lease): Lease => {
    this.requests.push(`create ${object.spec?.holderIdentity ?? ''}`);
    if (this.lease !== null) throw new ApiError('already exists', { status: 409, reason: 'AlreadyExists' });
    return this.#store({ ...object, metadata: { ...object.metadata, uid: `uid-${this.#version}` } });
  };

  update = (object: Lease): Lease => {
    this.requests.push(`update ${object.spec?.holderIdentity ?? ''}`);
    const { uid, resourceVersion } = this.#found().metadata;
    if (object.metadata.uid !== uid || object.metadata.resourceVersion !== resourceVersion) {
      throw new ApiError('the object has been modified', { status: 409, reason: 'Conflict' });
    }
    return this.#store(object);
  };

  /** By somebody who is no candidate. */
  annotate(): void {
    if (this.lease !== null) this.#store(this.lease);
  }

  #found(): Lease {
    if (this.lease === null) throw new ApiError('not found', { status: 404, reason: 'NotFound' });
    return this.lease;
  }

  #store(lease: Lease): Lease {
    this.#version += 1;
    this.lease = structuredClone(lease);
    this.lease.metadata.resourceVersion = String(this.#version);
    return structuredClone(this.lease);
  }
}

/** Carries a request to the server and its answer back; may take time, or lose either. */
export type Carry = <T>(act: () => T) => Promise<T>;

/** A client that knows Leases only, and takes no notice of signals, like a network. */
export function leaseClient(server: LeaseServer, carry: Carry): KubeClient {
  const no = () => Promise.reject(new Error('a candidate only gets, creates and updates'));
  // The generics of KubeClient are the caller's word for what comes back.
  const lease = <T extends KubeObject>(act: () => Lease) => carry(act) as Promise<unknown> as Promise<T>;
  return {
    get: () => lease(server.get),
    create: (_type, object) => lease(() => server.create(structuredClone(object) as KubeObject as Lease)),
    update: (_type, object) => lease(() => server.update(structuredClone(object) as KubeObject as Lease)),
    list: no,
    apply: no,
    patch: no,
    delete: no,
    watch: () => {
      throw new Error('a candidate does not watch');
    },
  };
}
