import type { Problem } from '../../api/manifest.ts';
import type { FilterEvent } from '../../native/filter-engine.ts';
import type { PassResult } from '../attachment/pass.ts';
import type { VmDirectory } from '../discovery/directory.ts';
import type { AgentStatus } from '../status/status.ts';
import type { HostView, Wanted } from './wanted.ts';

/**
 * Where the wishes come from, and where is told what became of them. The rest of the agent does not know which it is.
 * But for `close`, nothing here may throw or wait.
 */
export interface IntentSource {
  /** What cannot be had is a problem in `wanted()`. */
  start(): void;
  /** What is wanted on this host now. Asked at the beginning of each pass, and pure but for what it remembers of the answer. */
  wanted(host: HostView): Wanted;
  /** The outcome of a pass that ended, with what it was asked for. What is to be published is published later. */
  passed(status: AgentStatus, result: PassResult): void;
  /** A pass failed as a whole: nothing is known to hold until the next one that ends. */
  failed(problem: Problem): void;
  /** A frame of the network card that has these pins broke a rule, now. Evidence for people; comes often. */
  violated(pins: string, event: FilterEvent): void;
  /** Nothing is asked of the source afterwards. Idempotent. */
  close(): Promise<void>;
}

/** What the agent offers its source. */
export interface SourcePorts {
  /** The answer of `wanted()` changed. */
  readonly onChange: () => void;
  /** How long a pass has been due or under way, ms; 0 while none is. */
  readonly overdueMs: () => number;
  readonly vms: VmDirectory;
}

export type OpenSource = (ports: SourcePorts) => IntentSource;
