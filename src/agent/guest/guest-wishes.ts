import { reasonName } from '../../filter/drop-reason.ts';
import type { ReasonName } from '../../filter/drop-reason.ts';
import type { CounterLine } from '../../native/counters.ts';
import type { AttachmentResult } from '../attachment/rounds.ts';
import type { HostVm } from '../discovery/directory.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { GuestOrder } from './guest-order.ts';
import type { GuestWish, Provisioning } from './provisioning.ts';

/**
 * Which guests are to be told something after a pass: of cards on interfaces of others, whose policy is one of a network that asks for
 * it. A card that is denied is not told anything new; what it was told before it keeps. Those on taps of ours were told by
 * `vmnetctl run`.
 *
 * @param answersOf frames that passed to the card with these pins
 */
export function guestWishes(
  results: readonly AttachmentResult[],
  orders: ReadonlyMap<string, GuestOrder>,
  vms: readonly HostVm[],
  answersOf: (pins: string) => bigint | null,
): GuestWish[] {
  return results.flatMap(({ desired, observed, found, tap: pins }): GuestWish[] => {
    const card = found?.card ?? null;
    const record = observed?.record.state === 'ok' ? observed.record.record : null;
    const order = record === null ? undefined : orders.get(record.tap);
    if (card === null || record === null || order === undefined || desired.want !== 'program') return [];
    const vm = vms.find(({ reported }) => reported.id === card.vmId);
    const process = processOf(vm, card.mac);
    if (vm === undefined || process === null) return [];
    const { name: vmName, uuid = null } = vm.reported;
    return [{ key: record.tap, vmName, uuid, order, process, answers: () => answersOf(pins) }];
  });
}

function processOf(vm: HostVm | undefined, mac: string): TapHolder | null {
  const card = vm?.cards.find((one) => one.mac === mac);
  if (card?.pid == null || card.startTicks === null) return null;
  return { pid: card.pid, startTicks: card.startTicks };
}

/** Reasons of what was judged and came from the endpoint of now; what nobody looked at may be anybody's. */
const FROM_ENDPOINT: ReadonlySet<string> = new Set<ReasonName>(['Allowed', 'AllowedFlow']);

/** Frames of the consumer's endpoint that passed to the guest. */
export function answersIn(lines: readonly CounterLine[]): bigint {
  return lines
    .filter(({ direction, audited, reason }) => {
      return direction === 'to-vm' && !audited && FROM_ENDPOINT.has(reasonName(reason));
    })
    .reduce((sum, { packets }) => sum + packets, 0n);
}

/** The same results, with what is told of guests. */
export function withGuests(
  results: readonly AttachmentResult[],
  guests: Pick<Provisioning, 'stateOf'>,
): AttachmentResult[] {
  return results.map((result) => {
    const record = result.observed?.record;
    const guest = record?.state === 'ok' ? guests.stateOf(record.record.tap) : null;
    return guest === null ? result : { ...result, guest };
  });
}
