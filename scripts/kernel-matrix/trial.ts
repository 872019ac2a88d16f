import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resultsFolder } from './cache.ts';
import { testPrograms, writeInitramfs } from './initramfs.ts';
import { ensureKernel, type MatrixKernel } from './kernel-package.ts';
import { judge, skippedResult, type KernelResult } from './kernel-result.ts';
import { runMachine, tail } from './machine.ts';
import { Unavailable } from './mirror.ts';
import type { Progress } from './package-search.ts';
import { readTranscript } from './transcript.ts';
import type { WantedKernel } from './wanted-kernels.ts';

const CONSOLE_LINES = 25;

/** The kernel, or why it cannot be had. */
export async function findKernel(
  wanted: WantedKernel,
  progress: Progress,
): Promise<MatrixKernel | Unavailable> {
  if (process.arch !== 'x64')
    return new Unavailable(`the matrix boots x86-64 kernels, this is ${process.arch}`);
  try {
    return await ensureKernel(wanted, progress);
  } catch (error) {
    if (error instanceof Unavailable) return error;
    throw error;
  }
}

/** Boots one kernel, runs the tests in it, and writes what came of it to build/kernel-matrix. */
export async function tryKernel(
  wanted: WantedKernel,
  kernel: MatrixKernel | Unavailable,
): Promise<KernelResult> {
  const folder = resultsFolder();
  mkdirSync(folder, { recursive: true });
  const result =
    kernel instanceof Unavailable
      ? skippedResult(wanted, kernel.message)
      : await boot(wanted, kernel, folder);
  writeFileSync(join(folder, `${wanted.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

async function boot(wanted: WantedKernel, kernel: MatrixKernel, folder: string): Promise<KernelResult> {
  const tests = testPrograms(wanted.takesDirectObject);
  const scratch = mkdtempSync(join(tmpdir(), 'vmn-kernel-'));
  const console = join(folder, `${wanted.name}.console`);
  const transcript = join(scratch, 'transcript');
  const initramfs = join(scratch, 'initramfs.gz');
  try {
    await writeInitramfs(kernel, tests, initramfs);
    const end = await runMachine({ image: kernel.image, initramfs, console, transcript });
    const said = readTranscript(readIfThere(transcript));
    const { release, version, suite } = kernel;
    const labels = tests.map(({ label }) => label);
    const result = judge(wanted, labels, { release, version, suite }, said, end);
    if (result.status === 'passed') return result;
    return { ...result, failures: [...result.failures, `console:\n${tail(console, CONSOLE_LINES)}`] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
