import { describe, expect, test } from '@jest/globals';
import { runCTests } from '../support/c-tests.ts';

// The C filter on the host. Its tests are in native/test, where they are compiled with sanitizers; each is shown here
// under its own name.

describe('vmn_verdict_test', () => {
  const tests = runCTests('vmn_verdict_test');

  for (const { name, failure } of tests) {
    test(name, () => {
      expect(failure).toBe('');
    });
  }

  test('every test has a name of its own', () => {
    const names = tests.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('clang agrees, and nothing undefined happens in what it made', () => {
    expect(runCTests('vmn_verdict_trap')).toEqual(tests);
  });
});
