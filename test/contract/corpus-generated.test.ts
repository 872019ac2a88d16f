import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { corpusFolder } from '../support/corpus/load-corpus.ts';
import { requires } from '../support/skip.ts';

/** Debian's scapy belongs to Debian's Python, which need not be the first one on the PATH. */
const python = ['python3', '/usr/bin/python3'].find(
  (candidate) => spawnSync(candidate, ['-c', 'import scapy'], { timeout: 30_000 }).status === 0,
);
const scapy = { met: python !== undefined, reason: 'needs python3-scapy: run make setup' };
const { test } = requires(scapy);

const generator = join(corpusFolder, 'generate.py');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmn-corpus-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function contents(of: string): Map<string, string> {
  return new Map(
    readdirSync(of)
      .sort()
      .map((name) => [name, readFileSync(join(of, name), 'utf8')]),
  );
}

test('[EB-6] the committed corpus is what scapy makes, byte for byte', () => {
  execFileSync(python!, [generator, folder], { timeout: 60_000 });
  const made = contents(folder);
  const committed = contents(join(corpusFolder, 'cases'));
  expect([...committed.keys()]).toEqual([...made.keys()]);
  const differing = [...made].filter(([name, text]) => committed.get(name) !== text).map(([name]) => name);
  expect(differing).toEqual([]);
});

test('the generator names a case that it no longer makes, and leaves it', () => {
  writeFileSync(join(folder, 'of-old.case'), 'old');
  const { status, stderr } = spawnSync(python!, [generator, folder], { encoding: 'utf8', timeout: 60_000 });
  expect(status).toBe(1);
  expect(stderr).toContain('no longer made, remove them: of-old.case');
  expect(readFileSync(join(folder, 'of-old.case'), 'utf8')).toBe('old');
});
