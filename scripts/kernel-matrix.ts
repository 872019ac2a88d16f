/**
 * Boots other kernels under emulation and tries the filter in each: `node scripts/kernel-matrix.ts [options] [KERNEL ...]`.
 * Writes build/kernel-matrix/KERNEL.json and .console, prints a table; exit code 1 when a kernel failed, and with
 * CI=true also when a required one could not be had. Needs no root. See docs/kernels.md.
 */
import { parseArgs } from 'node:util';
import { adoptPackages, forgetKernel } from './kernel-matrix/kernel-package.ts';
import type { KernelResult } from './kernel-matrix/kernel-result.ts';
import { isRecordCurrent, writeRecord } from './kernel-matrix/record.ts';
import { plainTable } from './kernel-matrix/result-table.ts';
import { findKernel, tryKernel } from './kernel-matrix/trial.ts';
import { kernelsNamed, WANTED_KERNELS, type WantedKernel } from './kernel-matrix/wanted-kernels.ts';

const HELP = `usage: node scripts/kernel-matrix.ts [--update] [--record | --check] [KERNEL ...]
       node scripts/kernel-matrix.ts --deb FILE ... KERNEL

KERNEL    ${WANTED_KERNELS.map(({ name }) => name).join(', ')}; all when none is named
--update  look for newer packages than those in the cache
--deb     take the kernel from these packages, image and modules, as no mirror has it; kept in the cache
--record  write the results to docs/kernels.json and its table to docs/kernels.md
--check   only see whether that table is the one of those results`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      update: { type: 'boolean' },
      record: { type: 'boolean' },
      check: { type: 'boolean' },
      deb: { type: 'string', multiple: true },
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  if (values.check === true) {
    if (isRecordCurrent()) return 0;
    console.error('docs/kernels.md has another table than docs/kernels.json gives: never type it by hand');
    return 1;
  }
  const results: KernelResult[] = [];
  const kernels = kernelsNamed(positionals);
  if (values.deb !== undefined) await adopt(kernels, values.deb);
  for (const wanted of kernels) {
    if (values.update === true) forgetKernel(wanted);
    const kernel = await findKernel(wanted, (text) => console.log(text));
    const result = await tryKernel(wanted, kernel);
    results.push(result);
    console.log(
      `Linux ${wanted.name}: ${result.status}${result.reason === null ? '' : ` (${result.reason})`}`,
    );
    for (const failure of result.failures) console.log(`  ${failure.replaceAll('\n', '\n    ')}`);
  }
  console.log(`\n${plainTable(results)}\n`);
  if (values.record === true) writeRecord(results);
  const count = (status: KernelResult['status']): number =>
    results.filter((result) => result.status === status).length;
  console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`);
  const missing = results.some(({ status, required }) => status === 'skipped' && required);
  return count('failed') > 0 || count('passed') === 0 || (missing && process.env['CI'] === 'true') ? 1 : 0;
}

async function adopt(kernels: readonly WantedKernel[], debs: readonly string[]): Promise<void> {
  const [wanted, ...others] = kernels;
  if (wanted === undefined || others.length > 0)
    throw new Error('--deb: name the one kernel that these packages are');
  await adoptPackages(wanted, debs);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
