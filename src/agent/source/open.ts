import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Kernel } from '../host/kernel.ts';
import type { AgentOptions } from '../options.ts';
import { checkpointOf } from '../wiring/paths.ts';
import type { ProgramTags } from '../wiring/verify.ts';
import { CheckpointFile } from './cluster/checkpoint-file.ts';
import { ManifestSource } from './manifest-source.ts';
import type { OpenSource } from './source.ts';

export interface SourceMeans {
  readonly version: string;
  readonly programTags: ProgramTags;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined: nobody asks for any. */
  readonly metrics: Metrics | undefined;
}

/**
 * The source of the wishes that the command line names. Asks no server yet. Rejects with `ConnectionConfigError`; expects the
 * state folder to be this process's own.
 */
export async function sourceOf(options: AgentOptions, means: SourceMeans): Promise<OpenSource> {
  const { source } = options;
  const checkpoint = new CheckpointFile(checkpointOf(options));
  if (source.kind === 'manifests') {
    // What a cluster once said must not come back when its server is away: something else is enforced from now on.
    checkpoint.discard();
    return (ports) => new ManifestSource(source.dir, ports, options.resyncSeconds * 1000);
  }
  // What it takes to speak to an API server stays out of the memory of a host without one.
  const { clusterSource } = await import('./open-cluster.ts');
  return clusterSource(source, checkpoint, options, means);
}
