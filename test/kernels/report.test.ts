import { describe, expect, test } from '@jest/globals';
import { judge, type KernelResult } from '../../scripts/kernel-matrix/kernel-result.ts';
import { compareVersions } from '../../scripts/kernel-matrix/package-search.ts';
import { isRecordCurrent } from '../../scripts/kernel-matrix/record.ts';
import { markdownTable } from '../../scripts/kernel-matrix/result-table.ts';
import { readTranscript } from '../../scripts/kernel-matrix/transcript.ts';

// What the matrix makes of what a kernel said: only what was seen to pass counts as passed.

const LOADER = [
  '{"facts": {"hook": "clsact"}}',
  '{"key": "load", "name": "loads", "failure": ""}',
  '{"key": "update", "name": "updates", "failure": ""}',
];
const CASES = [
  '[',
  '  {"name": "one", "failure": ""},',
  '  {"name": "two", "failure": "", "skipped": "too old"}',
  ']',
];

interface Said {
  loader?: readonly string[];
  cases?: readonly string[];
  ends?: readonly string[];
  problem?: string;
}

function judged({
  loader = LOADER,
  cases = CASES,
  ends = ['end probe 0', 'done'],
  problem,
}: Said = {}): KernelResult {
  const lines = [
    'release 5.10.0-1',
    'btf yes',
    'begin loader',
    ...loader,
    'end loader 0',
    'begin probe',
    ...cases,
  ];
  return judge(
    { name: '5.10', required: true, hook: 'clsact' },
    ['loader', 'probe'],
    { release: '5.10.0-1', version: '5.10.1-1', suite: 'suite' },
    readTranscript([...lines, ...ends].join('\r\n')),
    { seconds: 4, problem: problem ?? null },
  );
}

describe('the result of one kernel', () => {
  test('passes when every program came to its end without a failure', () => {
    expect(judged()).toMatchObject({
      status: 'passed',
      loads: true,
      survivesUpdate: true,
      btf: true,
      catalogue: { probe: { passed: 1, failed: 0, skipped: 1 } },
      notAsked: { 'too old': 1 },
    });
  });

  test.each<[string, Said, string]>([
    ['a check that failed', { cases: ['{"name": "one", "failure": "why"}'] }, 'probe: one: why'],
    ['a crash', { ends: ['end probe 139', 'done'] }, 'probe: ended with 139'],
    ['a program that never ended', { ends: [] }, 'probe: ended with nothing'],
    ['a kernel that stopped', { ends: ['end probe 0'] }, 'the kernel did not come to the end of its tests'],
    ['a program that checked nothing', { cases: [] }, 'probe: has passed no check'],
    [
      'only skips',
      { cases: ['{"name": "two", "failure": "", "skipped": "too old"}'] },
      'probe: has passed no check',
    ],
    ['a line that was cut off', { cases: [...CASES, '{"name": "thr'] }, 'cut off'],
    ['another hook', { loader: LOADER.slice(1) }, 'attached by nothing, not by clsact'],
    ['an emulator that failed', { problem: 'not done after 180 s' }, 'not done after 180 s'],
  ])('fails on %s', (_, said, failure) => {
    const result = judged(said);
    expect(result.status).toBe('failed');
    expect(result.failures.join('\n')).toContain(failure);
  });

  test('an update that was not tried is no update survived', () => {
    expect(judged({ loader: LOADER.slice(0, 2) })).toMatchObject({ survivesUpdate: false });
  });
});

describe('the packages', () => {
  test('are compared number by number', () => {
    expect(compareVersions('6.12.100-1', '6.12.95-1')).toBeGreaterThan(0);
    expect(compareVersions('7.2.13-1', '7.3.4-1~bpo13+1')).toBeLessThan(0);
    expect(compareVersions('6.1.192-2', '6.1.192-2')).toBe(0);
  });
});

describe('docs/kernels.md', () => {
  test('names what was not possible', () => {
    expect(markdownTable([judged()])).toContain('not possible there, 1 of the frames: too old');
  });

  test('shows the recorded results and no others', () => {
    expect(isRecordCurrent()).toBe(true);
  });
});
