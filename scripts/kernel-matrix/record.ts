import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { KernelResult } from './kernel-result.ts';
import { markdownTable } from './result-table.ts';

const DATA = fileURLToPath(new URL('../../docs/kernels.json', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/kernels.md', import.meta.url));
const TABLE = /(<!-- results: .*? -->\n)[\s\S]*?(<!-- end of results -->)/;

/** Keeps a run's results with the project, and puts their table into docs/kernels.md. */
export function writeRecord(results: readonly KernelResult[]): void {
  writeFileSync(DATA, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(PAGE, pageWith(results));
}

/** Whether docs/kernels.md shows what docs/kernels.json says. */
export function isRecordCurrent(): boolean {
  if (!existsSync(DATA)) return false;
  return pageWith(JSON.parse(readFileSync(DATA, 'utf8')) as KernelResult[]) === readFileSync(PAGE, 'utf8');
}

function pageWith(results: readonly KernelResult[]): string {
  const page = readFileSync(PAGE, 'utf8');
  if (!TABLE.test(page)) throw new Error('docs/kernels.md has no place for the table');
  return page.replace(
    TABLE,
    (_, begin: string, end: string) => `${begin}\n${markdownTable(results)}\n${end}`,
  );
}
