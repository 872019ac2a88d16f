import { describe, expect, test } from '@jest/globals';
import type { CalmFigures, FleetFigures } from '../../../../bench/fleet/figures.ts';
import { fleetRows } from '../../../../bench/fleet/rows.ts';
import { cellsOf, headingsOf } from '../../../../bench/report/cells.ts';
import { isMeasured, type Row } from '../../../../bench/row.ts';

const MB = 2 ** 20;

function figures(nodes: number, factor = 1): FleetFigures {
  const phase = (seconds: number, kinds: Record<string, number>) => ({
    ...{ seconds: nodes * seconds * factor, cpuSeconds: nodes * seconds },
    requests: new Map(Object.entries(kinds)),
  });
  const networks = nodes * 10;
  return {
    ...{ nodes, networks, bindByClient: networks * 2, bindByServer: networks * 2 },
    bind: phase(0.1, { 'create a': networks, 'update a/status': networks, 'create events': 7, 'list a': 1 }),
    ready: phase(0.05, { 'update a/status': networks }),
    memory: { peak: (100 + nodes / 10) * MB, resident: 90 * MB, proportional: 80 * MB },
    resync: phase(0.01, { 'list a': nodes }),
  };
}

const change = { boundMs: 12, readMs: 2, writeMs: 3, requests: 3 };
const calm: CalmFigures = {
  rest: {
    ...{ seconds: 30, cpuSeconds: 0.3, heartbeats: 600, leadership: 15 },
    requests: new Map([['create events', 4]]),
  },
  changes: [change, { ...change, boundMs: 15 }, { ...change, requests: 4 }],
};
const measured = { half: figures(50), whole: figures(100), calm };

function row(rows: readonly Row[], id: string): string[] {
  const found = rows.find((one) => one.id === `P20-${id}`);
  if (found === undefined) throw new Error(`no row ${id} among ${rows.map((one) => one.id).join(' ')}`);
  return cellsOf(found);
}

describe('the rows of a fleet', () => {
  const rows = fleetRows(measured, 'abc');

  test('have each id once and a group each', () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(new Set(rows.map(({ group }) => group))).toEqual(new Set(['fleet', 'growth', 'rest']));
  });

  test('say how much, of what, and whether that is little enough', () => {
    const all = '1000 VMNetworks on 100 hosts: time until all are bound';
    expect(row(rows, 'bind-time')).toEqual(['P20', all, '', '10 s', '', '', '', '']);
    expect(row(rows, 'peak').slice(3)).toEqual(['110 MB', '', '≤ 512 MB', '≤ 256 MB', 'ok, aim reached']);
    expect(row(rows, 'each')[3]).toBe('10.2 KB');
    expect(row(rows, 'requests').slice(3, 5)).toEqual(['2000 requests', '2000 : 2000 requests']);
    expect(row(rows, 'rest-cpu')[3]).toBe('1 %');
  });

  test('count Events apart: they come at a rate of their own', () => {
    expect(row(rows, 'requests-bind')[3]).toBe('2 requests');
    expect(row(rows, 'requests-create-a')[3]).toBe('1 requests');
    expect(row(rows, 'rest-requests').slice(2, 4)).toEqual(['1200 heartbeats a minute', '0 a minute']);
    expect(row(rows, 'rest-events')[3]).toBe('8 a minute');
  });

  test('take twice for twice as much, and no more', () => {
    const cells = ['half the fleet', '2x', '10 : 5 s', '≤ 2.2x', '≤ 2x', 'ok, aim reached'];
    expect(row(rows, 'growth-bind-time').slice(2)).toEqual(cells);
    const slower = fleetRows({ ...measured, whole: figures(100, 1.5) }, 'abc');
    expect(row(slower, 'growth-bind-time').slice(3)).toEqual([
      ...['3x', '15 : 5 s', '≤ 2.2x', '≤ 2x'],
      'MISSED',
    ]);
    expect(slower.filter(isMeasured).some(({ pass }) => pass === false)).toBe(true);
  });

  test('judge a single change by the worst, and its time by what a request takes then', () => {
    expect(row(rows, 'change-requests').slice(2)).toEqual([
      ...['the most of 3', '4 requests', '', '≤ 4 requests', '≤ 3 requests', 'ok'],
    ]);
    expect(row(rows, 'change-write').slice(2, 5)).toEqual([
      'one write of one',
      '4x (4 to 4.5, n 3)',
      '12 : 3 ms',
    ]);
    const fifth = { ...calm, changes: [...calm.changes, { ...change, requests: 5 }] };
    expect(row(fleetRows({ ...measured, calm: fifth }, 'abc'), 'change-requests').at(-1)).toBe('MISSED');
  });

  test('are headed without the unit that those of the data path have', () => {
    expect(headingsOf(rows)).toContain('ours : other');
    expect(headingsOf(rows)).not.toContain('ours : other, ns');
  });
});
