/**
 * Tests that need something a machine may not have. A skip is never silent: its reason becomes part of the title,
 * where `make test` reads it, lists it and counts it. With CI=true a skip is a failure unless it is optional.
 *
 *     testWhen(isRoot(), 'needs root', '[ID] attaches by tcx link', async () => { ... });
 *
 *     const { test, describe } = requires(root, executable('qemu-system-x86_64'));
 *     test('[ID] boots a guest', async () => { ... });
 */
import { describe as jestDescribe, test as jestTest } from '@jest/globals';

export interface Requirement {
  met: boolean;
  /** What is missing and how to get it, e.g. `needs root: sudo make test-kernel`. */
  reason: string;
  /** An optional peer: skipping it is listed and counted but no failure, in CI neither. */
  optional?: boolean;
}

export type TestBody = () => void | Promise<void>;

/** The part of a title that carries the reason; scripts/testing/skip-reason.ts reads it back. */
export function skippedTitle(title: string, requirement: Requirement): string {
  return `${title} [skipped${requirement.optional === true ? ', optional' : ''}: ${requirement.reason}]`;
}

/** Runs the test when the condition holds, else skips it with the reason. `timeoutMs` replaces the tier's. */
export function testWhen(
  met: boolean,
  reason: string,
  title: string,
  body: TestBody,
  timeoutMs?: number,
): void {
  requires({ met, reason }).test(title, body, timeoutMs);
}

/** The same for a whole block: every test in it is skipped, each with the reason. */
export function describeWhen(met: boolean, reason: string, title: string, body: () => void): void {
  requires({ met, reason }).describe(title, body);
}

/** `test` and `describe` that skip, naming the first requirement that is not met. */
export function requires(...requirements: readonly Requirement[]): {
  test: (title: string, body: TestBody, timeoutMs?: number) => void;
  describe: (title: string, body: () => void) => void;
} {
  const missing = requirements.find((requirement) => !requirement.met);
  if (missing === undefined) {
    return {
      test: (title, body, timeoutMs) => jestTest(title, body, timeoutMs),
      describe: (title, body) => jestDescribe(title, body),
    };
  }
  return {
    test: (title, body) => jestTest.skip(skippedTitle(title, missing), body),
    describe: (title, body) => jestDescribe.skip(skippedTitle(title, missing), body),
  };
}
