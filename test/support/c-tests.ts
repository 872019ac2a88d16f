import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One test of a C test program, as it prints it. */
export interface CTest {
  name: string;
  /** Where and what; empty when it passed. */
  failure: string;
  /** Why it could not be done here. */
  skipped?: string;
}

export const built = (name: string): string =>
  fileURLToPath(new URL(`../../build/native/${name}`, import.meta.url));

/** The eBPF object that the build made. */
export const filterObject = built('bpf/vmn_filter.bpf.o');

/**
 * Runs a program of build/native to its end and returns what it printed. Throws when it is not built, crashed (a
 * sanitizer's report included) or could not run; exit code 1 means that it ran and found something.
 */
export function runNative(name: string, args: string[] = []): string {
  const program = built(name);
  if (!existsSync(program)) throw new Error(`${program} is not built: run make build`);
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 170_000,
  });
  if (error !== undefined) throw error;
  if (status !== 0 && status !== 1)
    throw new Error(`${name} ended with ${signal ?? String(status)}: ${stderr}`);
  if (!stdout.trimEnd().match(/[\]}]$/)) throw new Error(`${name} ended in the middle: ${stderr}`);
  return stdout;
}

/** Runs a program that prints the results of its tests. */
export function runCTests(name: string, args: string[] = []): CTest[] {
  const tests = JSON.parse(runNative(name, args)) as CTest[];
  if (tests.length === 0) throw new Error(`${name} has no tests`);
  return tests;
}
