import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compare, skip } from '../../../bench/compare.ts';
import { withFigures } from '../../../bench/report/markdown.ts';
import { renderTable } from '../../../bench/report/terminal.ts';
import { readResults, type Results } from '../../../bench/results.ts';
import { isMeasured, type Naming } from '../../../bench/row.ts';

const project = (path: string): string => join(import.meta.dirname, '..', '..', '..', path);
const page = readFileSync(project('docs/performance.md'), 'utf8');
const results = readResults(project('bench/results.json'));

const NAMING: Naming = { id: 'a', group: 'filter', number: 'P1', what: 'a | b', against: 'c', unit: 'ns' };
const TARGET = { gate: 15, aim: 8 };
const pairs = (cost: number) => ({ ours: [cost + 40], other: [40], frames: 1 });

const sample: Results = {
  machine: { cpu: 'a CPU', cores: 2 },
  kernel: 'Linux 6.12.0',
  commit: 'abc',
  date: '2025-01-01',
  rows: [
    compare(NAMING, pairs(12.3), TARGET, 'abc'),
    compare({ ...NAMING, what: 'slow' }, pairs(123.4), TARGET, 'abc'),
    skip({ ...NAMING, what: 'peer', unit: 'x' }, 'needs nft', TARGET, 'abc'),
  ],
};

describe('docs/performance.md', () => {
  test('says what bench/results.json says; if not: node bench/document.ts', () => {
    expect(page).toBe(withFigures(page, results));
  });

  test('has a block for every group that was measured, and for the machine', () => {
    const blocks = [...page.matchAll(/<!-- bench: ([a-z]+) -->/g)].map(([, name]) => name);
    expect(new Set(blocks).size).toBe(blocks.length);
    for (const group of new Set(results?.rows.map((row) => row.group))) expect(blocks).toContain(group);
    expect(blocks).toContain('machine');
  });

  test('has no figure of time or ratio that was typed by hand', () => {
    const byHand = withFigures(page, null);
    expect(byHand.match(/\d+(\.\d+)? ?(ns|us|ms|x)\b/g)).toBeNull();
  });
});

describe('bench/results.json', () => {
  test('has each id once, and no verdict that its figure contradicts', () => {
    const rows = results?.rows ?? [];
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    for (const row of rows.filter(isMeasured)) {
      const { median, gate, unit } = row;
      const reached = gate === null ? null : unit === 'x' ? median >= gate : median <= gate;
      expect([row.id, row.pass]).toEqual([row.id, reached]);
    }
  });

  test('tells nothing about the machine but its CPU, cores and kernel', () => {
    const { machine, ...head } = results ?? sample;
    expect(Object.keys(machine).sort()).toEqual(['cores', 'cpu']);
    expect(Object.keys(head).sort()).toEqual(['commit', 'date', 'kernel', 'rows']);
  });
});

describe('a generated block', () => {
  const blocks =
    'before\n<!-- bench: filter -->\nold\n<!-- /bench -->\nafter\n<!-- bench: machine -->\n<!-- /bench -->\n';
  const text = withFigures(blocks, sample);

  test('is replaced, and nothing else is touched', () => {
    expect(text).toMatch(/^before\n<!-- bench: filter -->\n\|/);
    expect(text).toContain('<!-- /bench -->\nafter\n');
    expect(text).not.toContain('old');
    expect(withFigures(text, sample)).toBe(text);
  });

  test('shows figures, gates, verdicts and what was skipped', () => {
    expect(text).toContain(
      '| P1 | a \\| b | c | 12.3 ns (12.3 to 12.3, n 1) | 52.3 : 40 | ≤ 15 ns | ≤ 8 ns | ok |',
    );
    expect(text).toContain(
      '| P1 | slow | c | 123 ns (123 to 123, n 1) | 163 : 40 | ≤ 15 ns | ≤ 8 ns | MISSED |',
    );
    expect(text).toContain('SKIP: needs nft');
    expect(text).toContain('Measured on a CPU, 2 cores, Linux 6.12.0, at commit `abc` on 2025-01-01.');
  });

  test('says so when nothing was measured', () => {
    expect(withFigures(blocks, null)).toContain('Not measured yet');
    expect(withFigures(blocks, { ...sample, rows: [] })).toContain('Not measured yet');
  });

  test('has the same cells as the table on a terminal', () => {
    const terminal = renderTable(sample.rows);
    for (const cell of ['12.3 ns (12.3 to 12.3, n 1)', 'MISSED', 'SKIP: needs nft', '≤ 15 ns']) {
      expect(terminal).toContain(cell);
    }
  });
});
