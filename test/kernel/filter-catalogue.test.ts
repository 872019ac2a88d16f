import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { filterObject, runCTests } from '../support/c-tests.ts';
import { file, kernel, root } from '../support/requirement.ts';
import { requires, testWhen } from '../support/skip.ts';

// The catalogue of native/test/cases.c through the real eBPF programs: by BPF_PROG_TEST_RUN, and as real frames on a tap
// with the virtio-net headers of a guest, checksum offload and super-frames included. Then the packet corpus, the same way.

const corpusFolder = fileURLToPath(new URL('../support/corpus/cases', import.meta.url));

const needed = [root, kernel(5, 10), file('/dev/net/tun', 'modprobe tun')];
const { test, describe } = requires(...needed);

describe('the catalogue of frames through the eBPF programs', () => {
  if (needed.some(({ met }) => !met)) {
    test('every frame of the catalogue', () => undefined);
    return;
  }
  for (const { name, failure, skipped } of runCTests('vmn_kernel_cases', [filterObject, corpusFolder])) {
    testWhen(skipped === undefined, skipped ?? '', name, () => {
      expect(failure).toBe('');
    });
  }
});
