import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { poll } from '../../test/support/lab/index.ts';
import type { Deadline } from '../fleet/deadline.ts';
import { cpuSecondsOf, memoryOf } from '../fleet/process-cost.ts';
import { spreadOf } from '../statistics.ts';
import type { Told } from '../told.ts';
import { CrowdedHost } from './crowd.ts';
import type { Effort } from './effort.ts';

const MEGABYTE = 2 ** 20;
const KILOBYTE = 2 ** 10;
/** When Node has read its own modules and waits. */
const NODE_IDLE_MS = 1500;

/** At rest. */
interface Rest {
  readonly resident: number;
  readonly proportional: number;
  /** Of one core, over the time of rest. */
  readonly cpuShare: number;
}

export interface FootprintFigures {
  readonly vms: number;
  /** Node and the agent in turn, bytes that are resident. */
  readonly starts: readonly { readonly node: number; readonly agent: number }[];
  readonly empty: Rest;
  /** Beside half of the VMs, rounded down. */
  readonly half: Rest;
  readonly full: Rest;
}

/** P17: what an agent takes while nothing happens. */
export async function measureFootprint(
  { vms, settleMs, restMs, starts }: Effort,
  deadline: Deadline,
): Promise<FootprintFigures> {
  const pairs: { node: number; agent: number }[] = [];
  for (let round = 1; round < starts; round += 1) {
    deadline.doing(`an agent at rest, start ${String(round)} of ${String(starts)}`);
    const node = await residentOfNode(deadline.signal);
    const agent = await CrowdedHost.with(deadline, 'bench-rest', async ({ pid }) => {
      await pause(settleMs, undefined, { signal: deadline.signal });
      return memoryOf(pid).resident;
    });
    pairs.push({ node, agent });
  }
  deadline.doing(`an agent at rest, and with ${String(vms)} VMs`);
  const node = await residentOfNode(deadline.signal);
  return CrowdedHost.with(deadline, 'bench-rest', async (host) => {
    const rest = (): Promise<Rest> => restOf(host.pid, settleMs, restMs, deadline.signal);
    const empty = await rest();
    await host.attach(halfOf(vms));
    const half = await rest();
    await host.attach(vms);
    const full = await rest();
    return { vms, starts: [...pairs, { node, agent: empty.resident }], empty, half, full };
  });
}

function halfOf(vms: number): number {
  return Math.floor(vms / 2);
}

async function restOf(pid: number, settleMs: number, restMs: number, signal: AbortSignal): Promise<Rest> {
  await pause(settleMs, undefined, { signal });
  const [cpuBefore, began] = [cpuSecondsOf(pid), performance.now()];
  await pause(restMs, undefined, { signal });
  const seconds = (performance.now() - began) / 1000;
  const { resident, proportional } = memoryOf(pid);
  return { resident, proportional, cpuShare: (cpuSecondsOf(pid) - cpuBefore) / seconds };
}

/** Node with nothing to do. */
async function residentOfNode(signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e9)'], { stdio: 'ignore' });
  try {
    const pid = await poll('a process of Node', () => child.pid);
    await pause(NODE_IDLE_MS, undefined, { signal });
    return memoryOf(pid).resident;
  } finally {
    child.kill('SIGKILL');
  }
}

export function footprintRows({ vms, starts, empty, half, full }: FootprintFigures): Told[] {
  const median = (of: (start: { node: number; agent: number }) => number): number =>
    spreadOf(starts.map(of)).median / MEGABYTE;
  const percent = (id: string, what: string, { cpuShare }: Rest): Told => ({
    ...{ id, what, unit: '%', values: [cpuShare * 100] },
  });
  return [
    {
      ...{
        id: 'node',
        what: 'an agent at rest, without VMs: more resident memory',
        against: 'Node by itself',
      },
      ...{ unit: 'MB', values: starts.map(({ node, agent }) => (agent - node) / MEGABYTE) },
      sides: { ours: median(({ agent }) => agent), other: median(({ node }) => node), unit: 'MB' },
      target: { gate: 45, aim: 25 },
    },
    {
      ...{
        id: 'vm',
        what: `with ${String(vms)} VMs: more of it for each`,
        against: 'with half as many',
        unit: 'KB',
      },
      values: [(full.resident - half.resident) / (vms - halfOf(vms)) / KILOBYTE],
      sides: { ours: full.resident / MEGABYTE, other: half.resident / MEGABYTE, unit: 'MB' },
      target: { gate: 10, aim: 5 },
    },
    {
      ...{
        id: 'first',
        what: `with the first ${String(halfOf(vms))} VMs: more of it in all`,
        against: 'without VMs',
        unit: 'MB',
      },
      values: [(half.resident - empty.resident) / MEGABYTE],
      sides: { ours: half.resident / MEGABYTE, other: empty.resident / MEGABYTE, unit: 'MB' },
    },
    {
      id: 'pss',
      what: `with ${String(vms)} VMs: its own (PSS)`,
      unit: 'MB',
      values: [full.proportional / MEGABYTE],
    },
    percent('cpu', 'CPU without VMs, of one core', empty),
    percent('cpu-full', `CPU with ${String(vms)} VMs, of one core`, full),
  ];
}
