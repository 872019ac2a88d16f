/** A thread that looks up all the time while another replaces the list, and says which answers cannot be. */
import { parentPort, workerData } from 'node:worker_threads';
import { EndpointAllowlistReader } from '../../../src/filter/endpoint-allowlist.ts';
import type { SharedEndpoints } from '../../../src/filter/shared-endpoints.ts';
import { constant, ofGeneration, Shared } from './generations.ts';

export interface LookupOrder {
  list: SharedEndpoints;
  shared: Uint32Array;
  lookups: number;
}

export interface LookupReport {
  lookups: number;
  violations: string[];
  /** Lookups during which a replacement began or returned. */
  met: number;
}

const { list, shared, lookups } = workerData as LookupOrder;
const reader = new EndpointAllowlistReader(list);
const report: LookupReport = { lookups: 0, violations: [], met: 0 };

Atomics.add(shared, Shared.RUNNING, 1);
for (let index = 0; index < lookups; index += 1) {
  const returned = Atomics.load(shared, Shared.RETURNED);
  const [what, endpoint] = question(index, returned);
  const allowed = reader.allows(endpoint);
  const begun = Atomics.load(shared, Shared.BEGUN);

  report.lookups += 1;
  if (begun !== returned) report.met += 1;
  const wrong = {
    constant: !allowed,
    mixed: allowed,
    old: allowed,
    current: !allowed && begun === returned,
    next: allowed && begun <= returned,
  }[what];
  if (wrong && report.violations.length < 20)
    report.violations.push(
      `${what} ${endpoint.address.toString()}:${endpoint.port} in ${returned}..${begun}`,
    );
}
Atomics.add(shared, Shared.DONE, 1);
parentPort?.postMessage(report);

function question(index: number, returned: number) {
  switch (index % 5) {
    case 0:
      return ['constant', constant(index)] as const;
    case 1: // an address of one generation, the port of the next
      return ['mixed', ofGeneration(returned + (index % 3), returned + 1 + (index % 3))] as const;
    case 2: // its replacement has returned: refused at once
      return ['old', ofGeneration(returned - 1)] as const;
    case 3:
      return ['current', ofGeneration(returned)] as const;
    default:
      return ['next', ofGeneration(returned + 1)] as const;
  }
}
