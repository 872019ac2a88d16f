import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
// This part of the library alone: the whole takes more memory than the rest of an agent (see the README).
import { newClusters, newContexts, newUsers } from '@kubernetes/client-node/dist/config_types.js';
import type { Cluster, Context, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { ConnectionConfigError } from './connection-config-error.ts';

/** What kubeconfigs say. The paths in them are absolute here. */
export interface Kubeconfig {
  readonly clusters: Cluster[];
  readonly contexts: Context[];
  readonly users: KubeconfigUser[];
  /** '' for none. */
  readonly currentContext: string;
}

/** The library does not know the field `tokenFile`. */
export type KubeconfigUser = User & { readonly tokenFile?: string | undefined };

/** @param paths one, or several as in KUBECONFIG: of what several define the first holds, and one that is not there is passed over, as with kubectl */
export function readKubeconfigs(paths: string): Kubeconfig {
  const files = paths.split(delimiter).filter((path) => path !== '');
  const there = files.filter((file) => existsSync(file));
  const read = (there.length > 0 ? there : files).map(readKubeconfig);
  return {
    clusters: firstOfEachName(read.flatMap(({ clusters }) => clusters)),
    contexts: firstOfEachName(read.flatMap(({ contexts }) => contexts)),
    users: firstOfEachName(read.flatMap(({ users }) => users)),
    currentContext: read.find(({ currentContext }) => currentContext !== '')?.currentContext ?? '',
  };
}

interface Document {
  clusters?: unknown;
  contexts?: unknown;
  users?: { user?: { tokenFile?: unknown } }[];
  'current-context'?: string;
}

function readKubeconfig(file: string): Kubeconfig {
  try {
    const document = parse(readFileSync(file, 'utf8'), { merge: true }) as Document | null;
    if (document === null) throw new TypeError('the file is empty');
    const absolute = (path: string) => resolve(dirname(file), path);
    const clusters = newClusters(document.clusters);
    for (const cluster of clusters) if (cluster.caFile) cluster.caFile = absolute(cluster.caFile);
    const users = newUsers(document.users).map((user, at): KubeconfigUser => {
      if (user.certFile) user.certFile = absolute(user.certFile);
      if (user.keyFile) user.keyFile = absolute(user.keyFile);
      const tokenFile = document.users?.[at]?.user?.tokenFile;
      return typeof tokenFile === 'string' ? { ...user, tokenFile: absolute(tokenFile) } : user;
    });
    const contexts = newContexts(document.contexts);
    return { clusters, contexts, users, currentContext: document['current-context'] ?? '' };
  } catch (cause) {
    const { syscall, code } = cause as NodeJS.ErrnoException;
    const problem = syscall === undefined ? 'is not a kubeconfig' : `cannot be read (${code ?? syscall})`;
    const remedy = 'Check the path, its permissions, and `kubectl config view` with the same file.';
    throw new ConnectionConfigError(file, problem, remedy, cause);
  }
}

function firstOfEachName<T extends { readonly name: string }>(entries: readonly T[]): T[] {
  const first = new Map<string, T>();
  for (const entry of entries) if (!first.has(entry.name)) first.set(entry.name, entry);
  return [...first.values()];
}
