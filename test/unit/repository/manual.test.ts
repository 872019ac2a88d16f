import { describe, expect, test } from '@jest/globals';
import { documentedController, manual } from '../../../scripts/generate-manual.ts';
import { textOf } from './source-files.ts';

test('docs/cli.md is what the commands say of themselves (node scripts/generate-manual.ts > docs/cli.md)', () => {
  expect(textOf('docs/cli.md')).toBe(manual());
});

test.each(['vmnetctl', 'vmnet-agent', 'vmnet-controller'])('%s says what its exit codes mean', (name) => {
  const [, help = ''] = textOf('docs/cli.md').split(`\n## ${name}\n`);
  expect(exitCodesIn(help.split('\n```\n')[0] ?? '').map(([code]) => code)).toEqual(['0', '1', '2', '3']);
});

describe('docs/controller.md', () => {
  const page = textOf('docs/controller.md');

  test('lists every option of vmnet-controller, with its default', () => {
    const listed = [...page.matchAll(/^\| `(--[\w-]+)` \| ([^|]+) \|/gm)];
    const command = documentedController();
    const options = command.options.filter(({ long }) => long !== '--version');
    expect(listed.map(([, name]) => name)).toEqual(options.map(({ long }) => long));
    for (const { long, defaultValue, defaultValueDescription } of options) {
      if (defaultValue === undefined || long === '--identity') continue;
      const [, , cell = ''] = listed.find(([, name]) => name === long) ?? [];
      const last = cell.replaceAll('`', '').split(', ').at(-1);
      expect([long, last]).toEqual([long, defaultValueDescription ?? String(defaultValue)]);
    }
  });

  test('says of the exit codes what --help says', () => {
    const listed = [...page.matchAll(/^\| (\d) \| (.+) \|$/gm)].map(([, code, says]) => [code, says]);
    const [, help = ''] = textOf('docs/cli.md').split('\n## vmnet-controller\n');
    expect(listed).toEqual(exitCodesIn(help));
  });
});

function exitCodesIn(help: string): (string | undefined)[][] {
  return [...help.matchAll(/^ {2}(\d) {2}(.+)$/gm)].map(([, code, says]) => [code, says]);
}
