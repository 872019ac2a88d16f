import { describe, expect, test } from '@jest/globals';
import { release } from 'node:os';
import { type VmnError } from '../../../src/lib/errors.ts';
import { attaching, hookLack, loading } from '../../../src/native/kernel-attempt.ts';
import {
  isAtLeast,
  type KernelFeature,
  missingFeature,
  NEEDED_FEATURES,
  OLDEST_KERNEL,
  requirement,
  TCX,
} from '../../../src/native/kernel-feature.ts';
import { attempt, type Attempt, type NativeFailure } from '../../../src/native/native-failure.ts';

function failure(code: string, syscall: string): Error {
  return Object.assign(new Error(`${syscall}: refused`), { code, errno: 1, syscall });
}

function thrown(given: Attempt, cause: Error): VmnError {
  try {
    attempt(given, () => {
      throw cause;
    });
  } catch (error) {
    return error as VmnError;
  }
  throw new Error('nothing was thrown');
}

function feature(error?: Error): KernelFeature {
  const attemptIt = (): void => {
    if (error !== undefined) throw error;
  };
  return { name: 'a wheel', since: '9.9', config: 'CONFIG_WHEEL', attempt: attemptIt };
}

describe('what the kernel lacks', () => {
  test('is the first feature that cannot be had', () => {
    const missing = feature(failure('EINVAL', 'bpf(BPF_MAP_CREATE)'));
    expect(missingFeature([feature(), missing, feature(new Error('no'))])).toBe(missing);
    expect(missingFeature([feature(), feature()])).toBeNull();
  });

  test('is not what we may not try', () => {
    const withheld = feature(failure('EPERM', 'bpf(BPF_MAP_CREATE)'));
    expect(missingFeature([withheld, feature()])).toBeNull();
  });

  test('is said with the version, what to build with, and what this is', () => {
    const said = requirement(feature());
    expect(said).toBe(`A wheel requires Linux >= 9.9 built with CONFIG_WHEEL; this is Linux ${release()}.`);
    expect(requirement(TCX)).toMatch(/^tcx requires Linux >= 6\.6 /);
    // Each is in an older one, which lacks something else.
    for (const needed of Object.values(NEEDED_FEATURES))
      expect(requirement(needed)).toContain(`requires Linux >= ${OLDEST_KERNEL} built`);
  });

  test.each([
    ['5.10', '5.10.0-28-amd64', true],
    ['5.10', '5.9.16', false],
    ['5.10', '6.1.0', true],
    ['6.6', '6.18.4', true],
    ['6.6', '5.15.0', false],
  ])('%s is there in %s: %s', (wanted, running, there) => {
    expect(isAtLeast(wanted, running)).toBe(there);
  });
});

describe('a failure to attach', () => {
  test.each([
    ['bpf(BPF_LINK_CREATE)', 'EINVAL', 'VMN_KERNEL_FEATURE', 'requires Linux >= 6.6'],
    ['rtnetlink(RTM_NEWQDISC)', 'ENOENT', 'VMN_KERNEL_FEATURE', 'CONFIG_NET_SCH_INGRESS'],
    ['rtnetlink(RTM_NEWTFILTER)', 'ENOENT', 'VMN_KERNEL_FEATURE', 'CONFIG_NET_CLS_BPF'],
    ['rtnetlink(RTM_NEWQDISC)', 'EEXIST', undefined, 'tc qdisc del'],
    ['rtnetlink(RTM_NEWTFILTER)', 'EINVAL', undefined, 'priority 1'],
  ])('by %s with %s says what to do', (syscall, code, expected, words) => {
    const meaning = hookLack(failure(code, syscall) as NativeFailure);
    expect(meaning?.code).toBe(expected);
    expect(meaning?.remedy).toContain(words);
  });

  test('for another reason is left to others to explain', () => {
    expect(hookLack(failure('ENODEV', 'bpf(BPF_LINK_CREATE)') as NativeFailure)).toBeUndefined();
  });

  test('where there is no BPF file system is that, whatever else failed', () => {
    const given = attaching('attach the filter', '/proc/vmnet/vmn-x', 7);
    const error = thrown(given, failure('ENODEV', 'bpf(BPF_LINK_CREATE)'));
    expect(error).toMatchObject({ code: 'VMN_BPFFS_MISSING', on: 'vmn-x, ifindex 7' });
  });
});

describe('a failure to load', () => {
  test('without the privilege names it, whatever was being loaded', () => {
    for (const syscall of ['bpf(BPF_MAP_CREATE)', 'bpf(BPF_PROG_LOAD)']) {
      expect(thrown(loading('load the filter'), failure('EPERM', syscall)).code).toBe('VMN_CAPABILITY');
    }
  });

  test('for want of memory is what it is', () => {
    expect(thrown(loading('load the filter'), failure('ENOMEM', 'calloc'))).toMatchObject({
      code: 'VMN_BPF_LOAD',
    });
  });
});
