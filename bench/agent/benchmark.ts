import { needsControlPlane } from '../../test/support/control-plane/requirement.ts';
import { executable, file, kernel, root } from '../../test/support/requirement.ts';
import type { Benchmark, Progress } from '../benchmark.ts';
import { Deadline } from '../fleet/deadline.ts';
import type { Group, Row } from '../row.ts';
import { rowOf, type Told } from '../told.ts';
import { attachRows, filterRows, measureAttach } from './attach.ts';
import { effortFor, type Effort } from './effort.ts';
import { footprintRows, measureFootprint } from './footprint.ts';
import { appliedRows, measureReaction, movedRows } from './reaction.ts';

/** A run that got stuck ends. */
const MINUTES = 12;

const NEEDS = [
  root,
  kernel(6, 6),
  file('/dev/net/tun', 'modprobe tun'),
  ...['ip', 'nft', 'bpftool'].map(executable),
  needsControlPlane('helm'),
];

/** P16 to P19 and P21: what the agent costs a host, and how soon it acts. */
export const agentBenchmark: Benchmark = {
  name: 'agent',
  groups: ['attach', 'footprint', 'reaction'],
  missing: () => NEEDS.find(({ met }) => !met)?.reason ?? null,
  run: (commit, progress, scope) => measureAgent(effortFor(scope), commit, progress),
};

export async function measureAgent(effort: Effort, commit: string, progress: Progress): Promise<Row[]> {
  const deadline = new Deadline(MINUTES, progress, 'agent', 'fewer taps: --taps 100');
  const rows = (group: Group, number: string, told: readonly Told[]): Row[] =>
    told.map((one) => rowOf(group, number, one, commit));
  try {
    // First what is of the quiet, before the machine is warm from a thousand taps.
    const footprint = await measureFootprint(effort, deadline);
    const reaction = await measureReaction(effort, deadline);
    const attach = await measureAttach(effort, deadline);
    return [
      ...rows('attach', 'P21', attachRows(attach)),
      ...rows('footprint', 'P16', filterRows(attach)),
      ...rows('footprint', 'P17', footprintRows(footprint)),
      ...rows('reaction', 'P18', appliedRows(reaction)),
      ...rows('reaction', 'P19', movedRows(reaction)),
    ];
  } catch (error) {
    // What was interrupted says only that it was; the reason is here.
    deadline.signal.throwIfAborted();
    throw error;
  } finally {
    deadline.close();
  }
}
