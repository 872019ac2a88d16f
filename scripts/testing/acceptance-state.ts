/** Joins the acceptance table with what the tests' last run gave and with what their sources promise. Pure. */
import { idsInTitle, type AcceptanceRow } from './acceptance-table.ts';
import { UNVERIFIED } from './skip-reason.ts';
import type { SourceTitle } from './test-source.ts';
import type { TestRecord } from './test-results.ts';

/** From worst to best; an id has the state of its worst test. */
export const STATES = [
  'failed',
  'no test',
  'not run',
  'skipped',
  'unverified on hardware',
  'passed',
] as const;
export type AcceptanceState = (typeof STATES)[number];

export interface AcceptanceTest {
  title: string;
  file: string;
  state: AcceptanceState;
  reason?: string;
}

export interface AcceptanceLine extends AcceptanceRow {
  state: AcceptanceState;
  tests: AcceptanceTest[];
}

export interface AcceptanceReport {
  lines: AcceptanceLine[];
  /** Ids in titles that the table does not have: a slip of the pen that would otherwise hide a missing test. */
  unknown: AcceptanceTest[];
}

/**
 * `records` are results of exactly the present sources; `sources` are all titles with ids. A source title whose file
 * has no record of the same id has not run. `tables` are titles in files that tests take their cases from (C, or
 * tables beside the tests): they speak only for ids that nothing else carries.
 */
export function acceptanceReport(
  rows: readonly AcceptanceRow[],
  records: readonly TestRecord[],
  sources: readonly SourceTitle[],
  tables: readonly SourceTitle[] = [],
): AcceptanceReport {
  const byId = new Map<string, AcceptanceTest[]>();
  const add = (id: string, test: AcceptanceTest): void => {
    byId.set(id, [...(byId.get(id) ?? []), test]);
  };
  for (const record of records) {
    for (const id of new Set(idsInTitle(record.title))) add(id, fromRecord(record));
  }
  const ran = new Set(
    records.flatMap((record) => idsInTitle(record.title).map((id) => `${id} ${record.file}`)),
  );
  for (const { title, file } of sources) {
    const state = title.includes(UNVERIFIED) ? 'unverified on hardware' : 'not run';
    for (const id of new Set(idsInTitle(title))) {
      if (!ran.has(`${id} ${file}`)) add(id, { title, file, state });
    }
  }
  const carried = new Set(byId.keys());
  for (const { title, file } of tables) {
    for (const id of new Set(idsInTitle(title))) {
      if (!carried.has(id)) add(id, { title, file, state: 'not run' });
    }
  }
  const known = new Set(rows.map((row) => row.id));
  return {
    lines: rows.map((row) => {
      const tests = byId.get(row.id) ?? [];
      return { ...row, tests, state: stateOf(tests) };
    }),
    unknown: [...byId].flatMap(([id, tests]) => (known.has(id) ? [] : tests)),
  };
}

/** A skip of an optional peer does not undo what another test has shown. */
function stateOf(tests: readonly AcceptanceTest[]): AcceptanceState {
  if (tests.length === 0) return 'no test';
  return STATES.find((state) => tests.some((test) => test.state === state)) ?? 'no test';
}

function fromRecord(record: TestRecord): AcceptanceTest {
  const { title, file } = record;
  if (title.includes(UNVERIFIED)) return { title, file, state: 'unverified on hardware' };
  if (record.status !== 'skipped') return { title, file, state: record.status };
  return { title, file, state: 'skipped', reason: record.skipReason ?? 'no reason given' };
}
