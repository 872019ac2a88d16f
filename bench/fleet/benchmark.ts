import { needsControlPlane } from '../../test/support/control-plane/requirement.ts';
import type { Benchmark, Progress, Scope } from '../benchmark.ts';
import type { Row } from '../row.ts';
import { Deadline } from './deadline.ts';
import { FleetRun } from './measure.ts';
import { planFleet, type FleetPlan } from './plan.ts';
import { fleetRows } from './rows.ts';
import type { CalmFigures, FleetFigures } from './figures.ts';

const NODES = 1000;
/** Single changes, one after the other. */
const CHANGES = 21;
/** More than it takes on two cores that do nothing else; a run that got stuck ends. */
const MINUTES = 15;

/** P20: the controller and a fleet, and what twice the fleet costs. */
export const fleetBenchmark: Benchmark = {
  name: 'fleet',
  groups: ['fleet', 'growth', 'rest'],
  missing: () => {
    if (process.platform !== 'linux') return 'what a process costs is read from /proc: run it on Linux';
    const { met, reason } = needsControlPlane('helm');
    return met ? null : reason;
  },
  run: measure,
};

async function measure(commit: string, progress: Progress, { nodes = NODES }: Scope): Promise<Row[]> {
  const deadline = new Deadline(MINUTES, progress, 'fleet', 'a smaller fleet: --nodes 100');
  try {
    const half = await withFleet(planFleet(Math.round(nodes / 2), 0), deadline, measureFleet);
    const { whole, calm } = await withFleet(planFleet(nodes, CHANGES), deadline, measureWhole);
    return fleetRows({ half, whole, calm }, commit);
  } catch (error) {
    // What was interrupted says only that it was; the reason is here.
    deadline.signal.throwIfAborted();
    throw error;
  } finally {
    deadline.close();
  }
}

async function measureFleet(run: FleetRun): Promise<FleetFigures> {
  const figures = await run.measure();
  return { ...figures, resync: await run.measureResync() };
}

async function measureWhole(run: FleetRun): Promise<{ whole: FleetFigures; calm: CalmFigures }> {
  const whole = await measureFleet(run);
  return { whole, calm: await run.measureCalm() };
}

/** A fleet of its own, from nothing, with an API server of its own; nothing is left of it. */
async function withFleet<T>(
  plan: FleetPlan,
  deadline: Deadline,
  measureIt: (run: FleetRun) => Promise<T>,
): Promise<T> {
  const run = await FleetRun.start(plan, deadline);
  let measured: T;
  try {
    await run.populate();
    measured = await measureIt(run);
  } catch (error) {
    // What goes wrong while ending follows from it, and is not the reason.
    await run.stop().catch(() => undefined);
    throw error;
  }
  await run.stop();
  return measured;
}
