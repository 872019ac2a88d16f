import { expect } from '@jest/globals';
import { ADDON_PATH } from '../../../../src/native/addon.ts';
import { file } from '../../../support/requirement.ts';
import { requires } from '../../../support/skip.ts';
import { explainPage } from './examples.ts';

requires(file(ADDON_PATH, 'make build')).test(
  'docs/explain.md shows what explain says (node test/unit/cli/explain/examples.ts)',
  async () => {
    const { written, rendered } = await explainPage();
    expect(written).toBe(rendered);
    expect(rendered.match(/^\$ vmnetctl/gm)?.length).toBeGreaterThan(2);
    for (const line of rendered.split('\n').filter((text) => /^ *\d+ {2}(from|to)-vm/.test(text)))
      expect(line.length).toBeLessThanOrEqual(120);
  },
);
