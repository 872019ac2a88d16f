import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot, textOf } from './source-files.ts';

/** A machine of our choice: scripts/setup sees only the programs that a test puts on its PATH. */
let machine: string;
beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), 'vmnetwork-setup-'));
  mkdirSync(join(machine, 'scripts'));
  mkdirSync(join(machine, 'bin'));
  cpSync(join(projectRoot, 'scripts', 'setup'), join(machine, 'scripts', 'setup'));
  const ordinary =
    'bash env dirname readlink rm mkdir tail cut tr sha512sum sha256sum tar gzip mv cat grep sleep uname';
  for (const name of ordinary.split(' ')) symlinkSync(realProgram(name), join(machine, 'bin', name));
  program('id', 'echo 1000');
});
afterEach(() => {
  rmSync(machine, { recursive: true, force: true });
});

function realProgram(name: string): string {
  const path = ['/usr/bin', '/bin'].map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (path === undefined) throw new Error(`this machine has no ${name}`);
  return path;
}

function program(name: string, script: string): void {
  writeFileSync(join(machine, 'bin', name), `#!/bin/bash\n${script}\n`);
  chmodSync(join(machine, 'bin', name), 0o755);
}

function systemPackages(text: string): void {
  writeFileSync(join(machine, 'scripts', 'system-packages'), text);
}

function setup(steps: string) {
  const { status, stdout, stderr } = spawnSync(join(machine, 'bin', 'bash'), ['scripts/setup'], {
    cwd: machine,
    encoding: 'utf8',
    env: { PATH: join(machine, 'bin'), SETUP_STEPS: steps },
  });
  return { status, output: stdout + stderr };
}

function expectSuccess({ status, output }: ReturnType<typeof setup>, text: string): void {
  expect(output).toContain(text);
  expect(status).toBe(0);
}

describe('make setup, system packages', () => {
  const two = 'vmn-first   command:vmn-first   the first\nvmn-second  command:vmn-second  the second\n';

  test('takes what is there', () => {
    systemPackages(two);
    program('vmn-first', '');
    program('vmn-second', '');
    expectSuccess(setup('packages'), 'all there');
  });

  test('without apt names exactly what is missing and changes nothing', () => {
    systemPackages(two);
    program('vmn-first', '');
    const { status, output } = setup('packages');
    expect(status).not.toBe(0);
    expect(output).toContain('vmn-second');
    expect(output).toContain('the second');
    expect(output).not.toContain('vmn-first');
  });

  test('with apt but without root prints the command to run', () => {
    systemPackages(two);
    program('apt-get', 'echo called >../apt-called');
    const { status, output } = setup('packages');
    expect(status).not.toBe(0);
    expect(output).toContain('sudo apt-get install --no-install-recommends vmn-first vmn-second');
    expect(readdirSync(machine)).not.toContain('apt-called');
  });

  test('with apt and root installs them, and checks that they are there afterwards', () => {
    systemPackages(two);
    program('id', 'echo 0');
    program('vmn-first', '');
    const target = join(machine, 'bin', 'vmn-second');
    program('apt-get', `if [ "$1" = install ]; then : >${target}; ${realProgram('chmod')} 755 ${target}; fi`);
    expectSuccess(setup('packages'), 'installed');
    rmSync(target);
    program('apt-get', 'exit 0');
    const again = setup('packages');
    expect(again.status).not.toBe(0);
    expect(again.output).toContain('still missing');
  });

  test('every line of the real list is a package, a probe and a purpose', () => {
    const lines = textOf('scripts/system-packages')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines.length).toBeGreaterThan(15);
    expect(lines.filter((line) => !/^\S+ +(command|pkg-config|file):\S+ +\S/.test(line))).toEqual([]);
  });
});

describe('make setup, Node', () => {
  test('uses one that is recent enough', () => {
    program('node', 'case $1 in -p) echo 26 ;; -v) echo v26.0.0 ;; esac');
    expectSuccess(setup('node'), 'v26.0.0');
    expect(existsSync(join(machine, '.tools'))).toBe(false);
  });

  test('says so when there is no npm to fetch a newer one with', () => {
    program('node', 'echo 18');
    const { status, output } = setup('node');
    expect(status).not.toBe(0);
    expect(output).toContain('npm is missing');
  });

  test('refuses a package that is not the one we know', () => {
    program('node', 'echo 18');
    program('npm', 'for last; do :; done; echo junk >.tools/node.new/${last%@*}-${last#*@}.tgz');
    const { status, output } = setup('node');
    expect(status).not.toBe(0);
    expect(output).toContain('is not the file we know');
    expect(existsSync(join(machine, '.tools', 'node'))).toBe(false);
  });
});

test('make setup, native build: an incomplete checkout is named as such', () => {
  const { status, output } = setup('native');
  expect(status).not.toBe(0);
  expect(output).toContain('native/CMakeLists.txt is missing');
});
