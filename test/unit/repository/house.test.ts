import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { testFilesBelow } from '../../../scripts/testing/test-source.ts';
import { TIERS } from '../../../scripts/testing/tier.ts';
import { projectFiles, projectRoot, textOf, topFolders } from './source-files.ts';

const SOURCE = /\.(ts|js|c|h|cc|cpp|sh)$/;
const MAX_LINES = 400;
const LONG_BECAUSE = /Long because /;
const README_LINES = 60;

const files = projectFiles();

describe('every top folder', () => {
  test.each(topFolders())('%s/ says in a README what it is', (folder) => {
    const readme = join(folder, 'README.md');
    expect(files).toContain(readme);
    // docs/ is read page by page; there the README is a table of contents.
    if (folder !== 'docs') expect(textOf(readme).split('\n').length).toBeLessThan(README_LINES);
  });
});

test('test/support/README.md says of everything there what it is', () => {
  const top = files.flatMap((file) => /^test\/support\/([^/]+\/?)/.exec(file)?.[1] ?? []);
  const listed = [...textOf('test/support/README.md').matchAll(/^\| (`.*`) \| /gm)]
    .flatMap(([, names = '']) => names.replaceAll('`', '').split(', '))
    .sort();
  expect(listed).toEqual([...new Set(top)].filter((name) => name !== 'README.md').sort());
});

describe('sources', () => {
  test(`none is longer than ${MAX_LINES} lines without the reason at its top ("Long because ...")`, () => {
    const long = files
      .filter((file) => SOURCE.test(file))
      .filter((file) => {
        const lines = textOf(file).split('\n');
        return lines.length > MAX_LINES && !LONG_BECAUSE.test(lines.slice(0, 40).join(' '));
      });
    expect(long).toEqual([]);
  });

  test('none is called utils, helpers or common', () => {
    expect(
      files.filter((file) => SOURCE.test(file) && /(^|[/-])(utils?|helpers?|common|misc)\b/.test(file)),
    ).toEqual([]);
  });

  test('TypeScript files and their folders are kebab-case', () => {
    const odd = files.filter(
      (file) => file.endsWith('.ts') && !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(basename(file)),
    );
    expect(odd).toEqual([]);
  });

  test('C files name their licence in the first line', () => {
    const wrong = files
      .filter((file) => /^(native|bpf)\/.*\.(c|h|cc|cpp)$/.test(file))
      .filter((file) => {
        const licence = /^(bpf|native\/include)\//.test(file)
          ? '(BSD-2-Clause OR GPL-2.0-only)'
          : 'Apache-2.0';
        return !textOf(file).split('\n')[0]?.includes(`SPDX-License-Identifier: ${licence}`);
      });
    expect(wrong).toEqual([]);
  });

  test('no test is focused or skipped without a reason', () => {
    const odd = files
      .filter((file) => file.endsWith('.test.ts') && file !== 'test/unit/repository/house.test.ts')
      .filter((file) => /\b(it|test|describe)\.(only|skip|todo|failing)\b/.test(textOf(file)));
    expect(odd).toEqual([]);
  });

  test('none tells of the machine it was written on, or where packages come from', () => {
    const machine = [dirname(projectRoot), homedir()].filter((path) => path.split('/').length > 2);
    const telling = files
      .filter((file) => statSync(join(projectRoot, file)).size < 1_000_000)
      .filter((file) => {
        const text = textOf(file);
        return (
          /https?:\/\/(registry|proxy|deb|index|static|repo)\./.test(text) ||
          machine.some((path) => text.includes(`${path}/`))
        );
      });
    expect(telling).toEqual([]);
  });
});

describe('tests', () => {
  test('every folder that holds tests belongs to one tier', () => {
    const folders = new Set(testFilesBelow(projectRoot, 'test').map((file) => file.split('/')[1] ?? ''));
    const inTiers = TIERS.flatMap((tier) => tier.folders);
    expect([...folders].filter((folder) => !inTiers.includes(folder))).toEqual([]);
    expect(new Set(inTiers).size).toBe(inTiers.length);
  });
});

describe('package-lock.json', () => {
  interface LockedPackage {
    optionalDependencies?: Record<string, string>;
    resolved?: string;
  }
  const { packages } = JSON.parse(textOf('package-lock.json')) as { packages: Record<string, LockedPackage> };

  // npm ci refuses a lock file without them, and an npm that cannot see a platform's package leaves it out.
  test('names every optional package of an exact version, those of other platforms too', () => {
    const missing = Object.values(packages)
      .flatMap((locked) => Object.entries(locked.optionalDependencies ?? {}))
      .filter(([name, version]) => /^\d/.test(version) && !(`node_modules/${name}` in packages));
    expect(missing).toEqual([]);
  });

  test('does not say where packages were fetched from', () => {
    expect(Object.values(packages).filter((locked) => locked.resolved?.startsWith('http'))).toEqual([]);
  });

  test('package.json asks for exact versions', () => {
    const manifest = JSON.parse(textOf('package.json')) as Record<string, Record<string, string>>;
    const versions = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

describe('the front door', () => {
  test('make help lists every target that a person calls', () => {
    const targets = [...textOf('Makefile').matchAll(/^\.PHONY: (\S+)$/gm)].map((match) => match[1] ?? '');
    const help = execFileSync('make', ['help'], { cwd: projectRoot, encoding: 'utf8' });
    // setup-node is a part of setup for targets that need no more.
    const unlisted = targets.filter((target) => target !== 'setup-node' && !help.includes(`${target} `));
    expect(targets.length).toBeGreaterThan(10);
    expect(unlisted).toEqual([]);
  });

  test('scripts and commands can be executed', () => {
    const scripts = files.filter(
      (file) => /^(bin|scripts|\.ci)\//.test(file) && textOf(file).startsWith('#!'),
    );
    expect(scripts).toEqual(
      expect.arrayContaining(['.ci/run', 'bin/vmnet-agent', 'bin/vmnetctl', 'scripts/setup']),
    );
    expect(scripts.filter((file) => (statSync(join(projectRoot, file)).mode & 0o111) === 0)).toEqual([]);
  });

  test('each licence that a file names is there in full', () => {
    expect(textOf('LICENSE')).toContain('Apache License');
    expect(existsSync(join(projectRoot, 'LICENSES', 'BSD-2-Clause.txt'))).toBe(true);
    expect(textOf('LICENSES/GPL-2.0-only.txt')).toContain('GNU GENERAL PUBLIC LICENSE');
  });
});
