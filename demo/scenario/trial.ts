import type { Guest } from '../../test/support/guest/index.ts';
import { poll } from '../../test/support/lab/index.ts';
import type { Direction } from '../../src/native/filter-engine.ts';
import { describe } from './arrivals.ts';
import type { Attempt } from './attempt.ts';
import { readCounts, since, type Counts } from './counters.ts';
import type { FarEndName } from './far-end.ts';
import type { InboundAttempt } from './inbound.ts';
import type { Line } from './ledger.ts';
import { receivedBy } from './tenant.ts';
import type { World } from './world.ts';

/** A guest behind the filter. */
export interface Subject {
  guest: Guest;
  tap: string;
  /** The far end that this guest is to the other one; its own traffic arrives there too. */
  watchedAs: FarEndName | null;
  /** Where the programs and counters of its tap are pinned. */
  pinDir: string;
  /** What the guest calls its network card; eth0 without a word. */
  card?: string;
}

/** The guest's frames pass QEMU's queue before they are counted. */
const COUNT_DEADLINE_MS = 5_000;
/** Not a drop and not a way out: the filter's own answer to the guest's question for its gateway. */
const ANSWERED = 'ArpAnswered';

/** Lets the guest try something that must not succeed, and holds far ends and counters against what is expected. */
export async function tryInVain(
  step: string,
  attempt: Attempt,
  { guest, pinDir, watchedAs }: Subject,
  world: World,
): Promise<Line> {
  const before = readCounts(pinDir, 'from-vm');
  const { code, output } = await guest.run(attempt.script);
  const counted = await settled(attempt.drops, pinDir, 'from-vm', before);
  const arrived = (await world.newArrivals()).filter(({ at }) => at !== watchedAs);

  const faults = countFaults(attempt.drops, counted, attempt.repeats);
  if (arrived.length > 0) faults.push(`arrived: ${describe(arrived)}`);
  // Sending works (raw, udp) or the guest waits in vain (all others): anything else means that nothing was tried.
  if (code > 1) faults.push(`the guest could not try it: ${output.trim()}`);
  return {
    step,
    attempt: `${attempt.group}: ${attempt.title}`,
    expected: 'dropped',
    seen: arrived.length === 0 ? 'nothing' : describe(arrived),
    reason: Object.keys(attempt.drops).join(', '),
    count: total(attempt.drops, counted),
    faults,
  };
}

/** Lets somebody outside try to send something to the guest; its own network card says whether it came. */
export async function tryInboundInVain(
  step: string,
  attempt: InboundAttempt,
  subject: Subject,
  world: World,
): Promise<Line> {
  const { guest, tap, pinDir, card } = subject;
  const before = readCounts(pinDir, 'to-vm');
  const receivedBefore = await receivedBy(guest, card);
  await attempt.send(world, tap);
  const counted = await settled(attempt.drops, pinDir, 'to-vm', before);
  const received = (await receivedBy(guest, card)) - receivedBefore;
  await world.newArrivals(); // what the host told the sender, such as "port unreachable", is no concern of ours

  const faults = countFaults(attempt.drops, counted, false);
  if (received !== 0) faults.push(`the guest received ${String(received)} frames`);
  return {
    step,
    attempt: `Inbound: ${attempt.title}`,
    expected: 'dropped',
    seen: received === 0 ? 'nothing' : `${String(received)} at the VM`,
    reason: attempt.by,
    count: Object.keys(attempt.drops).length === 0 ? null : total(attempt.drops, counted),
    faults,
  };
}

/** What moved, once it shows at least what is expected, or at the deadline. */
async function settled(
  expected: Readonly<Record<string, number>>,
  pinDir: string,
  direction: Direction,
  before: Counts,
): Promise<Counts> {
  let counted = since(before, readCounts(pinDir, direction));
  const complete = (): boolean => {
    counted = since(before, readCounts(pinDir, direction));
    return Object.entries(expected).every(([reason, count]) => (counted.get(reason) ?? 0) >= count);
  };
  await poll('the counters', complete, { deadlineMs: COUNT_DEADLINE_MS, everyMs: 5 }).catch(() => undefined);
  return counted;
}

function countFaults(
  expected: Readonly<Record<string, number>>,
  counted: Counts,
  repeats: boolean,
): string[] {
  const faults: string[] = [];
  for (const [reason, frames] of Object.entries(expected)) {
    const count = counted.get(reason) ?? 0;
    if (count < frames || (count > frames && !repeats)) {
      faults.push(`${reason}: ${String(count)} frames counted, ${String(frames)} expected`);
    }
  }
  for (const [reason, count] of counted) {
    if (!(reason in expected) && reason !== ANSWERED)
      faults.push(`not expected: ${String(count)} times ${reason}`);
  }
  return faults;
}

function total(expected: Readonly<Record<string, number>>, counted: Counts): number {
  return Object.keys(expected).reduce((sum, reason) => sum + (counted.get(reason) ?? 0), 0);
}
