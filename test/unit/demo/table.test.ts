import { describe, expect, test } from '@jest/globals';
import { Palette } from '../../../demo/palette.ts';
import type { Line } from '../../../demo/scenario/ledger.ts';
import { renderTable } from '../../../demo/table.ts';

const plain = new Palette(false);

function line(changes: Partial<Line>): Line {
  return {
    step: 'one',
    attempt: 'a',
    expected: 'dropped',
    seen: 'nothing',
    reason: 'Ipv6',
    count: 1,
    faults: [],
    ...changes,
  };
}

describe('the table at the end of the demo', () => {
  test('joins an attempt that came out alike in two steps, counts side by side', () => {
    const text = renderTable([line({}), line({ attempt: 'b' }), line({ step: 'two', count: 3 })], plain);
    expect(text).toContain('· one, then two\na ');
    expect(text).toContain('1 + 3');
    expect(text).toContain('· one\nb ');
  });

  test('keeps an attempt apart that came out differently, and says what is wrong', () => {
    const text = renderTable(
      [line({}), line({ step: 'two', seen: '1 at host', faults: ['arrived: 1 at host'] })],
      plain,
    );
    expect(text.split('\n').filter((row) => row.startsWith('a '))).toHaveLength(2);
    expect(text).toContain('✗ arrived: 1 at host');
  });

  test('has no escape codes without colours, and some with', () => {
    expect(renderTable([line({})], plain)).not.toContain('\x1b');
    expect(renderTable([line({})], new Palette(true))).toContain('\x1b');
  });
});
