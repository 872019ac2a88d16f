import { setTimeout as pause } from 'node:timers/promises';
import { countsOf, isOfLeadership, type AuditLog } from './audit-log.ts';
import type { Rest } from './figures.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Subject } from './subject.ts';

/** Six heartbeats of each host. */
const REST_MS = 60_000;

/** Nothing but time passes, and Leases are renewed. */
export async function measureRest(
  subject: Subject,
  audit: AuditLog,
  heartbeats: Heartbeats,
  signal: AbortSignal,
): Promise<Rest> {
  audit.skip();
  const before = subject.mark();
  const written = heartbeats.written;
  await pause(REST_MS, undefined, { signal });
  const after = subject.mark();
  const requests = audit.read();
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    heartbeats: heartbeats.written - written,
    leadership: requests.filter(isOfLeadership).length,
    requests: countsOf(requests.filter((request) => !isOfLeadership(request))),
  };
}
