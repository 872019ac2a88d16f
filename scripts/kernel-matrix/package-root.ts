import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, type CommandResult } from '../../test/support/lab/command.ts';
import { sourceLine, Unavailable, type Mirror } from './mirror.ts';

const FETCH_DEADLINE_MS = 300_000;

export interface Package {
  name: string;
  version: string;
}

/**
 * apt with a world of its own for one suite: its lists, its cache, an empty package database. The machine's sources, lists
 * and packages are neither read nor changed; its proxy settings hold. What apt hands out was checked against the
 * suite's signature.
 */
export class PackageRoot {
  readonly suite: string;
  readonly #options: readonly string[];

  private constructor(suite: string, folder: string) {
    this.suite = suite;
    const settings = {
      'Dir::Etc': join(folder, 'etc'),
      'Dir::Etc::sourcelist': 'sources.list',
      'Dir::State': join(folder, 'state'),
      'Dir::State::status': join(folder, 'state/status'),
      'Dir::Cache': join(folder, 'cache'),
      'Acquire::Languages': 'none',
      'Acquire::Retries': '2',
      'APT::Architecture': 'amd64',
      'APT::Sandbox::User': 'root',
    };
    const config = join(folder, 'apt.conf');
    this.#options = [
      ...['-q', '-c', config],
      ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ];
  }

  /** Fetches the suite's lists into `folder`. */
  static async open(mirror: Mirror, suite: string, folder: string): Promise<PackageRoot> {
    const line = sourceLine(mirror, suite);
    for (const needed of [
      'etc/apt.conf.d',
      'etc/preferences.d',
      'state/lists/partial',
      'cache/archives/partial',
    ]) {
      mkdirSync(join(folder, needed), { recursive: true });
    }
    writeFileSync(join(folder, 'etc/sources.list'), line);
    writeFileSync(join(folder, 'state/status'), '');
    // What the machine does after its own updates is not for ours.
    writeFileSync(
      join(folder, 'apt.conf'),
      '#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n',
    );
    const root = new PackageRoot(suite, folder);
    const { code, stdout, stderr } = await root.#run('apt-get', ['update']);
    // An index that could not be had is a warning to apt.
    if (code !== 0 || /^(?:W|E|Err)[:\d]/m.test(stderr + stdout)) {
      throw new Unavailable(`${suite}: ${firstComplaint(stderr + stdout)}`);
    }
    return root;
  }

  /** All packages of the suite whose names match, one version each. */
  async packages(prefix: string, pattern: RegExp): Promise<Package[]> {
    const { stdout } = await this.#run('apt-cache', ['pkgnames', prefix]);
    const names = stdout.split('\n').filter((name) => pattern.test(name));
    if (names.length === 0) return [];
    const shown = await this.#run('apt-cache', ['show', '--no-all-versions', ...names]);
    return [...shown.stdout.matchAll(/^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$/gm)].map((match) => ({
      name: match[1] ?? '',
      version: match[2] ?? '',
    }));
  }

  /** Downloads packages of exactly these versions into a folder. */
  async download(packages: readonly Package[], folder: string): Promise<void> {
    const words = packages.map(({ name, version }) => `${name}=${version}`);
    const { code, stderr } = await this.#run('apt-get', ['download', ...words], folder);
    if (code !== 0) throw new Unavailable(`${words.join(' ')}: ${firstComplaint(stderr)}`);
  }

  #run(program: string, words: readonly string[], cwd?: string): Promise<CommandResult> {
    return runCommand([program, ...this.#options, ...words], {
      timeoutMs: FETCH_DEADLINE_MS,
      ...(cwd === undefined ? {} : { cwd }),
    });
  }
}

/** In apt's words, without addresses: it is shown as the reason of a skip. */
function firstComplaint(said: string): string {
  if (said.includes('does not have a Release file')) return 'not on this mirror (any more)';
  const complaint = /^(?:E|W|Err)[:\d]\s*(.*)$/m.exec(said)?.[1] ?? said.trim().split('\n').at(-1) ?? '';
  return complaint.replaceAll(/\bhttps?:\/\/\S+\s*|\s*\[IP: .*?\]/g, '');
}
