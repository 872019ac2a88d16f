import { describe, expect, test } from '@jest/globals';
import { acceptanceReport, type AcceptanceState } from '../../../scripts/testing/acceptance-state.ts';
import { idsInTitle, parseAcceptanceTable } from '../../../scripts/testing/acceptance-table.ts';
import type { TestRecord, TestStatus } from '../../../scripts/testing/test-results.ts';
import { titlesWithIds, testFilesBelow } from '../../../scripts/testing/test-source.ts';
import { projectRoot, textOf } from './source-files.ts';

const table = parseAcceptanceTable(textOf('test/acceptance.md'));

function record(title: string, status: TestStatus, file = 'test/unit/a.test.ts'): TestRecord {
  return { title, file, tier: 'unit', status, durationMs: 1 };
}

function stateOf(records: TestRecord[], sources: { title: string; file: string }[] = []): AcceptanceState {
  const row = { id: 'AB-1', what: 'a case', expected: 'a result' };
  const [line] = acceptanceReport([row], records, sources).lines;
  if (line === undefined) throw new Error('no line');
  return line.state;
}

describe('the acceptance table', () => {
  test('has the ids of every area', () => {
    const areas = new Set(table.map(({ id }) => id.split('-')[0]));
    expect([...areas]).toEqual('EF IP AL UF FB FN FS NM CI E2E SB EB ER K8 NE'.split(' '));
    expect(table).toHaveLength(72);
  });

  test('an id twice is an error, not two rows', () => {
    expect(() => parseAcceptanceTable('| AB-1 | x | y |\n| AB-1 | x | z |')).toThrow('AB-1');
  });

  test('no test carries an id that the table does not have', () => {
    const known = new Set(table.map(({ id }) => id));
    const unknown = testFilesBelow(projectRoot, 'test')
      .flatMap((file) => titlesWithIds(projectRoot, file))
      .flatMap(({ title }) => idsInTitle(title))
      .filter((id) => !known.has(id));
    expect(unknown).toEqual([]);
  });
});

describe('the state of an id', () => {
  test('is that of its worst test', () => {
    const passed = record('[AB-1] one', 'passed');
    expect(stateOf([passed])).toBe('passed');
    expect(stateOf([passed, record('[AB-1] two', 'skipped')])).toBe('skipped');
    expect(stateOf([passed, record('[AB-1] two', 'skipped'), record('[AB-1] three', 'failed')])).toBe(
      'failed',
    );
  });

  test('is "no test" when no title carries it, however similar', () => {
    expect(stateOf([record('AB-1 without brackets', 'passed'), record('[AB-10] another', 'passed')])).toBe(
      'no test',
    );
  });

  test('is "not run" when only a source carries it', () => {
    const source = { title: '[AB-1] one', file: 'test/unit/b.test.ts' };
    expect(stateOf([], [source])).toBe('not run');
    expect(stateOf([record('[AB-1] other file', 'passed')], [source])).toBe('not run');
    expect(stateOf([record('[AB-1] made from a template', 'passed', source.file)], [source])).toBe('passed');
  });

  test('is "not run" when only a table of cases carries it, and that of the run once there is one', () => {
    const row = { id: 'AB-1', what: '', expected: '' };
    const table = { title: '[AB-1] one', file: 'native/test/cases.c' };
    expect(acceptanceReport([row], [], [], [table]).lines[0]?.state).toBe('not run');
    expect(acceptanceReport([row], [record('[AB-1] one', 'passed')], [], [table]).lines[0]?.state).toBe(
      'passed',
    );
  });

  test('is never "passed" for what only hardware can show', () => {
    expect(stateOf([record('[AB-1] boots on a Mac [unverified on hardware]', 'skipped')])).toBe(
      'unverified on hardware',
    );
  });

  test('counts for each id that a title carries', () => {
    expect(idsInTitle('[AB-1] [CD-2] both')).toEqual(['AB-1', 'CD-2']);
  });

  test('an id that is not in the table is reported', () => {
    expect(acceptanceReport([], [record('[ZZ-9] slip', 'passed')], []).unknown).toHaveLength(1);
  });
});
