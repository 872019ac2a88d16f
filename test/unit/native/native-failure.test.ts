import { describe, expect, test } from '@jest/globals';
import { VmnError } from '../../../src/lib/errors.ts';
import { loadAddon } from '../../../src/native/addon.ts';
import { attempt, type Attempt, failedWith } from '../../../src/native/native-failure.ts';

function failure(code: string, syscall = 'bpf(BPF_LINK_CREATE)'): Error {
  return Object.assign(new Error(`${syscall}: refused`), { code, errno: 1, syscall, detail: 'long text' });
}

function thrown(given: Partial<Attempt>, cause: Error): VmnError {
  try {
    attempt({ code: 'VMN_BPF_ATTACH', attempted: 'attach', on: 'vmn-1', ...given }, () => {
      throw cause;
    });
  } catch (error) {
    return error as VmnError;
  }
  throw new Error('nothing was thrown');
}

describe('failures of the addon', () => {
  test('become errors with a code, what was attempted, on what, and the cause', () => {
    const cause = failure('ENOSPC');
    const error = thrown({}, cause);
    expect(error).toBeInstanceOf(VmnError);
    expect(error).toMatchObject({ code: 'VMN_BPF_ATTACH', attempted: 'attach', on: 'vmn-1' });
    expect(error.cause).toBe(cause);
    expect(error.message.split('\n')).toHaveLength(1);
    expect(error.message).not.toContain('long text');
  });

  test.each(['EPERM', 'EACCES'])('%s names the capabilities', (code) => {
    const error = thrown({}, failure(code));
    expect(error.code).toBe('VMN_CAPABILITY');
    expect(error.remedy).toContain('CAP_BPF and CAP_NET_ADMIN');
  });

  test('EACCES of the verifier is the program’s fault, not the user’s', () => {
    expect(thrown({}, failure('EACCES', 'bpf(BPF_PROG_LOAD)')).code).toBe('VMN_BPF_LOAD');
    expect(thrown({}, failure('EPERM', 'bpf(BPF_PROG_LOAD)')).code).toBe('VMN_CAPABILITY');
  });

  test('an errno may mean something of its own to a caller', () => {
    const error = thrown(
      { means: { EBUSY: { code: 'VMN_TAP_IN_USE', remedy: 'stop it' } } },
      failure('EBUSY'),
    );
    expect(error).toMatchObject({ code: 'VMN_TAP_IN_USE', remedy: 'stop it' });
  });

  test('the system call may decide the code', () => {
    const bySyscall = { 'bpf(BPF_PROG_LOAD)': 'VMN_BPF_LOAD' } as const;
    expect(thrown({ bySyscall }, failure('EINVAL', 'bpf(BPF_PROG_LOAD)')).code).toBe('VMN_BPF_LOAD');
    expect(thrown({ bySyscall }, failure('EINVAL')).code).toBe('VMN_BPF_ATTACH');
  });

  test('what is no failure of the addon passes through as it is', () => {
    const mistake = new TypeError('not an IPv4 address');
    expect(thrown({}, mistake)).toBe(mistake);
  });

  test('are told apart by errno', () => {
    expect(failedWith(failure('ENOENT'), 'ESRCH', 'ENOENT')).toBe(true);
    expect(failedWith(failure('ENOENT'), 'ESRCH')).toBe(false);
    expect(failedWith(new Error('ENOENT'), 'ENOENT')).toBe(false);
  });
});

describe('the addon', () => {
  test('that is not built is an error that says what to do', () => {
    expect(() => loadAddon('/nonexistent/vmnet.node')).toThrow(
      expect.objectContaining({ code: 'VMN_NATIVE_MISSING', remedy: expect.stringContaining('make build') }),
    );
  });
});
