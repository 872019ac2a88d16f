import { closeSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ensureBpffs } from '../../src/native/bpffs.ts';
import { attachFilter, programTags } from '../../src/native/filter-engine.ts';
import { createTap } from '../../src/native/tap.ts';
import { Lab } from '../../test/support/lab/index.ts';
import { moveInto } from '../../test/support/stage/own-namespace.ts';
import type { Deadline } from '../fleet/deadline.ts';
import type { Told } from '../told.ts';
import { spreadOf } from '../statistics.ts';
import { CrowdedHost } from './crowd.ts';
import type { Effort } from './effort.ts';
import { filterMemory, type FilterMemory } from './filter-memory.ts';

const KILOBYTE = 2 ** 10;

interface Crowd {
  readonly taps: number;
  /** Until all are enforced. */
  readonly ms: number;
}

export interface AttachFigures {
  readonly half: Crowd;
  readonly whole: Crowd;
  /** What the kernel takes to check, load and attach the programs of one tap, ms, tap by tap. */
  readonly loadsMs: readonly number[];
  readonly filter: FilterMemory;
}

/** P21: taps that are wanted at once, from nothing; and P16, what they take. */
export async function measureAttach({ taps, loads }: Effort, deadline: Deadline): Promise<AttachFigures> {
  const half = await measureCrowd(Math.round(taps / 2), deadline);
  const bare = await measureLoads(loads, deadline);
  const whole = await measureCrowd(taps, deadline);
  return { half, whole, ...bare };
}

function measureCrowd(taps: number, deadline: Deadline): Promise<Crowd> {
  deadline.doing(`${String(taps)} taps at once`);
  return CrowdedHost.with(deadline, 'bench-attach', async (host) => ({ taps, ms: await host.attach(taps) }));
}

/** The same programs on taps by themselves: no agent, no pass, no record. */
async function measureLoads(
  loads: number,
  deadline: Deadline,
): Promise<Pick<AttachFigures, 'loadsMs' | 'filter'>> {
  deadline.doing(`${String(loads)} taps by the kernel alone`);
  const lab = await Lab.create('bench-loads');
  try {
    const host = await lab.namespace('host');
    const bpffs = `/sys/fs/bpf/vmnet-b-${String(process.pid)}`;
    lab.undoLater(`rm -rf ${bpffs}`);
    ensureBpffs(bpffs);
    // Whatever libbpf finds out but once is not to be counted.
    programTags();
    const leave = moveInto(host);
    try {
      const loadsMs = Array.from({ length: loads }, (_, at) => timeOfLoad(bpffs, `vmn-bench-${String(at)}`));
      return { loadsMs, filter: await filterMemory(join(bpffs, 'vmn-bench-0')) };
    } finally {
      leave();
    }
  } finally {
    await lab.close();
  }
}

function timeOfLoad(bpffs: string, name: string): number {
  const { fd, ifindex } = createTap(name);
  try {
    const began = performance.now();
    attachFilter(join(bpffs, name), ifindex);
    return performance.now() - began;
  } finally {
    closeSync(fd);
  }
}

export function attachRows({ half, whole, loadsMs }: AttachFigures): Told[] {
  const each = (crowd: Crowd): number => crowd.ms / crowd.taps;
  const load = spreadOf(loadsMs).median;
  return [
    {
      ...{ id: 'each', what: `${String(whole.taps)} taps wanted at once: each, until all are enforced` },
      ...{ unit: 'ms', values: [each(whole)], target: { gate: 10, aim: 3 } },
    },
    {
      ...{ id: 'load', what: 'of it the kernel, which checks and loads the programs', against: 'a bare tap' },
      ...{ unit: 'ms', values: loadsMs },
    },
    {
      ...{
        id: 'share',
        what: 'each, as often as the kernel takes for it',
        against: 'a bare tap',
        unit: 'times',
      },
      ...{ values: loadsMs.map((one) => each(whole) / one) },
      sides: { ours: each(whole), other: load, unit: 'ms' },
    },
    {
      ...{ id: 'growth', what: 'until all are enforced', against: 'half as many', unit: 'times' },
      values: [whole.ms / half.ms],
      sides: { ours: whole.ms / 1000, other: half.ms / 1000, unit: 's' },
      target: { gate: (2.2 * whole.taps) / (2 * half.taps), aim: whole.taps / half.taps },
    },
  ];
}

export function filterRows({ filter: { maps, programs } }: AttachFigures): Told[] {
  return [
    {
      ...{ id: 'filter', what: 'memory of the filter of one more VM', unit: 'KB' },
      ...{ values: [(maps + programs) / KILOBYTE], target: { gate: 64, aim: 16 } },
    },
    { id: 'programs', what: 'of it programs', unit: 'KB', values: [programs / KILOBYTE] },
    {
      id: 'maps',
      what: `of it maps, on ${String(cpus().length)} CPUs`,
      unit: 'KB',
      values: [maps / KILOBYTE],
    },
  ];
}
