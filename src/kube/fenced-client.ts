import type { KubeClient, WriteOptions } from './client.ts';

/** A write that was not sent, because this process may no longer lead. */
export class NotLeading extends Error {
  override readonly name = 'NotLeading';
  constructor(what: string) {
    super(`${what} was not sent: this process no longer leads; the leader will do it`);
  }
}

/**
 * A client whose writes go out only while `mayWrite` says so. It is asked when a write is called for, and again on the
 * standing connection right before the bytes go out: credentials, a queue for a connection or the wait after a 429 may
 * take seconds in which a lease is lost. What remains is the way through the network, which only the server can fence
 * (resourceVersion).
 */
export function fence(client: KubeClient, mayWrite: () => boolean): KubeClient {
  function fenced<O extends WriteOptions>(what: string, options: O): O {
    const check = (): void => {
      if (!mayWrite()) throw new NotLeading(what);
    };
    check();
    const beforeSend = (): void => {
      check();
      options.beforeSend?.();
    };
    return { ...options, beforeSend };
  }
  return {
    get: (type, ref, signal) => client.get(type, ref, signal),
    list: (type, options, signal) => client.list(type, options, signal),
    watch: (type, options, signal) => client.watch(type, options, signal),
    create: async (type, object, options = {}) =>
      client.create(type, object, fenced(`create of ${type.kind} ${object.metadata.name}`, options)),
    update: async (type, object, options = {}) =>
      client.update(type, object, fenced(`update of ${type.kind} ${object.metadata.name}`, options)),
    apply: async (type, object, options) =>
      client.apply(type, object, fenced(`apply of ${type.kind} ${object.metadata.name}`, options)),
    patch: async (type, ref, patch, options = {}) =>
      client.patch(type, ref, patch, fenced(`patch of ${type.kind} ${ref.name}`, options)),
    delete: async (type, ref, options = {}) =>
      client.delete(type, ref, fenced(`delete of ${type.kind} ${ref.name}`, options)),
  };
}
