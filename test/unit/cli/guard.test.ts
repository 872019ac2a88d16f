import { expect, test } from '@jest/globals';
import { invoke } from './invoke.ts';

/* The command line; what it does is in test/unit/agent/standing-guard.test.ts, and on a real kernel in test/kernel. */
test.each([
  [['guard'], /missing required argument 'action'/],
  [['guard', 'open'], /Allowed choices are apply, show, remove/],
  [['guard', 'apply'], /--managed-interfaces is missing/],
  [['guard', 'apply', '--managed-interfaces', '*'], /'\*' matches more/],
  [
    ['guard', 'apply', '--managed-interfaces', 'vnet*,docker*'],
    /'docker\*' may match interfaces that are no taps/,
  ],
  [['guard', 'apply', '--managed-interfaces', 'vnet*', '--pool', 'x'], /Give a network/],
  [['guard', 'show', '--managed-interfaces', 'vnet*'], /no meaning here/],
  [['guard', 'show', '--force'], /no meaning here/],
  [['guard', 'remove', '--managed-interfaces', 'vnet*'], /no meaning here/],
])('%j is a usage error', async (argv, message) => {
  const { code, stdout, stderr } = await invoke(argv);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});
