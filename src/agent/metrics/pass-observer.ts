import type { PassResult } from '../attachment/pass.ts';
import type { AgentStatus } from '../status/status.ts';

/** What watches the passes of an agent. Nothing here may throw or wait. */
export interface PassObserver {
  began(): void;
  passed(status: AgentStatus, result: PassResult): void;
  /** A pass failed as a whole; `status`, null before the first that did not, says so too. */
  failed(status: AgentStatus | null): void;
}
