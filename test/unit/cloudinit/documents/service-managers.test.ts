/** What the files of a guest do under systemd, OpenRC and ifupdown: run by real shells, on a folder as root, what they call written down. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { guestFiles } from '../../../../src/cloudinit/documents/guest-files/all.ts';
import {
  FIREWALL_SERVICE,
  NETWORK_SERVICES,
} from '../../../../src/cloudinit/documents/guest-files/openrc.ts';
import { FIREWALL_UNIT } from '../../../../src/cloudinit/documents/guest-files/systemd.ts';
import { exampleGuest } from '../../../support/cloud-init/guests.ts';

const files = guestFiles(exampleGuest());
const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const SHELLS = [['sh'], ['bash', '--posix']].filter(([program = '']) => has(program));
/** Alpine's, which only reads them here: Debian's build of it takes its own `ip` and `sh` for any on the PATH. */
const READERS = [...SHELLS, ...[['busybox', 'ash']].filter(([program = '']) => has(program))];

/** A folder for what the scripts believe is /etc and /run, and programs that say how they were called. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmnet-guest-services-'));
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'etc/conf.d'), { recursive: true });
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

/** `fails`: the beginning of a call that is answered with 1. */
function program(name: string, fails = 'nothing'): void {
  const script = `#!/bin/sh\necho "${name} $*" >>${root}/calls\ncase "${name} $*" in "${fails}"*) exit 1;; esac\n`;
  writeFileSync(join(root, 'bin', name), script, { mode: 0o755 });
}

function run(
  shell: readonly string[],
  path: string,
  words: readonly string[],
  env = {},
): { code: number | null; calls: string[] } {
  const content = files.find((file) => file.path === path)?.content ?? '';
  const there = content.replaceAll(/(?<=[\s"'])\/(etc|run)\//g, `${root}/$1/`);
  const script = join(root, 'script');
  writeFileSync(script, there);
  rmSync(join(root, 'calls'), { force: true });
  // Not the `sh` of a test.
  const command = `/bin/${shell[0] ?? ''}`;
  const more = [...shell.slice(1), script, ...words];
  const { status } = spawnSync(command, more, { env: { PATH: `${root}/bin:/usr/bin:/bin`, ...env } });
  const calls = existsSync(join(root, 'calls'))
    ? readFileSync(join(root, 'calls'), 'utf8').trimEnd().split('\n')
    : [];
  return { code: status, calls };
}

test('no script in /etc/init.d is named like a unit of ours: systemctl enable would hand it to update-rc.d, which fails', () => {
  const named = (folder: string): string[] =>
    files.filter(({ path }) => path.startsWith(folder)).map(({ path }) => basename(path, '.service'));
  const [scripts, units] = [named('/etc/init.d/'), named('/etc/systemd/system/')];
  expect(scripts).not.toEqual([]);
  expect(scripts.filter((name) => units.includes(name))).toEqual([]);
});

test.each(READERS)('%s understands every script', (...shell) => {
  for (const { path, content } of files.filter((file) => /^#!.*(sh|openrc-run)\n/.test(file.content))) {
    const { status } = spawnSync(shell[0] ?? '', [...shell.slice(1), '-n'], { input: content });
    expect([path, status]).toEqual([path, 0]);
  }
});

describe.each(SHELLS)('with %s', (...shell) => {
  describe('systemd', () => {
    beforeEach(() => {
      mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
      program('wg-quick');
      program('timeout');
    });
    const start = (...words: string[]): ReturnType<typeof run> =>
      run(shell, '/etc/vmnetwork/start-all', words);

    test('starts what is enabled already, and leaves the rules alone where no file is new', () => {
      program('systemctl');
      const { code, calls } = start();
      expect([code, calls]).toEqual([
        0,
        [
          `systemctl --quiet is-enabled ${FIREWALL_UNIT}`,
          `timeout 60 systemctl start ${FIREWALL_UNIT}`,
          'systemctl --quiet is-enabled wg-quick@wg0.service',
          'systemctl start --no-block wg-quick@wg0.service',
        ],
      ]);
    });

    test('reads its units and loads the rules anew where a file is', () => {
      program('systemctl');
      const { calls } = start('changed');
      expect(calls[0]).toBe('systemctl daemon-reload');
      expect(calls.indexOf(`systemctl reload ${FIREWALL_UNIT}`)).toBe(
        calls.indexOf(`timeout 60 systemctl start ${FIREWALL_UNIT}`) + 1,
      );
    });

    test.each([
      ['start', 'timeout'],
      ['load anew', 'systemctl reload'],
    ])('does not start the tunnel where the firewall does not %s', (_, fails) => {
      program('systemctl', fails);
      program('timeout', fails);
      const { code, calls } = start('changed');
      expect(code).toBe(1);
      expect(calls.join()).not.toContain('wg-quick');
    });
  });

  describe('OpenRC (Alpine)', () => {
    beforeEach(() => {
      for (const name of ['openrc-run', 'rc-update', 'sh']) program(name);
    });
    const start = (): ReturnType<typeof run> => run(shell, '/etc/vmnetwork/start-all', []);
    const needs = (service: string): string => readFileSync(join(root, 'etc/conf.d', service), 'utf8');

    test('makes each network manager need the firewall, once, and adds to what is there', () => {
      program('rc-service');
      writeFileSync(join(root, 'etc/conf.d/networking'), 'cfgfile=x\n');
      expect([start().code, start().code]).toEqual([0, 0]);
      for (const service of NETWORK_SERVICES)
        expect(needs(service).match(new RegExp(`rc_need="${FIREWALL_SERVICE}"`, 'g'))).toHaveLength(1);
      expect(needs('networking')).toMatch(/^cfgfile=x\n/);
    });

    test('the firewall is started and loaded before the tunnel is even added', () => {
      program('rc-service');
      expect(start().calls).toEqual([
        `rc-update -q add ${FIREWALL_SERVICE} boot`,
        'rc-update -q -u',
        `rc-service ${FIREWALL_SERVICE} start`,
        `sh ${root}/etc/vmnetwork/load-firewall`,
        'rc-update -q add vmnet-tunnel default',
      ]);
    });

    test('a firewall that does not start is a failure, and there is no tunnel', () => {
      program('rc-service', `rc-service ${FIREWALL_SERVICE}`);
      const { code, calls } = start();
      expect([code, calls.join().includes('vmnet-tunnel')]).toEqual([1, false]);
    });
  });

  describe('ifupdown', () => {
    const up = (card: string): string[] => {
      program('ip');
      return run(shell, '/etc/network/if-up.d/vmnetwork', [], { IFACE: card }).calls;
    };

    test('puts the gateway on the link before the route that goes over it, for our card alone', () => {
      expect(up('vmnet0')).toEqual([
        'ip route replace 169.254.1.1/32 dev vmnet0 scope link',
        'ip route replace default via 169.254.1.1 dev vmnet0',
      ]);
      for (const other of ['lo', 'wg0', '--all']) expect(up(other)).toEqual([]);
    });
  });
});
