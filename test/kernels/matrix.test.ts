import { afterAll, describe, expect, test } from '@jest/globals';
import type { KernelResult } from '../../scripts/kernel-matrix/kernel-result.ts';
import { plainTable } from '../../scripts/kernel-matrix/result-table.ts';
import { findKernel, tryKernel } from '../../scripts/kernel-matrix/trial.ts';
import { askedKernels, type WantedKernel } from '../../scripts/kernel-matrix/wanted-kernels.ts';
import { executable } from '../support/requirement.ts';
import { requires, type Requirement } from '../support/skip.ts';

// Other kernels under emulation: our loader and the whole catalogue of frames in each (docs/kernels.md). VMN_KERNELS says
// which. They are booted before the tests are named, since what a kernel cannot be asked becomes a skip of its own.

const tools = ['qemu-system-x86_64', 'busybox', 'dpkg-deb', 'apt-get'].map(executable);
const results: KernelResult[] = [];

for (const wanted of askedKernels()) {
  const missing = tools.find(({ met }) => !met);
  if (missing !== undefined) {
    skipped(wanted, missing);
    continue;
  }
  const result = await tryKernel(wanted, await findKernel(wanted, () => undefined));
  results.push(result);
  if (result.status === 'skipped') skipped(wanted, { met: false, reason: result.reason ?? 'unknown' });
  else tried(wanted, result);
}

function skipped({ name, required }: WantedKernel, requirement: Requirement): void {
  const { test: skip } = requires({ ...requirement, optional: !required });
  skip(`[EB-1] Linux ${name}: the filter works there`, () => undefined);
}

function tried({ name, hook }: WantedKernel, result: KernelResult): void {
  describe(`Linux ${name} (${result.release ?? 'unknown'})`, () => {
    test(`[EB-1] Linux ${name}: takes the filter, attached by ${hook}`, () => {
      expect(result).toMatchObject({ loads: true, hook });
    });

    test(`[EB-1] Linux ${name}: judges the catalogue right, in test runs and on a tap`, () => {
      for (const tally of Object.values(result.catalogue)) {
        expect(tally.failed).toBe(0);
        expect(tally.passed).toBeGreaterThan(500);
      }
    });

    test(`[EB-1] Linux ${name}: programs and policy change under traffic and nothing else passes`, () => {
      expect(result.survivesUpdate).toBe(true);
    });

    test(`[EB-1] Linux ${name}: came to its end without a failure`, () => {
      expect(result.failures).toEqual([]);
    });

    for (const [reason, count] of Object.entries(result.notAsked)) {
      const { test: skip } = requires({ met: false, reason, optional: true });
      skip(`Linux ${name}: ${count} frames on a tap`, () => undefined);
    }
  });
}

afterAll(() => {
  if (results.length > 0) process.stdout.write(`\n${plainTable(results)}\n\n`);
});
