import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NoCloudDocuments } from '../../../src/cloudinit/seed-image/no-cloud.ts';
import { runCommand, type CommandResult } from '../lab/command.ts';
import { optional } from '../requirement.ts';
import type { Requirement } from '../skip.ts';
import { debianPackages } from './debian-packages.ts';

/*
 * Debian's cloud-init with what it imports, run by the python3 of the same distribution: its modules are built for that one.
 */

const MODULES = 'usr/lib/python3/dist-packages';
const PYTHON = '/usr/bin/python3';
const ASK = fileURLToPath(new URL('ask.py', import.meta.url));

/** What cloud-init itself makes of the documents of a seed. */
export interface Consumed {
  readonly instanceId: string;
  readonly dsmode: string;
  readonly metaData: Record<string, unknown>;
  /** All configuration merged, as the modules get it. */
  readonly config: Record<string, unknown>;
  /** `bootcmd` as the shell script that is run. */
  readonly bootScript: string;
  /** The tenant's user-data as cloud-init kept it; base64. */
  readonly userDataBase64: string;
  /** By file name: scripts that it would run later. */
  readonly scripts: Record<string, string>;
  readonly warnings: readonly string[];
}

export class CloudInit {
  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
  }

  /** Fetched (2 MB) unless it is in the cache; to be awaited before tests are declared. */
  static async find(): Promise<{ asked: CloudInit; there: Requirement }> {
    const { home, there } = await debianPackages('cloud-init', neededPackages);
    const python = { met: existsSync(PYTHON), reason: `needs ${PYTHON}: install python3` };
    return { asked: new CloudInit(home), there: optional(there.met ? python : there) };
  }

  /** `cloud-init schema` on a document whose first line is of a kind that it knows. */
  schema(path: string): Promise<CommandResult> {
    return this.#python(['-m', 'cloudinit.cmd.main', 'schema', '--config-file', path]);
  }

  /** YAML documents as cloud-init's own reader understands them. */
  async readYaml(texts: readonly string[]): Promise<unknown[]> {
    return JSON.parse(await this.#answer(['yaml'], JSON.stringify(texts))) as unknown[];
  }

  /** Lets it consume NoCloud seeds, each in a folder of its own. */
  async consume(...seeds: readonly NoCloudDocuments[]): Promise<Consumed[]> {
    return withFolders(seeds, async (folders) => {
      return JSON.parse(await this.#answer(['consume', ...folders])) as Consumed[];
    });
  }

  /** The files that it writes for each of these network managers, by path, for the card with this MAC. */
  async render(
    documents: NoCloudDocuments,
    mac: string,
    renderers: readonly string[],
  ): Promise<Record<string, string>[]> {
    return withFolders([documents], async ([folder = '']) => {
      const words = ['render', folder, mac, ...renderers];
      return JSON.parse(await this.#answer(words)) as Record<string, string>[];
    });
  }

  async #answer(words: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.#python([ASK, ...words], input);
    if (code !== 0) throw new Error(`cloud-init: ${stderr}`);
    return stdout;
  }

  #python(words: readonly string[], input = ''): Promise<CommandResult> {
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      PYTHONPATH: join(this.#home, MODULES),
      LC_ALL: 'C.UTF-8',
    };
    return runCommand([PYTHON, ...words], { env, input, timeoutMs: 120_000 });
  }
}

async function withFolders<T>(
  seeds: readonly NoCloudDocuments[],
  use: (folders: readonly string[]) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'vmnet-seed-'));
  try {
    const folders = seeds.map((documents, number) => {
      const folder = join(home, String(number));
      const seed = join(folder, 'seed/nocloud');
      mkdirSync(seed, { recursive: true });
      writeFileSync(join(seed, 'meta-data'), documents.metaData);
      writeFileSync(join(seed, 'user-data'), documents.userData);
      writeFileSync(join(seed, 'vendor-data'), documents.vendorData ?? '');
      writeFileSync(join(seed, 'network-config'), documents.networkConfig ?? '');
      return folder;
    });
    return await use(folders);
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** cloud-init and the Python modules that it depends on. */
async function neededPackages(): Promise<string[]> {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const only = kinds.map((kind) => `--no-${kind}`);
  const { stdout } = await runCommand(['apt-cache', 'depends', '--recurse', ...only, 'cloud-init']);
  const names = stdout.split('\n').filter((line) => /^(cloud-init|python3-[a-z0-9.+-]+)$/.test(line));
  return [...new Set(names)];
}
