import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { manual } from '../../../src/cli/manual.ts';
import { ROOT } from './vmnetctl.ts';

test('docs/cli.md is what the commands say of themselves (node src/cli/manual.ts > docs/cli.md)', async () => {
  expect(readFileSync(join(ROOT, 'docs/cli.md'), 'utf8')).toBe(await manual());
});
