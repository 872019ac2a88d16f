import { readFileSync } from 'node:fs';
import { ApiCaller } from './api-caller.ts';

interface KubeconfigFile {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string } }[];
  users: { user: User }[];
}

interface User {
  'client-certificate-data'?: string;
  'client-key-data'?: string;
  token?: string;
  /** Whom to impersonate. */
  as?: string;
}

/** The harness's own client with a kubeconfig that the harness wrote. One that impersonates is refused: this client cannot. */
export function callerWith(kubeconfig: string): ApiCaller {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as KubeconfigFile;
  const [cluster, user] = [clusters[0]!.cluster, users[0]!.user];
  if (user.as !== undefined) throw new Error(`${user.as}: no certificate can be made for this cluster`);
  const certificate = decoded(user['client-certificate-data']);
  const key = decoded(user['client-key-data']);
  return new ApiCaller(cluster.server, decoded(cluster['certificate-authority-data']), {
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(user.token === undefined ? {} : { token: user.token }),
  });
}

export interface WhoIAm {
  status: { userInfo: { username: string; groups: string[]; extra?: Record<string, string[]> } };
}

/** Whom the API server takes this client for. */
export async function whoAmI(caller: ApiCaller): Promise<WhoIAm['status']['userInfo']> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  return (await caller.must<WhoIAm>('POST', path, review)).status.userInfo;
}

function decoded(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
