import { isVmnError } from '../../lib/errors.ts';
import { encodePolicy } from '../../native/policy-abi.ts';
import type { Policy } from '../../native/policy-abi.ts';
import { ensureClosedTap, isClaimAlive } from '../wiring/closed-tap.ts';
import type { ClosedTapPorts } from '../wiring/closed-tap.ts';
import { retire } from '../wiring/beside.ts';
import { ownerOfAlias } from '../wiring/identity.ts';
import { pinDirOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { RecordedViolations } from '../wiring/record.ts';
import { applySettings } from '../wiring/settings.ts';
import { closeLink } from '../found/close-link.ts';
import { makeRecord } from '../found/card-record.ts';
import type { VmEndings } from '../vm-control/endings.ts';
import type { Action } from './plan.ts';

/*
 * Theory of operation
 *
 * The shell of plan.ts: each action is one change of the kernel, or a composite whose steps are safe to be cut off
 * anywhere (SIGKILL, power). Nothing is remembered between actions; what a cut-off action left is seen by the next
 * observation. The composites:
 *
 * close-tap        see wiring/closed-tap.ts
 * close-link       see found/close-link.ts
 * write-policy     a new inner map is filled, frozen, pinned, and put into the slot by one update: before it the old
 *                  policy holds for both hooks, after it the new one
 * replace-filter   new programs are loaded with the wanted policy already in their slot and take the place of the old
 *                  ones by link update, one hook after the other: each hook has a complete program at every instant
 * retire-pins      see wiring/beside.ts
 * end-vm           is begun here and goes on beside the passes; see ending.ts and vm-control/end-vm.ts
 * tear-down        under the state lock, in this order:
 *    1  no claim alive, else stop              nothing changed
 *    2  empty policy                           the tap is closed
 *    3  take hold of the tap as QEMU would     if somebody has it: stop; it stays, closed
 *    4  neighbour, route                       closed and unwired
 *    5  delete the interface                   record and stale pins are left; the next tear-down goes on at 6
 *    6  remove the pins                        a record is left
 *    7  remove the record                      nothing is left; only now may the address go to another VM
 */

export interface ActPorts extends ClosedTapPorts {
  readonly endings: VmEndings;
}

export type Outcome = 'done' | 'in-use';

/** What an action is about. */
export interface ActPlace {
  readonly pinDir: string;
  /** Name of the interface, as last seen. */
  readonly tap: string;
  /** What the record goes by. */
  readonly record: string;
}

/** Carries out one action at its place. Throws VmnError; `in-use` means that a tear-down found a holder. */
export function act(
  action: Action,
  { pinDir, tap, record }: ActPlace,
  ports: ActPorts,
  paths: AttachmentPaths,
): Outcome {
  const { kernel } = ports;
  switch (action.kind) {
    case 'close-tap':
      ensureClosedTap(action.vm, paths, ports);
      return 'done';
    case 'link-down':
      kernel.setLink(action.ifindex, { up: false });
      return 'done';
    case 'replace-filter':
      ports.withStateLock(() => kernel.replaceFilter(pinDir, action.ifindex, bytesOf(action.policy)));
      return 'done';
    case 'write-policy':
      kernel.writePolicy(pinDir, bytesOf(action.policy));
      return 'done';
    case 'settings':
      applySettings(kernel, tap);
      return 'done';
    case 'link':
      kernel.setLink(action.ifindex, { mac: action.mac, mtu: action.mtu });
      return 'done';
    case 'link-up':
      kernel.setLink(action.ifindex, { up: true });
      return 'done';
    case 'drop-route':
      kernel.deleteRoute(action.address, action.ifindex);
      return 'done';
    case 'add-route':
      kernel.addRoute(action.address, action.ifindex);
      return 'done';
    case 'drop-neighbour':
      kernel.deleteNeighbour(action.ifindex, action.address);
      return 'done';
    case 'set-neighbour':
      kernel.setNeighbour(action.ifindex, action.address, action.mac);
      return 'done';
    case 'note-network':
      noteNetwork(action.network, record, ports);
      return 'done';
    case 'note-violations':
      noteViolations(action.violations, record, ports);
      return 'done';
    case 'end-vm':
      ports.endings.begin(action.holder);
      return 'done';
    case 'tear-down':
      return ports.withStateLock(() => tearDown(tap, pinDir, ports));
    case 'close-link':
      closeLink(pinDir, action.ifindex, ports);
      return 'done';
    case 'leave-bridge':
      kernel.setLink(action.ifindex, { master: null });
      return 'done';
    case 'make-record':
      makeRecord(action.card, paths, ports);
      return 'done';
    case 'remove-pins':
      ports.withStateLock(() => kernel.removePins(pinDir));
      return 'done';
    case 'end-engine':
    case 'release-engine':
      throw new TypeError('an engine is no tap; see userspace/subject.ts');
    case 'retire-pins':
      ports.withStateLock(() => retire(pinDir, action.ifindex, pinDirOf(paths, action.pins), kernel));
      return 'done';
  }
}

/** Whether it waits for whoever is making or removing a tap. */
export function takesStateLock({ kind }: Action): boolean {
  return UNDER_STATE_LOCK.includes(kind);
}

const UNDER_STATE_LOCK: readonly Action['kind'][] = [
  'close-tap',
  'close-link',
  'replace-filter',
  'note-network',
  'note-violations',
  'make-record',
  'tear-down',
  'remove-pins',
  'retire-pins',
];

function bytesOf(policy: Policy | null): Uint8Array | null {
  return policy === null ? null : encodePolicy(policy);
}

/** Reads again under the lock: `vmnetctl run` may have put its claim into the record meanwhile. */
function noteNetwork(network: string | null, tap: string, ports: ClosedTapPorts): void {
  ports.withStateLock(() => {
    const found = ports.records.read(tap);
    if (found.state === 'ok') ports.records.write({ ...found.record, network });
  });
}

function noteViolations(violations: RecordedViolations | null, tap: string, ports: ClosedTapPorts): void {
  ports.withStateLock(() => {
    const found = ports.records.read(tap);
    if (found.state !== 'ok') return;
    const { violations: _before, ...record } = found.record;
    ports.records.write(violations === null ? record : { ...record, violations });
  });
}

function tearDown(tap: string, pinDir: string, { kernel, records }: ClosedTapPorts): Outcome {
  const found = records.read(tap);
  if (found.state === 'unreadable') throw found.error;
  if (found.state === 'ok' && isClaimAlive(kernel, found.record.claim)) return 'in-use';

  if (removeOwnTap(tap, pinDir, kernel) === 'in-use') return 'in-use';
  records.remove(tap);
  return 'done';
}

/** Steps 2 to 6 of a tear-down, whoever wants the record to stay. Under the state lock. */
export function removeOwnTap(tap: string, pinDir: string, kernel: ClosedTapPorts['kernel']): Outcome {
  const link = kernel.linkByName(tap);
  if (link !== null && ownerOfAlias(link.alias, tap) !== null) {
    const filter = kernel.readBack(pinDir);
    const attached = filter.fromVm !== null || filter.toVm !== null;
    if (attached && filter.policyState !== 'empty') kernel.writePolicy(pinDir, null);
    if (!removeTap(tap, link.ifindex, kernel)) return 'in-use';
  }
  kernel.removePins(pinDir);
  return 'done';
}

function removeTap(tap: string, ifindex: number, kernel: ClosedTapPorts['kernel']): boolean {
  let fd: number;
  try {
    fd = kernel.openTap(tap);
  } catch (error) {
    if (isVmnError(error, 'VMN_TAP_IN_USE')) return false;
    throw error;
  }
  try {
    for (const { address } of kernel.neighbours(ifindex)) kernel.deleteNeighbour(ifindex, address);
    for (const route of kernel.managedRoutes()) {
      if (route.ifindex === ifindex) kernel.deleteRoute(route.destination, ifindex);
    }
    kernel.deleteLink(ifindex);
  } finally {
    kernel.closeTap(fd);
  }
  return true;
}
