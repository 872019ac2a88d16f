import { poll } from '../../test/support/lab/index.ts';
import { describe, type Arrival } from './arrivals.ts';
import { readCounts, since, type Counts } from './counters.ts';
import type { FarEndName } from './far-end.ts';
import { ask } from './guest-script.ts';
import { FLOW_PORT } from './inbound.ts';
import type { Line } from './ledger.ts';
import type { Subject } from './trial.ts';
import type { World } from './world.ts';

const ANSWER_WAIT_MS = 3_000;

export interface Handshake {
  step: string;
  attempt: string;
  /** Who answers. */
  at: FarEndName;
  endpoint: { address: string; port: number };
}

/**
 * A handshake that must be answered, arrive at one far end only, and be counted as allowed once each way.
 */
export async function mustReach(
  { step, attempt, at, endpoint }: Handshake,
  { guest, pinDir, watchedAs }: Subject,
  world: World,
): Promise<Line> {
  const before = { from: readCounts(pinDir, 'from-vm'), to: readCounts(pinDir, 'to-vm') };
  const { code, output } = await guest.run(ask(endpoint.address, endpoint.port, ANSWER_WAIT_MS, FLOW_PORT));
  const arrived: Arrival[] = [];
  const there = async (): Promise<boolean> => {
    arrived.push(...(await world.newArrivals()));
    return arrived.some((arrival) => arrival.at === at);
  };
  await poll('an arrival', there, { deadlineMs: 1_000 }).catch(() => undefined);
  const moved = {
    from: since(before.from, readCounts(pinDir, 'from-vm')),
    to: since(before.to, readCounts(pinDir, 'to-vm')),
  };
  const out = moved.from.get('Allowed') ?? 0;
  const back = moved.to.get('Allowed') ?? 0;

  const faults: string[] = [];
  if (code !== 0) faults.push(`not answered: ${output.trim()}`);
  if (out !== 1 || back !== 1)
    faults.push(`${inWords(moved.from)} out, ${inWords(moved.to)} in; one frame each way expected`);
  const elsewhere = arrived.filter((arrival) => ![at, watchedAs, 'internet', 'host'].includes(arrival.at));
  if (elsewhere.length > 0) faults.push(`arrived elsewhere too: ${describe(elsewhere)}`);
  const frames = arrived
    .filter((arrival) => arrival.at === at)
    .reduce((sum, arrival) => sum + arrival.frames, 0);
  if (frames !== 1) faults.push(`${String(frames)} frames at ${at}, 1 expected`);
  const seen = `${String(frames)} at ${at}${code === 0 ? ', answered' : ''}`;
  return { step, attempt, expected: 'answered', seen, reason: 'Allowed', count: out, faults };
}

function inWords(counts: Counts): string {
  if (counts.size === 0) return 'nothing';
  return [...counts].map(([reason, count]) => `${String(count)} ${reason}`).join(', ');
}
