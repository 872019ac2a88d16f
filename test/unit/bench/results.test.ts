import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare } from '../../../bench/compare.ts';
import { mergeResults, readResults, writeResults, type Results } from '../../../bench/results.ts';
import type { Group, Row } from '../../../bench/row.ts';

const row = (id: string, group: Group, median = 1): Row =>
  compare(
    { id, group, number: '', what: id, against: 'nothing', unit: 'ns' },
    { ours: [median], other: [0], frames: 1 },
    null,
    'abc',
  );

const results = (rows: readonly Row[], changes: Partial<Results> = {}): Results => ({
  machine: { cpu: 'a CPU', cores: 2 },
  kernel: 'Linux 6.12.0',
  commit: 'abc',
  date: '2025-01-01',
  rows,
  ...changes,
});

const ids = (of: Results): string[] => of.rows.map(({ id }) => id);

describe('results of a run', () => {
  const before = results([row('P1', 'filter'), row('gone', 'filter'), row('hash', 'lookup')]);

  test('replace the rows of their groups and keep the others', () => {
    const merged = mergeResults(before, results([row('P1', 'filter', 5)], { commit: 'def' }));
    expect(ids(merged)).toEqual(['P1', 'hash']);
    expect(merged.rows[0]).toMatchObject({ median: 5 });
    expect(merged.commit).toBe('def');
  });

  test.each([
    { kernel: 'Linux 6.13.0' },
    { machine: { cpu: 'another CPU', cores: 2 } },
    { machine: { cpu: 'a CPU', cores: 4 } },
  ])('never stand beside those of another machine: %j', (changes) => {
    expect(ids(mergeResults(before, results([row('P1', 'filter')], changes)))).toEqual(['P1']);
  });

  test('are the first ones when there are none', () => {
    expect(ids(mergeResults(null, results([row('P1', 'filter')])))).toEqual(['P1']);
  });
});

describe('the file', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmn-results-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('gives back what was written, one row a line', () => {
    const path = join(folder, 'results.json');
    const written = results([row('P1', 'filter'), row('P2', 'filter')]);
    writeResults(path, written);
    expect(readResults(path)).toEqual(written);
    expect(
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line.includes('"id"')),
    ).toHaveLength(2);
  });

  test('that does not exist is none; one that is no JSON is an error', () => {
    expect(readResults(join(folder, 'none.json'))).toBeNull();
    writeFileSync(join(folder, 'odd.json'), '{');
    expect(() => readResults(join(folder, 'odd.json'))).toThrow(SyntaxError);
  });
});
