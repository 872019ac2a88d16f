import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { optional } from '../requirement.ts';
import type { Requirement } from '../skip.ts';
import { debianPackages } from './debian-packages.ts';

const PACKAGES = [
  'iptables',
  'libxtables12',
  'libip4tc2',
  'libip6tc2',
  'libnetfilter-conntrack3',
  'libnfnetlink0',
];

/** The legacy iptables, of the time before nftables, as a guest has it that has nothing else. */
export class LegacyIptables {
  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
  }

  static async find(): Promise<{ iptables: LegacyIptables; there: Requirement }> {
    const { home, there } = await debianPackages('iptables', () => Promise.resolve(PACKAGES));
    return { iptables: new LegacyIptables(home), there: optional(there) };
  }

  /** Writes its programs into a folder of the test's. */
  putInto(folder: string): void {
    const [libraries = ''] = readdirSync(join(this.#home, 'usr/lib')).filter((name) =>
      name.includes('linux'),
    );
    const path = join(this.#home, 'usr/lib', libraries);
    mkdirSync(folder, { recursive: true });
    for (const program of ['iptables', 'iptables-restore', 'ip6tables', 'ip6tables-restore']) {
      const script = `#!/bin/sh
export LD_LIBRARY_PATH='${path}' XTABLES_LIBDIR='${path}/xtables'
exec '${this.#home}/usr/sbin/xtables-legacy-multi' ${program} "$@"
`;
      writeFileSync(join(folder, program), script);
      chmodSync(join(folder, program), 0o755);
    }
  }
}
