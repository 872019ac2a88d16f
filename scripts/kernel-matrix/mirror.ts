import { existsSync } from 'node:fs';
import { runCommand } from '../../test/support/lab/command.ts';

/** Why a kernel cannot be had here. Such a kernel is skipped, and this is the reason that is shown. */
export class Unavailable extends Error {}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const RELEASES = 'bullseye|bookworm|trixie|forky|duke|sid|testing|unstable|stable|oldstable|oldoldstable';

/** Debian's archive as this machine is set up to reach it. */
export interface Mirror {
  /** Base addresses: of the releases, and of their security updates where that is configured. */
  main: string;
  security: string | null;
  /** The file with the keys that sign the suites. */
  keyring: string;
}

/** From apt's own configuration, which stays as it is. */
export async function configuredMirror(): Promise<Mirror> {
  if (!existsSync(KEYRING)) throw new Unavailable(`needs ${KEYRING} (package debian-archive-keyring)`);
  const format = ['--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages'];
  const { code, stdout } = await runCommand(['apt-get', 'indextargets', ...format]).catch(() => ({
    code: -1,
    stdout: '',
  }));
  if (code !== 0) throw new Unavailable('needs apt-get, which knows where Debian packages are');
  const addressOf = (suffix: string): string | null =>
    new RegExp(`^(\\S+) (?:${RELEASES})${suffix}$`, 'm').exec(stdout)?.[1] ?? null;
  const main = addressOf('');
  if (main === null) throw new Unavailable('apt is configured for no Debian archive');
  return { main, security: addressOf('-security'), keyring: KEYRING };
}

/** The line of sources.list for one suite; nothing but its package lists is fetched. */
export function sourceLine(mirror: Mirror, suite: string): string {
  const address = suite.endsWith('-security') ? mirror.security : mirror.main;
  if (address === null)
    throw new Unavailable(`apt is configured for no security updates, so not for ${suite}`);
  return `deb [arch=amd64 target=Packages signed-by=${mirror.keyring}] ${address} ${suite} main\n`;
}
