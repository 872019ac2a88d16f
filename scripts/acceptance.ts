/**
 * `node scripts/acceptance.ts [-o table|json] [--all] [--strict]`: every id of test/acceptance.md with the tests that
 * carry it and their last result. Exit code 1 when such a test failed or a title carries an id that the table does not
 * have; with --strict or STRICT=1 also when an id has no test.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import {
  acceptanceReport,
  STATES,
  type AcceptanceLine,
  type AcceptanceReport,
  type AcceptanceState,
} from './testing/acceptance-state.ts';
import { parseAcceptanceTable } from './testing/acceptance-table.ts';
import { inputsHash } from './testing/inputs-hash.ts';
import { readResults, resultsPath, type TestRecord } from './testing/test-results.ts';
import { caseTables, testFiles, titlesWithIds } from './testing/test-source.ts';
import { TIERS } from './testing/tier.ts';

const projectRoot = join(import.meta.dirname, '..');
const TITLES_SHOWN = 3;

/** Results of the present sources, and a line for each tier that has none. */
function freshRecords(): { records: TestRecord[]; notes: string[] } {
  const results = readResults(resultsPath(projectRoot));
  if (results === null) {
    return { records: [], notes: ['no test results yet (build/test-results.json): run make test'] };
  }
  const hash = inputsHash(projectRoot);
  const fresh = results.tiers.filter((tier) => tier.inputsHash === hash);
  const missing = TIERS.filter((tier) => !fresh.some(({ name }) => name === tier.name));
  return {
    records: fresh.flatMap((tier) => tier.tests),
    notes: missing.map(({ name }) =>
      results.tiers.some((tier) => tier.name === name)
        ? `the last results of ${name} are of other sources than these: run make test-${name}`
        : `no results of ${name}: run make test-${name}`,
    ),
  };
}

function printTable({ lines, unknown }: AcceptanceReport, notes: readonly string[], all: boolean): void {
  for (const note of notes) process.stdout.write(`note: ${note}\n`);
  const idWidth = Math.max(...lines.map(({ id }) => id.length));
  const stateWidth = Math.max(...lines.map(({ state }) => state.length));
  for (const line of lines) {
    const lead = `${line.id.padEnd(idWidth)}  ${coloured(line.state, stateWidth)}  `;
    const indent = ' '.repeat(idWidth + stateWidth + 4);
    process.stdout.write(`${lead}${testLines(line, all).join(`\n${indent}`)}\n`);
  }
  for (const test of unknown) {
    process.stdout.write(`unknown id in a title: ${test.title} (${test.file})\n`);
  }
}

function testLines(line: AcceptanceLine, all: boolean): string[] {
  if (line.tests.length === 0) return [styleText('dim', line.what)];
  // What is not well comes first, so that it is among those shown.
  const sorted = [...line.tests].sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
  const shown = all ? sorted : sorted.slice(0, TITLES_SHOWN);
  const texts = shown.map((test) => {
    const state = test.state === line.state ? '' : `${test.state}: `;
    return `${state}${test.title}${test.reason === undefined ? '' : `: ${test.reason}`}`;
  });
  const rest = sorted.length - shown.length;
  return rest === 0 ? texts : [...texts, styleText('dim', `and ${rest} more (--all)`)];
}

function coloured(state: AcceptanceState, width: number): string {
  const padded = state.padEnd(width);
  if (state === 'passed') return styleText('green', padded);
  return state === 'failed' ? styleText('red', padded) : styleText('yellow', padded);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      output: { type: 'string', short: 'o', default: process.env['ACCEPTANCE_FORMAT'] ?? 'table' },
      all: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: process.env['STRICT'] === '1' },
    },
  });
  if (values.output !== 'table' && values.output !== 'json') {
    throw new Error(`-o ${values.output}: there are table and json`);
  }
  const rows = parseAcceptanceTable(readFileSync(join(projectRoot, 'test', 'acceptance.md'), 'utf8'));
  const { records, notes } = freshRecords();
  const sources = TIERS.flatMap((tier) => testFiles(projectRoot, tier)).flatMap((file) =>
    titlesWithIds(projectRoot, file),
  );
  const tables = caseTables(projectRoot).flatMap((file) => titlesWithIds(projectRoot, file));
  const report = acceptanceReport(rows, records, sources, tables);
  const counts = STATES.map((state) => ({
    state,
    ids: report.lines.filter((line) => line.state === state).map(({ id }) => id),
  })).filter(({ ids }) => ids.length > 0);

  if (values.output === 'json') {
    process.stdout.write(`${JSON.stringify({ notes, ...report }, null, 2)}\n`);
  } else {
    printTable(report, notes, values.all);
    const summary = counts.map(({ state, ids }) => `${ids.length} ${state}`).join(', ');
    process.stdout.write(`\n${report.lines.length} ids: ${summary}\n`);
  }
  const withoutTest = counts.some(({ state }) => state === 'no test');
  const failed = counts.some(({ state }) => state === 'failed') || report.unknown.length > 0;
  process.exitCode = failed || (values.strict && withoutTest) ? 1 : 0;
}

// `make acceptance | head` closes the pipe: that is no error.
process.stdout.on('error', () => process.exit());
main();
