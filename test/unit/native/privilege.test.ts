import { describe, expect, test } from '@jest/globals';
import { isConfidential, missingCapabilities, privilegeRemedy } from '../../../src/native/privilege.ts';

const NET_ADMIN = 1n << 12n;
const SYS_ADMIN = 1n << 21n;
const PERFMON = 1n << 38n;
const BPF = 1n << 39n;

function machine(
  effective: bigint,
  { seccomp = 0, lockdown = '' } = {},
): { status: string; lockdown: string } {
  const hex = effective.toString(16).padStart(16, '0');
  return { status: `Name:\tnode\nCapEff:\t${hex}\nSeccomp:\t${String(seccomp)}\n`, lockdown };
}

describe('capabilities', () => {
  test.each([
    ['all three', NET_ADMIN | PERFMON | BPF, []],
    ['none', 0n, ['CAP_NET_ADMIN', 'CAP_PERFMON', 'CAP_BPF']],
    ['no CAP_PERFMON', NET_ADMIN | BPF, ['CAP_PERFMON']],
    ['CAP_SYS_ADMIN, which stands for two of them', SYS_ADMIN | NET_ADMIN, []],
    ['CAP_SYS_ADMIN alone', SYS_ADMIN, ['CAP_NET_ADMIN']],
  ])('of a process with %s', (_, effective, missing) => {
    expect(missingCapabilities(machine(effective))).toEqual(missing);
  });

  test('of a process that tells nothing are all missing', () => {
    expect(missingCapabilities({ status: '', lockdown: '' })).toHaveLength(3);
  });
});

describe('the remedy for a refusal', () => {
  const all = NET_ADMIN | PERFMON | BPF;

  test('names the capabilities that are missing, and only those', () => {
    expect(privilegeRemedy(machine(NET_ADMIN | BPF))).toBe('Run as root, or grant CAP_PERFMON.');
  });

  test('names lockdown, seccomp or a security module when nothing is missing', () => {
    const confidential = 'none integrity [confidentiality]';
    expect(privilegeRemedy(machine(all, { lockdown: confidential }))).toContain('lockdown=integrity');
    expect(privilegeRemedy(machine(all, { seccomp: 2 }))).toContain('seccomp');
    expect(privilegeRemedy(machine(all))).toContain('security module');
  });

  test('lockdown for integrity only is no obstacle', () => {
    expect(isConfidential({ status: '', lockdown: 'none [integrity] confidentiality' })).toBe(false);
  });
});
