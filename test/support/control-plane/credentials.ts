/** All keys of one set of servers, in the folder `pki` of its run. */
import { generateKeyPair } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CertificateAuthority, type KeyPair } from './certificate-authority.ts';

export interface ServerCredentials {
  /** Signs the server's certificate and those of users. */
  cluster: CertificateAuthority;
  /** Signs the certificate by which a fault proxy says whom it speaks for. */
  frontProxy: CertificateAuthority;
  frontProxyClient: KeyPair;
  serving: KeyPair;
  /** Of system:masters. */
  admin: KeyPair;
  /** PEM files of an RSA pair. */
  serviceAccountKey: { public: string; private: string };
}

export async function makeCredentials(runFolder: string): Promise<ServerCredentials> {
  const pki = join(runFolder, 'pki');
  mkdirSync(pki, { mode: 0o700 });
  const [[cluster, serving, admin], [frontProxy, frontProxyClient], serviceAccountKey] = await Promise.all([
    makeCluster(join(pki, 'cluster')),
    makeFrontProxy(join(pki, 'front-proxy')),
    makeServiceAccountKey(pki),
  ]);
  return { cluster, serving, admin, frontProxy, frontProxyClient, serviceAccountKey };
}

/** The authority that {@link makeCredentials} made in a run's folder, for another process. */
export function clusterAuthorityIn(runFolder: string): CertificateAuthority {
  return CertificateAuthority.open(join(runFolder, 'pki', 'cluster'));
}

/** The texts in place of the paths. */
export function pemOf(pair: KeyPair): { certificate: string; key: string } {
  return { certificate: readFileSync(pair.certificate, 'utf8'), key: readFileSync(pair.key, 'utf8') };
}

async function makeCluster(folder: string): Promise<[CertificateAuthority, KeyPair, KeyPair]> {
  const authority = await CertificateAuthority.create(folder, 'test-cluster');
  const names = ['IP:127.0.0.1', 'DNS:localhost', 'DNS:kubernetes.default.svc', 'IP:10.96.0.1'];
  const [serving, admin] = await Promise.all([
    authority.issueServer('kube-apiserver', names),
    authority.issueClient({ commonName: 'test-admin', organizations: ['system:masters'] }),
  ]);
  return [authority, serving, admin];
}

async function makeFrontProxy(folder: string): Promise<[CertificateAuthority, KeyPair]> {
  const authority = await CertificateAuthority.create(folder, 'test-front-proxy');
  return [authority, await authority.issueClient({ commonName: 'front-proxy' })];
}

async function makeServiceAccountKey(folder: string): Promise<{ public: string; private: string }> {
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const paths = { public: join(folder, 'service-account.pub'), private: join(folder, 'service-account.key') };
  writeFileSync(paths.public, pair.publicKey);
  writeFileSync(paths.private, pair.privateKey, { mode: 0o600 });
  return paths;
}
