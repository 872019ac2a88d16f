import { expect } from '@jest/globals';
import { filterObject, runCTests } from '../support/c-tests.ts';
import { file, kernel, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// The catalogue of native/test/cases.c through the real eBPF programs: by BPF_PROG_TEST_RUN, and as real frames on a tap
// with the virtio-net headers of a guest, checksum offload and super-frames included.

const needed = [root, kernel(6, 6), file('/dev/net/tun', 'modprobe tun')];
const { test, describe } = requires(...needed);

describe('the catalogue of frames through the eBPF programs', () => {
  if (needed.some(({ met }) => !met)) {
    test('every frame of the catalogue', () => undefined);
    return;
  }
  for (const { name, failure } of runCTests('vmn_kernel_cases', [filterObject])) {
    test(name, () => {
      expect(failure).toBe('');
    });
  }
});
