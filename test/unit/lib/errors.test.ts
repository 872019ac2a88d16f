import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ERRORS, VmnError, isVmnError } from '../../../src/lib/errors.ts';

const documented = readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8')
  .split(/^## /m)
  .slice(1);

test('every code is documented and every documented code exists', () => {
  expect(documented.map((section) => section.split('\n', 1)[0])).toEqual(Object.keys(ERRORS));
});

test('every section says when and what to do', () => {
  for (const section of documented)
    expect(section).toMatch(/^VMN_[A-Z_]+\n\n[A-Z`].+\n\n\*\*What to do:\*\* \S.+\n/);
});

test('an error says what, on what, why, and what to do', () => {
  const cause = new Error('EPERM');
  const error = new VmnError('VMN_TAP_IN_USE', { attempted: 'open the tap', on: 'vmn-0123456789', cause });
  expect(error).toMatchObject({
    name: 'VmnError',
    code: 'VMN_TAP_IN_USE',
    attempted: 'open the tap',
    on: 'vmn-0123456789',
    remedy: ERRORS.VMN_TAP_IN_USE.remedy,
    cause,
    message: 'cannot open the tap (vmn-0123456789): the tap device is held by another process: EPERM',
  });
  expect(new VmnError('VMN_USAGE', { attempted: 'x', remedy: 'do y' })).toMatchObject({
    remedy: 'do y',
    message: 'cannot x: the command line is not understood',
  });
});

test('errors are told apart', () => {
  const error: unknown = new VmnError('VMN_USAGE', { attempted: 'x' });
  expect([
    isVmnError(error),
    isVmnError(error, 'VMN_USAGE'),
    isVmnError(error, 'VMN_NETLINK'),
    isVmnError(new Error('x')),
    isVmnError(null),
  ]).toEqual([true, true, false, false, false]);
});
