/**
 * The benchmark of the agent measures what it says, and leaves nothing. Figures are of no interest here, so there is little of
 * everything.
 */
import { expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { agentBenchmark, measureAgent } from '../../bench/agent/benchmark.ts';
import { isMeasured } from '../../bench/row.ts';
import { mustRun } from '../support/lab/index.ts';
import { executable } from '../support/requirement.ts';
import { CLUSTER_NEEDS } from '../support/stage/cluster-needs.ts';
import { requires } from '../support/skip.ts';

const EFFORT = { taps: 4, vms: 2, settleMs: 200, restMs: 200, starts: 1, changes: 2, loads: 1 };

requires(...CLUSTER_NEEDS, executable('bpftool')).describe('make bench-agent', () => {
  test('measures every row of its own, and leaves no namespace and no pin', async () => {
    const own = async (): Promise<string[]> => [
      ...(await mustRun(['ip', 'netns', 'list']))
        .split('\n')
        .filter((name) => name.includes(`-${process.pid}-`)),
      ...readdirSync('/sys/fs/bpf').filter((name) => name.includes(`-${process.pid}`)),
    ];
    const rows = await measureAgent(EFFORT, 'test', () => undefined);
    expect(rows.every(isMeasured)).toBe(true);
    const numbers = new Set(rows.map(({ number }) => number));
    expect([...numbers].sort()).toEqual(['P16', 'P17', 'P18', 'P19', 'P21']);
    expect(new Set(rows.map(({ group }) => group))).toEqual(new Set(agentBenchmark.groups));
    // What the targets are about has its gate and aim.
    const gated = rows.filter(({ gate }) => gate !== null).map(({ id }) => id);
    expect(gated.sort()).toEqual(
      ['P16-filter', 'P17-node', 'P17-vm', 'P18-p50', 'P18-p99', 'P19-p50', 'P21-each', 'P21-growth'].sort(),
    );
    expect(await own()).toEqual([]);
  }, 300_000);
});
