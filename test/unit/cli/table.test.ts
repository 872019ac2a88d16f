import { expect, test } from '@jest/globals';
import { Table } from '../../../src/cli/terminal/table.ts';

test('aligns columns, numbers to the right, and ends no line with spaces', () => {
  const table = new Table([{ heading: 'VM' }, { heading: 'PACKETS', align: 'right' }, { heading: 'STATE' }]);
  const text = table.render([
    ['rental-7f3a', 12, 'Enforced'],
    ['b', 1_000_000_000n, null],
    [undefined, '', 'Denied'],
  ]);
  expect(text).toBe(
    [
      'VM              PACKETS  STATE',
      'rental-7f3a          12  Enforced',
      'b            1000000000  -',
      '-                     -  Denied',
      '',
    ].join('\n'),
  );
});

test('continues in parts under one heading; widths only grow', () => {
  const table = new Table([{ heading: 'A' }, { heading: 'B' }]);
  expect(table.render([['xxx', '1']])).toBe('A    B\nxxx  1\n');
  expect(table.render([['y', '2']])).toBe('y    2\n');
  expect(table.render([['zzzz', '3']])).toBe('zzzz  3\n');
});

test('a table without rows is its heading', () => {
  expect(new Table([{ heading: 'VM' }, { heading: 'TAP' }]).render([])).toBe('VM  TAP\n');
});

test('colours the padded cell, not the heading, and keeps the width', () => {
  const paint = (padded: string, text: string): string => (text === 'drop' ? `<${padded}>` : padded);
  const table = new Table([{ heading: 'VERDICT', paint }, { heading: 'N' }]);
  expect(table.render([['drop', 1]])).toBe('VERDICT  N\n<drop   >  1\n');
});

test('escapes every cell', () => {
  expect(new Table([{ heading: 'VM' }]).render([['a\u001b[2J\nb']])).toBe('VM\na\\x1b[2J\\x0ab\n');
});

test('cells over their limit are cut, at a word where that keeps most of them; what is cut shows', () => {
  const table = new Table([{ heading: 'A', limit: 12 }, { heading: 'B' }]);
  expect(
    table.render([
      ['longwords abcd', 'x'],
      ['onetwothreefour', 'x'],
      ['exactly 12 c', 'x'],
    ]),
  ).toBe(['A             B', 'longwords…    x', 'onetwothree…  x', 'exactly 12 c  x', ''].join('\n'));
});

test('the last column is cut where the line would be too long, but never to nothing', () => {
  const rows = [['a'.repeat(10), 'b'.repeat(40)]];
  expect(new Table([{ heading: 'A' }, { heading: 'B' }], 30).render(rows).split('\n')[1]).toHaveLength(30);
  expect(new Table([{ heading: 'A' }, { heading: 'B' }], 5).render(rows).split('\n')[1]).toMatch(/ b{7}…$/);
});
