import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { lockFile } from '../../native/process.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { acquireLock } from './lock.ts';
import { describeHolder, holderOf, type LockHolder } from './lock-holder.ts';
import { PinRoot } from './pin-root.ts';
import { settingFile } from './system-kernel.ts';

/*
 * Theory of operation
 *
 * Two agents that work on one network namespace undo each other's work: the guard, the forwarding of uplinks, the links that they
 * bind. Two that pin in one folder take each other's pins for what is left of links that are gone. Different state folders do not
 * keep them apart, so what is locked is what they would fight over:
 *
 *   the network namespace    flock on a setting of its own, /proc/sys/net/ipv4/tcp_fastopen_key, which nobody may open but its
 *                            administrator; its value is not touched. Each namespace has an inode of its own there
 *   the folder for pins      flock on it; see PinRoot
 *   state and run folder     files in them, as every version has locked them
 *
 * The kernel lets go of all of them when the process is gone, however it ended. Whoever comes second changes nothing: it waits for
 * a while, for the one before it may be about to end, and then gives up. See ADR 26.
 */

/** A setting that every network namespace has for itself, mode 0600. */
const NAMESPACE_SETTING = 'net/ipv4/tcp_fastopen_key';
const RETRY_MS = 50;

type Places = Pick<AttachmentPaths, 'stateDir' | 'runDir' | 'bpffs'>;

/** This host is one process's. */
export interface HeldHost {
  readonly pins: PinRoot;
  /** Idempotent. */
  release(): void;
}

/**
 * Takes the host at once. `makePins`: with the folder for pins, which is made when missing; else that only if it is there.
 * Throws VMN_AGENT_RUNNING, which names who has it; VMN_SYSCTL, VMN_STATE_UNREADABLE, and what PinRoot.take throws.
 */
export function takeHost(places: Places, makePins: boolean): HeldHost {
  const held: { release(): void }[] = [];
  const release = (): void => {
    for (const lock of held.splice(0).reverse()) lock.release();
  };
  const pins = new PinRoot(places.bpffs);
  try {
    held.push(named(namespacePlace(), namespaceLockFile(), lockNamespace));
    named(`folder for pins ${places.bpffs}`, places.bpffs, () =>
      makePins ? pins.take() : pins.takeIfThere(),
    );
    held.push(pins);
    for (const dir of new Set([places.stateDir, places.runDir])) {
      const path = join(dir, 'agent.lock');
      held.push(named(path, path, () => acquireLock(path, { wait: false })));
    }
  } catch (error) {
    release();
    throw error;
  }
  return { pins, release };
}

export interface Patience {
  readonly clock: Clock;
  /** 0: none. */
  readonly waitMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Once, if it has to wait. */
  readonly onWait: (error: VmnError) => void;
}

/** Takes the host as soon as whoever has it lets go. Null: it was told to end. Throws as `takeHost`, VMN_AGENT_RUNNING after the wait. */
export async function awaitHost(places: Places, patience: Patience): Promise<HeldHost | null> {
  const { clock, waitMs, signal, onWait } = patience;
  const untilMs = clock.monotonicMs() + waitMs;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return takeHost(places, true);
    } catch (error) {
      if (!isVmnError(error, 'VMN_AGENT_RUNNING') || clock.monotonicMs() >= untilMs) throw error;
      if (attempt === 1) onWait(error);
    }
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
  return null;
}

/** Who has this network namespace. Takes nothing; null: nobody, or nobody whom this process may see. */
export function hostHolder(): LockHolder | null {
  return holderOf(namespaceLockFile());
}

function namespaceLockFile(): string {
  return settingFile(NAMESPACE_SETTING);
}

function namespacePlace(): string {
  return `network namespace ${readlinkSync('/proc/thread-self/ns/net')}`;
}

function lockNamespace(): { release(): void } {
  const path = namespaceLockFile();
  try {
    return lockFile(path);
  } catch (cause) {
    if (isVmnError(cause, 'VMN_AGENT_RUNNING')) throw cause;
    throw new VmnError('VMN_SYSCTL', { attempted: 'lock the network namespace', on: path, cause });
  }
}

/** Says of whoever has it what is known. */
function named<T>(place: string, path: string, take: () => T): T {
  try {
    return take();
  } catch (error) {
    if (!isVmnError(error, 'VMN_AGENT_RUNNING')) throw error;
    const holder = holderOf(path);
    const cause = new Error(describeHolder(holder));
    throw new VmnError('VMN_AGENT_RUNNING', {
      attempted: 'take this host',
      on: place,
      remedy: remedyFor(holder),
      cause,
    });
  }
}

function remedyFor(holder: LockHolder | null): string {
  const end = holder?.place?.startsWith('unit ') === true ? `systemctl stop ${holder.place.slice(5)}` : null;
  const how = end ?? (holder?.place == null ? 'end it' : 'set agent.enabled=false in its chart, or end it');
  return (
    `One agent has a host. Let that one go on, and do not start this one; or give the host to this one: ${how}. ` +
    'What it enforces stays in force meanwhile.'
  );
}
