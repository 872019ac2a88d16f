import { FlowTable } from './flow-table.ts';
import { RateLimiter } from './rate-limiter.ts';
import { TunnelWatch } from './tunnel-watch.ts';
import { ViolationWindow } from './violation-window.ts';

/** What the filter of one VM remembers from frame to frame, whatever its policy. */
export interface FilterMemory {
  readonly flows: FlowTable;
  readonly limiter: RateLimiter;
  readonly violations: ViolationWindow;
  readonly tunnel: TunnelWatch;
}

export function newFilterMemory(): FilterMemory {
  return {
    flows: new FlowTable(),
    limiter: new RateLimiter(),
    violations: new ViolationWindow(),
    tunnel: new TunnelWatch(),
  };
}
