import { expect } from '@jest/globals';
import { readTranscript } from '../../scripts/kernel-matrix/transcript.ts';
import { runNative } from '../support/c-tests.ts';
import { file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// The same program that the matrix runs in other kernels, on the one that is here.

const needed = [root, file('/dev/net/tun', 'modprobe tun')];
const { test, describe } = requires(...needed);

describe('the loader on this kernel', () => {
  if (needed.some(({ met }) => !met)) {
    test('[EB-1] attaches, updates and removes the filter', () => undefined);
    return;
  }
  const text = runNative('vmn_kernel_matrix');
  const loader = readTranscript(`begin loader\n${text}end loader 0\n`).programs.get('loader');

  for (const { name, failure } of loader?.checks ?? []) {
    test(name, () => {
      expect(failure).toBe('');
    });
  }

  test('every check was made', () => {
    expect(loader?.checks.map(({ key }) => key)).toEqual(
      expect.arrayContaining(['load', 'attach', 'read-back', 'update', 'removal']),
    );
  });
});
