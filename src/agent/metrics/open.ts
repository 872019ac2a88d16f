import { Metrics } from '../../lib/metrics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Kernel } from '../host/kernel.ts';
import type { AgentInfo } from '../status/status.ts';
import { goneCountsOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { AgentMetrics } from './agent-metrics.ts';
import { FilterCounts } from './filter-counts.ts';
import { goneCountsFile } from './gone-counts-file.ts';
import type { PassObserver } from './pass-observer.ts';

export interface MetricsMeans {
  readonly paths: AttachmentPaths;
  readonly info: AgentInfo;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is measured of an agent. */
export interface Measured {
  readonly metrics: Metrics;
  readonly observer: PassObserver;
  /** To be used instead of the one given. */
  readonly kernel: Kernel;
}

/** Reads what an earlier agent left; expects the run folder to be this process's own. */
export function openMetrics({ paths, info, kernel, clock, log }: MetricsMeans): Measured {
  const metrics = new Metrics();
  const bootId = (): string => kernel.readSetting('kernel/random/boot_id') ?? '';
  const file = goneCountsFile(goneCountsOf(paths), bootId);
  const counts = new FilterCounts({ kernel, bpffs: paths.bpffs, file, clock, log });
  const observer = new AgentMetrics({ metrics, info, counts, clock });
  return { metrics, observer, kernel: counts.watched(kernel) };
}
