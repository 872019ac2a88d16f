import { isVmnError, VmnError } from '../../lib/errors.ts';
import { RecordsAndSecrets } from '../guest/records.ts';
import type { Kernel, Link } from '../host/kernel.ts';
import { RecurringLock } from '../host/lock.ts';
import { systemKernel } from '../host/system-kernel.ts';
import { allocateAddress } from './address-pool.ts';
import { GATEWAY_MAC, identityOf, TAP_MTU } from './identity.ts';
import type { Identity } from './identity.ts';
import { pinDirOf, stateLockOf } from './paths.ts';
import type { AttachmentPaths } from './paths.ts';
import type { AttachmentRecord, Claim, RecordState, RecordStore } from './record.ts';
import { applySettings } from './settings.ts';
import { attachmentFault } from './verify.ts';

/*
 * Theory of operation
 *
 * A tap that outlives the process that made it exists only with both programs attached and verified. The steps, in
 * this order, under the state lock; what a SIGKILL after each of them leaves behind:
 *
 *   1  write the record (address chosen)           a record without a tap; step 1 is skipped next time
 *   2  create the tap, NOT persistent, down        nothing: the kernel removes it with the descriptor
 *   3  set MAC, MTU, alias, settings               nothing, likewise
 *   4  attach deny-all, pin                        pins of links whose device is gone; replaced by the next step 4
 *   5  read back and compare                       as 4
 *   6  make it persistent                          a closed tap, down, ours by its alias: found and kept next time
 *   7  close the descriptor                        as 6; QEMU may open it now
 *
 * The tap stays down: bringing it up is the agent's, after route, neighbour and guard. An existing tap of ours is
 * verified like a new one; if its programs are missing (somebody detached them) it is first set down, which stops all
 * frames at once, and then closed again. A tap that is not ours is never touched.
 */

export interface ClosedTapPorts {
  readonly kernel: Kernel;
  readonly records: RecordStore;
  /** Runs `body` while nobody else changes records, taps or pins. */
  withStateLock<T>(body: () => T): T;
}

/** For those whose event loop must go on turning while somebody else makes a tap, which takes him long. */
export interface PatientPorts extends ClosedTapPorts {
  /** Runs `work`, in which withStateLock() does not block, as soon as the state lock is free. Throws LockBusy; see RecurringLock.later. */
  whenStateLockIsFree<T>(work: () => T): Promise<T>;
}

/** The real machine. */
export function systemPorts(paths: AttachmentPaths): PatientPorts {
  const lock = new RecurringLock(stateLockOf(paths));
  return {
    kernel: systemKernel(),
    records: new RecordsAndSecrets(paths),
    withStateLock: (body) => lock.with(body),
    whenStateLockIsFree: (work) => lock.later(work),
  };
}

/** The claim of a running process; hand it to `ensureClosedTap` to keep an idle agent from removing the tap. */
export function claimOf(kernel: Pick<Kernel, 'processStart'>, pid: number): Claim | null {
  const startTicks = kernel.processStart(pid);
  return startTicks === null ? null : { pid, startTicks };
}

/** Whether the process that claimed a tap is still there. */
export function isClaimAlive(kernel: Pick<Kernel, 'processStart'>, claim: Claim | null): boolean {
  return claim !== null && kernel.processStart(claim.pid) === claim.startTicks;
}

/**
 * Makes sure that the VM has a tap that is closed or was left with its verified programs, and returns its record.
 * `claim` names the process that is about to use the tap (by default: nobody). Idempotent.
 *
 * Throws VMN_STATE_UNREADABLE, VMN_POOL_EXHAUSTED, VMN_TAP_NOT_OURS, VMN_TUN_MISSING, VMN_BPF_LOAD, VMN_BPF_ATTACH,
 * VMN_READ_BACK; whatever is thrown, no new open tap is left, and of a VM that was not known nothing at all.
 */
export function ensureClosedTap(
  vm: string,
  paths: AttachmentPaths,
  ports: ClosedTapPorts = systemPorts(paths),
  claim: Claim | null = null,
): AttachmentRecord {
  const identity = identityOf(vm);
  const pinDir = pinDirOf(paths, identity.tap);
  return ports.withStateLock(() => {
    const { kernel } = ports;
    const link = kernel.linkByName(identity.tap);
    if (link !== null) demandOurs(link, identity);
    demandNoEngine(ports.records.read(identity.tap), identity);
    const isNew = ports.records.read(identity.tap).state === 'absent';
    const record = ensureRecord(identity, paths, ports, claim, link !== null);
    if (link !== null) {
      closeAgain(kernel, link, pinDir);
      return record;
    }
    try {
      createClosed(kernel, identity, pinDir);
    } catch (error) {
      if (isNew) forget(identity, pinDir, ports);
      throw error;
    }
    return record;
  });
}

/** Of a tap that could not be made: the kernel removed it with its descriptor. What cannot be removed is seen by the next agent. */
function forget({ tap }: Identity, pinDir: string, { kernel, records }: ClosedTapPorts): void {
  for (const remove of [() => kernel.removePins(pinDir), () => records.remove(tap)]) {
    try {
      remove();
    } catch (error) {
      // The first error is the one that is reported.
      if (!isVmnError(error)) throw error;
      return;
    }
  }
}

/** The VM has the one or the other. Whoever ends the engine takes it out of the record. */
function demandNoEngine(found: RecordState, { vm, tap }: Identity): void {
  if (found.state !== 'ok' || found.record.engine === undefined) return;
  throw new VmnError('VMN_TAP_IN_USE', {
    attempted: `make the tap of VM ${vm}`,
    on: tap,
    remedy: 'End that VM first; the agent, or `vmnetctl run --engine userspace`, then lets go of its engine.',
    cause: new Error('the VM is on a userspace engine'),
  });
}

export function demandOurs(link: Link, identity: Identity): void {
  if (link.alias === identity.alias && link.kind === 'tun') return;
  throw new VmnError('VMN_TAP_NOT_OURS', { attempted: `use the tap of VM ${identity.vm}`, on: identity.tap });
}

/** The record of a VM, made with an address for its guest if there is none; the claim goes into it. Under the state lock. */
export function ensureRecord(
  identity: Identity,
  paths: AttachmentPaths,
  { kernel, records }: ClosedTapPorts,
  claim: Claim | null,
  tapExists: boolean,
): AttachmentRecord {
  const found = records.read(identity.tap);
  switch (found.state) {
    case 'unreadable':
      throw found.error;
    case 'ok':
      if (found.record.vm !== identity.vm) throw wrongOwner(identity, found.record.vm);
      if (claim === null) return found.record;
      return put(records, { ...found.record, claim });
    case 'absent':
      // The guest may be running with an address we no longer know; another one now would be a silent change.
      if (tapExists) throw recordLost(identity);
      return put(records, {
        version: 1,
        vm: identity.vm,
        tap: identity.tap,
        guestMac: identity.guestMac,
        guestAddress: allocateAddress(identity.vm, paths.pool, takenAddresses(kernel, records)),
        network: null,
        claim,
        createdAt: new Date().toISOString(),
      });
  }
}

function put(records: RecordStore, record: AttachmentRecord): AttachmentRecord {
  records.write(record);
  return record;
}

/** Addresses of all records, and those that the kernel routes to a tap of ours although the record cannot be read. */
export function takenAddresses(kernel: Kernel, records: RecordStore): Set<string> {
  const taken = new Set(kernel.managedRoutes().map((route) => route.destination));
  for (const state of records.list().values()) if (state.state === 'ok') taken.add(state.record.guestAddress);
  return taken;
}

function createClosed(kernel: Kernel, identity: Identity, pinDir: string): void {
  const { fd, ifindex } = kernel.createTap(identity.tap);
  try {
    kernel.setLink(ifindex, { mac: GATEWAY_MAC, mtu: TAP_MTU, alias: identity.alias });
    applySettings(kernel, identity.tap);
    kernel.attachFilter(pinDir, ifindex);
    demandClosed(kernel, ifindex, pinDir);
    kernel.persistTap(fd);
  } finally {
    kernel.closeTap(fd);
  }
}

/** Leaves a tap whose programs are in place as it is; its policy is the agent's. */
function closeAgain(kernel: Kernel, link: Link, pinDir: string): void {
  if (attachmentFault(kernel.readBack(pinDir), link.ifindex) === null) return;
  if (link.up) kernel.setLink(link.ifindex, { up: false });
  kernel.replaceFilter(pinDir, link.ifindex, null);
  demandClosed(kernel, link.ifindex, pinDir);
}

/** Believes only what the kernel shows. */
export function demandClosed(kernel: Kernel, ifindex: number, pinDir: string): void {
  const found = kernel.readBack(pinDir);
  const fault =
    attachmentFault(found, ifindex) ?? (found.policyState === 'empty' ? null : 'the policy is not empty');
  if (fault === null) return;
  throw new VmnError('VMN_READ_BACK', { attempted: 'close the tap', on: pinDir, cause: new Error(fault) });
}

function wrongOwner(identity: Identity, owner: string): VmnError {
  return new VmnError('VMN_TAP_NOT_OURS', {
    attempted: `use the tap of VM ${identity.vm}`,
    on: identity.tap,
    remedy: `VM ${owner} has this tap name; give one of the two VMs another name.`,
  });
}

function recordLost(identity: Identity): VmnError {
  return new VmnError('VMN_STATE_UNREADABLE', {
    attempted: `find the record of VM ${identity.vm}`,
    on: identity.tap,
    remedy: `Stop the VM that uses ${identity.tap}; the agent then removes the tap and makes it anew.`,
    cause: new Error('the tap exists but its record does not'),
  });
}
