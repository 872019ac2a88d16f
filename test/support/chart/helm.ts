/** The real helm on our chart. Its settings and caches live in a folder of the caller's, never in the user's. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand, type CommandResult } from '../lab/command.ts';
import { parseManifests, type Manifest } from '../control-plane/manifests.ts';

export const CHART = fileURLToPath(new URL('../../../helm/vmnetwork', import.meta.url));
/** Where the chart is meant to live. */
export const SYSTEM_NAMESPACE = 'vmnetwork-system';

/** A tree as in values.yaml; only what differs from it. */
export type Values = Readonly<Record<string, unknown>>;

const TIMEOUT_MS = 60_000;

export class Helm {
  readonly #program: string;
  readonly #folder: string;
  readonly #kubeconfig: string | undefined;

  /** Without a kubeconfig it reaches no cluster, whatever the environment says. */
  constructor(program: string, folder: string, kubeconfig?: string) {
    this.#program = program;
    this.#folder = folder;
    this.#kubeconfig = kubeconfig;
  }

  /** Any exit code resolves. `values` are read from standard input by `--values=-`. */
  run(args: readonly string[], values: Values = {}): Promise<CommandResult> {
    const home = join(this.#folder, 'helm');
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      HELM_CACHE_HOME: join(home, 'cache'),
      HELM_CONFIG_HOME: join(home, 'config'),
      HELM_DATA_HOME: join(home, 'data'),
      KUBECONFIG: this.#kubeconfig ?? join(home, 'none'),
    };
    return runCommand([this.#program, ...args], {
      env,
      input: JSON.stringify(values),
      timeoutMs: TIMEOUT_MS,
    });
  }

  /** What would be sent to a cluster. Rejects with what helm says when values or templates are wrong. */
  async template(values: Values = {}, args: readonly string[] = []): Promise<Manifest[]> {
    const line = ['template', 'vmnetwork', CHART, `--namespace=${SYSTEM_NAMESPACE}`, '--values=-', ...args];
    const { code, stdout, stderr } = await this.run(line, values);
    if (code !== 0) throw new Error(`helm template: exit ${String(code)}\n${stderr}`);
    return parseManifests(stdout);
  }
}

/** The one object of that kind and name; throws when there is none. */
export function objectNamed(objects: readonly Manifest[], kind: string, name: string): Manifest {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} was rendered`);
  return found;
}
