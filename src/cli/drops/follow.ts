import { setTimeout as delay } from 'node:timers/promises';
import type { DropEvent } from '../../agent/status/status.ts';
import type { Clock } from '../../lib/clock.ts';
import { isVmnError } from '../../lib/errors.ts';
import { type FrameCount, increases } from './counter-table.ts';

/** One line of `vmnetctl drops -f`. From the agent: a frame. From the counters: how many more there are. */
export interface FollowedDrop {
  /** ISO 8601. */
  readonly time: string;
  readonly vm: string;
  readonly direction: 'from-vm' | 'to-vm';
  readonly reason: string;
  /** The frame passed all the same: the policy is on Audit. */
  readonly audited: boolean;
  /** `violations`: the frame with which the VM reached the threshold of its policy. */
  readonly kind: 'drop' | 'violations';
  readonly summary: string;
}

export interface FollowPorts {
  readonly clock: Clock;
  /** The agent's events until it ends or `signal`; throws VMN_AGENT_UNREACHABLE. */
  events(signal: AbortSignal): AsyncIterable<DropEvent>;
  counts(): FrameCount[];
  /** Told when the source changes. */
  note(text: string): void;
}

const POLL_INTERVAL_MS = 1000;
/** While polling, the agent is asked again this often. */
const POLLS_PER_ATTEMPT = 5;

/**
 * Dropped frames as they come, until `signal`: from the agent's events as long as there is an agent, else from the
 * kernel's counters once a second.
 */
export async function* followDrops(
  ports: FollowPorts,
  signal: AbortSignal,
): AsyncGenerator<FollowedDrop, void, undefined> {
  let polling = false;
  let before: FrameCount[] = [];
  while (!signal.aborted) {
    try {
      for await (const event of ports.events(signal)) {
        if (polling) ports.note('the agent answers again: following its events');
        polling = false;
        yield { ...event, audited: event.audited ?? false, kind: event.kind ?? 'drop' };
      }
    } catch (error) {
      if (!isVmnError(error, 'VMN_AGENT_UNREACHABLE')) throw error;
    }
    if (signal.aborted) return;
    if (!polling) {
      ports.note('no agent answers: following the counters of the kernel');
      before = ports.counts();
      polling = true;
    }
    for (let poll = 0; poll < POLLS_PER_ATTEMPT && !signal.aborted; poll++) {
      await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      const now = ports.counts();
      yield* increases(before, now).map((count) => countedDrop(count, ports.clock));
      before = now;
    }
  }
}

function countedDrop(
  { vm, direction, reason, audited, packets, bytes }: FrameCount,
  clock: Clock,
): FollowedDrop {
  const summary = `${packets} more frames, ${bytes} bytes`;
  return { time: clock.now().toISOString(), vm, direction, reason, audited, kind: 'drop', summary };
}
