import { poll } from '../../test/support/lab/index.ts';
import type { Guest } from '../../test/support/guest/index.ts';
import { describe, type Arrival } from './arrivals.ts';
import type { Attempt } from './attempt.ts';
import type { InboundAttempt } from './inbound.ts';
import type { Line } from './ledger.ts';
import { receivedBy } from './tenant.ts';
import type { World } from './world.ts';

const ARRIVAL_DEADLINE_MS = 3_000;

/**
 * The opposite of tryInVain, for a guest that nothing guards: the attempt must arrive where it aims. It proves that the far
 * ends would see an escape, and that the attempt is a real one.
 */
export async function trySuccessfully(attempt: Attempt, guest: Guest, world: World): Promise<Line> {
  const { output } = await guest.run(attempt.script);
  const arrived: Arrival[] = [];
  const there = async (): Promise<boolean> => {
    arrived.push(...(await world.newArrivals()));
    return arrived.some(({ at }) => at === attempt.reaches);
  };
  const reached = await poll('an arrival', there, { deadlineMs: ARRIVAL_DEADLINE_MS }).catch(() => false);
  return {
    step: 'without a filter',
    attempt: `${attempt.group}: ${attempt.title}`,
    expected: `arrives at ${attempt.reaches}`,
    seen: arrived.length === 0 ? 'nothing' : describe(arrived),
    reason: '',
    count: null,
    faults: reached ? [] : [`never arrived at ${attempt.reaches}; the guest said: ${output.trim()}`],
  };
}

/** The opposite of tryInboundInVain: what somebody outside sends must arrive at the guest's network card. */
export async function trySuccessfullyInbound(
  attempt: InboundAttempt,
  tap: string,
  guest: Guest,
  world: World,
): Promise<Line> {
  const before = await receivedBy(guest);
  await attempt.send(world, tap);
  let received = 0;
  const there = async (): Promise<boolean> => {
    received = (await receivedBy(guest)) - before;
    return received > 0;
  };
  const reached = await poll('an arrival', there, { deadlineMs: ARRIVAL_DEADLINE_MS }).catch(() => false);
  return {
    step: 'without a filter',
    attempt: `Inbound: ${attempt.title}`,
    expected: 'arrives at the VM',
    seen: `${String(received)} at the VM`,
    reason: '',
    count: null,
    faults: reached ? [] : ['never arrived at the VM'],
  };
}
