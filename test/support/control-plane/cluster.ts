/** A Kubernetes that answers, wherever it runs: what tests and the harness do through its API alone. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandOptions, CommandResult } from '../lab/command.ts';
import { mustRun, poll, runCommand } from '../lab/index.ts';
import { ApiCaller, type Credentials } from './api-caller.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { applyObjects, manifestsIn, type Manifest } from './manifests.ts';

export interface Identity {
  user: string;
  groups?: readonly string[];
  /**
   * Certificates carry none, so with it the kubeconfig impersonates, which kubectl does and not every client. For a
   * service account that is bound to a node take {@link Cluster.kubeconfigForServiceAccount}: the real thing.
   */
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface ServiceAccount {
  namespace: string;
  name: string;
  /** The name of a Node; made when it is missing. The token is good while that Node is there. */
  node?: string;
  /** At least 600 (the server's own limit). Default 3600. */
  expirationSeconds?: number;
}

export interface ClusterOptions {
  url: string;
  /** PEM; undefined where the machine's own authorities know the server. */
  authority: string | undefined;
  admin: Credentials;
  /** Signs certificates of users; null where that key is not ours, and identities are impersonated. */
  issuer: CertificateAuthority | null;
  /** For kubeconfigs; the maker's to remove. */
  folder: string;
  programs: { kubectl: string | null; helm: string | null };
}

const CRDS = fileURLToPath(new URL('../../../crds', import.meta.url));

let written = 0;

export class Cluster {
  readonly url: string;
  /** Of system:masters: nothing is forbidden to it. */
  readonly adminKubeconfig: string;
  /** The harness's own connection, as admin. */
  readonly api: ApiCaller;
  readonly folder: string;
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.url = options.url;
    this.folder = options.folder;
    mkdirSync(join(this.folder, 'kubeconfigs'), { recursive: true, mode: 0o700 });
    this.api = new ApiCaller(options.url, options.authority, options.admin);
    this.adminKubeconfig = writeKubeconfig(this.#newFile('admin'), {
      url: options.url,
      authority: options.authority,
      credentials: options.admin,
    });
  }

  get authority(): string | undefined {
    return this.#options.authority;
  }

  /** Path of a kubeconfig for that user; `url` leads it through a fault proxy. */
  async kubeconfigFor({ user, groups = [], extra }: Identity, url = this.url): Promise<string> {
    const { issuer, authority, admin } = this.#options;
    const path = this.#newFile('user');
    if (issuer === null || extra !== undefined) {
      const impersonate = { user, groups, ...(extra === undefined ? {} : { extra }) };
      return writeKubeconfig(path, { url, authority, credentials: admin, impersonate });
    }
    const pair = await issuer.issueClient({ commonName: user, organizations: groups });
    const [certificate, key] = [pair.certificate, pair.key].map((file) => readFileSync(file, 'utf8'));
    return writeKubeconfig(path, { url, authority, credentials: { certificate: certificate!, key: key! } });
  }

  async kubeconfigForServiceAccount(account: ServiceAccount, url = this.url): Promise<string> {
    const token = await this.serviceAccountToken(account);
    const { authority } = this.#options;
    return writeKubeconfig(this.#newFile(account.name), { url, authority, credentials: { token } });
  }

  /** A kubeconfig whose token is read from a file, for trying rotation. */
  kubeconfigForTokenFile(tokenFile: string, url = this.url): string {
    const { authority } = this.#options;
    return writeKubeconfig(this.#newFile('token-file'), { url, authority, credentials: { tokenFile } });
  }

  /** A real token, by the TokenRequest API; makes the namespace, the account and the Node where they are missing. */
  async serviceAccountToken({
    namespace,
    name,
    node,
    expirationSeconds = 3600,
  }: ServiceAccount): Promise<string> {
    await this.ensureNamespace(namespace);
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await this.#ensure(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
    const boundObjectRef =
      node === undefined
        ? undefined
        : { apiVersion: 'v1', kind: 'Node', name: node, uid: await this.ensureNode(node) };
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds, ...(boundObjectRef === undefined ? {} : { boundObjectRef }) },
    };
    const answer = await this.api.must<{ status: { token: string } }>(
      'POST',
      `${accounts}/${name}/token`,
      request,
    );
    return answer.status.token;
  }

  /** Makes a Node object (no kubelet stands behind it) where there is none; returns its uid. */
  async ensureNode(name: string, node: object = {}): Promise<string> {
    const made = await this.#ensure('/api/v1/nodes', {
      ...node,
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
    });
    return made.metadata.uid;
  }

  async ensureNamespace(name: string): Promise<void> {
    await this.#ensure('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }

  /** A namespace that no other test has; returns its name. It stays: nothing here empties deleted namespaces. */
  async inNamespace(prefix = 'test'): Promise<string> {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { generateName: `${prefix}-` } };
    const made = await this.api.must<Manifest>('POST', '/api/v1/namespaces', namespace);
    return made.metadata.name;
  }

  /** Server-side apply, forced, of YAML or of objects, in their order. Waits until CRDs among them are served. */
  apply(manifests: string | readonly object[], namespace = 'default'): Promise<void> {
    return applyObjects(this.api, manifests, namespace);
  }

  /** The CRDs in the YAML files of a folder; those of crds/ without one. They are served when it resolves. */
  installCrds(folder = CRDS): Promise<void> {
    return this.apply(manifestsIn(folder));
  }

  /**
   * Deletes all objects of a resource, in all namespaces, by their finalizers too; nobody reconciles them any more. `path`
   * as in the API, e.g. `/apis/vmnetwork.io/v1alpha1/vmnetworks`. A resource that is not served has none.
   */
  async clear(path: string): Promise<void> {
    await poll(
      `${path} to be empty`,
      async () => {
        const { status, body } = await this.api.call('GET', path);
        if (status === 404) return true;
        const { items } = body as { items: Manifest[] };
        for (const { metadata } of items) {
          const one = objectPath(path, metadata);
          await this.api.call('DELETE', one);
          const mergePatch = { contentType: 'application/merge-patch+json' };
          if ((metadata.finalizers ?? []).length > 0)
            await this.api.call('PATCH', one, { metadata: { finalizers: null } }, mergePatch);
        }
        return items.length === 0;
      },
      { deadlineMs: 60_000 },
    );
  }

  /** Runs kubectl as admin, or with another kubeconfig; any exit code resolves. */
  kubectl(
    args: readonly string[],
    options: CommandOptions & { kubeconfig?: string } = {},
  ): Promise<CommandResult> {
    return runCommand(this.#kubectlLine(args, options.kubeconfig), options);
  }

  /** As {@link kubectl}; resolves with what it wrote, any other exit code than 0 rejects. */
  mustKubectl(
    args: readonly string[],
    options: CommandOptions & { kubeconfig?: string } = {},
  ): Promise<string> {
    return mustRun(this.#kubectlLine(args, options.kubeconfig), options);
  }

  get helm(): string {
    const { helm } = this.#options.programs;
    if (helm === null) throw new Error('no helm: ask for it in the requirement of the test');
    return helm;
  }

  get kubectlProgram(): string {
    const { kubectl } = this.#options.programs;
    if (kubectl === null) throw new Error('no kubectl: ask for it in the requirement of the test');
    return kubectl;
  }

  /** Closes the harness's own connections. The cluster goes on. */
  close(): void {
    this.api.close();
  }

  #kubectlLine(args: readonly string[], kubeconfig = this.adminKubeconfig): string[] {
    const cache = join(this.folder, 'kubectl-cache');
    return [this.kubectlProgram, `--kubeconfig=${kubeconfig}`, `--cache-dir=${cache}`, ...args];
  }

  async #ensure(path: string, object: object): Promise<Manifest & { metadata: { uid: string } }> {
    const { name } = (object as Manifest).metadata;
    const made = await this.api.call('POST', path, object);
    if (made.status !== 409 && made.status >= 400)
      throw new Error(`POST ${path}: ${JSON.stringify(made.body)}`);
    return made.status === 409
      ? this.api.must('GET', `${path}/${name}`)
      : (made.body as Manifest & { metadata: { uid: string } });
  }

  #newFile(name: string): string {
    written += 1;
    return join(this.folder, 'kubeconfigs', `${String(process.pid)}-${String(written)}-${name}.json`);
  }
}

function objectPath(collection: string, { name, namespace }: Manifest['metadata']): string {
  if (namespace === undefined) return `${collection}/${name}`;
  const cut = collection.lastIndexOf('/');
  return `${collection.slice(0, cut)}/namespaces/${namespace}${collection.slice(cut)}/${name}`;
}
