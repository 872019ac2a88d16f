import type { Check, ProgramReport, Transcript } from './transcript.ts';
import type { WantedKernel } from './wanted-kernels.ts';

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** What the matrix knows about one kernel; written to build/kernel-matrix as it stands. */
export interface KernelResult {
  name: string;
  required: boolean;
  status: 'passed' | 'failed' | 'skipped';
  /** Of a skip. */
  reason: string | null;
  release: string | null;
  version: string | null;
  suite: string | null;
  btf: boolean;
  loads: boolean;
  /** How the loader attached, as read from the kernel afterwards. */
  hook: string | null;
  /** Instructions that the verifier looked at, where the kernel tells (5.16). */
  verified: Readonly<Record<string, number>> | null;
  survivesUpdate: boolean;
  loader: Tally;
  /** By the object of the filter that judged it. */
  catalogue: Readonly<Record<string, Tally>>;
  failures: readonly string[];
  /** What this kernel could not be asked: reason, and how many frames. */
  notAsked: Readonly<Record<string, number>>;
  seconds: number | null;
  bootSeconds: number | null;
}

type Identity = Pick<KernelResult, 'release' | 'version' | 'suite'>;

const NOTHING: Omit<KernelResult, 'name' | 'required' | 'status' | 'reason' | keyof Identity> = {
  btf: false,
  loads: false,
  hook: null,
  verified: null,
  survivesUpdate: false,
  loader: { passed: 0, failed: 0, skipped: 0 },
  catalogue: {},
  failures: [],
  notAsked: {},
  seconds: null,
  bootSeconds: null,
};

export function skippedResult(wanted: WantedKernel, reason: string): KernelResult {
  const identity = { release: null, version: null, suite: null };
  return { ...NOTHING, ...identity, name: wanted.name, required: wanted.required, status: 'skipped', reason };
}

/** Passed is what was seen to pass: a program that is missing, crashed or found nothing to check has failed. */
export function judge(
  wanted: Pick<WantedKernel, 'name' | 'required' | 'hook'>,
  labels: readonly string[],
  identity: Identity,
  { release, btf, programs, bootSeconds, complete }: Transcript,
  { seconds, problem }: { seconds: number; problem: string | null },
): KernelResult {
  const loader = programs.get('loader');
  const reports = labels.map((label) => [label, programs.get(label)] as const);
  const hook = typeof loader?.facts['hook'] === 'string' ? loader.facts['hook'] : null;
  const failures = [
    ...(problem === null ? [] : [problem]),
    ...(complete || problem !== null ? [] : ['the kernel did not come to the end of its tests']),
    ...(release === identity.release ? [] : [`it calls itself ${release ?? 'nothing'}`]),
    ...(hook === wanted.hook ? [] : [`attached by ${hook ?? 'nothing'}, not by ${wanted.hook}`]),
    ...reports.flatMap(([label, report]) => failuresOf(label, report)),
  ];
  return {
    name: wanted.name,
    required: wanted.required,
    status: failures.length === 0 ? 'passed' : 'failed',
    reason: null,
    ...identity,
    btf,
    loads: hasPassed(loader, 'load'),
    hook,
    verified: (loader?.facts['verified'] as Record<string, number> | undefined) ?? null,
    survivesUpdate: hasPassed(loader, 'update'),
    loader: tally(loader),
    catalogue: Object.fromEntries(
      reports.filter(([label]) => label !== 'loader').map(([label, report]) => [label, tally(report)]),
    ),
    failures,
    notAsked: notAsked(reports.flatMap(([, report]) => report?.checks ?? [])),
    seconds,
    bootSeconds,
  };
}

function isPassed(check: Check): boolean {
  return check.failure === '' && !isSkipped(check);
}

function isSkipped({ skipped }: Check): boolean {
  return skipped !== undefined && skipped !== '';
}

function hasPassed(report: ProgramReport | undefined, key: string): boolean {
  return report?.checks.some((check) => check.key === key && isPassed(check)) ?? false;
}

function tally(report: ProgramReport | undefined): Tally {
  const checks = report?.checks ?? [];
  return {
    passed: checks.filter(isPassed).length,
    failed: checks.filter(({ failure }) => failure !== '').length,
    skipped: checks.filter((check) => isSkipped(check) && check.failure === '').length,
  };
}

function failuresOf(label: string, report: ProgramReport | undefined): string[] {
  if (report === undefined) return [`${label}: was not run`];
  const failed = report.checks.filter(({ failure }) => failure !== '');
  const ended = report.code === 0 || (report.code === 1 && failed.length > 0);
  return [
    ...(ended ? [] : [`${label}: ended with ${report.code === null ? 'nothing' : String(report.code)}`]),
    ...(report.checks.some(isPassed) ? [] : [`${label}: has passed no check`]),
    ...failed.map(({ name, failure }) => `${label}: ${name}: ${failure}`),
  ];
}

function notAsked(checks: readonly Check[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { skipped } of checks.filter(isSkipped)) {
    if (skipped !== undefined) counts[skipped] = (counts[skipped] ?? 0) + 1;
  }
  return counts;
}
