import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { removeOwnTap } from '../../agent/attachment/act.ts';
import { endEngine, forgetEngine } from '../../agent/userspace/end-engine.ts';
import { type EngineMachine, guestsOf } from '../../agent/userspace/engine-machine.ts';
import {
  CONTROL_SOCKET,
  type EnginePlace,
  enginePlaceOf,
  engineUidOf,
  GUEST_SOCKET,
} from '../../agent/userspace/engine-place.ts';
import {
  claimOf,
  type ClosedTapPorts,
  demandOurs,
  ensureRecord,
  isClaimAlive,
} from '../../agent/wiring/closed-tap.ts';
import { identityOf } from '../../agent/wiring/identity.ts';
import { type AttachmentPaths, pinDirOf } from '../../agent/wiring/paths.ts';
import type { AttachmentRecord } from '../../agent/wiring/record.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { ENGINE_PATH } from '../../native/addon.ts';

/*
 * Theory of operation
 *
 * vmn-nat outlives whoever starts it, so it is in the record before it is there. The steps; what a SIGKILL after each leaves:
 *
 *   1  under the state lock: the VM's tap goes, unless a VM has it; the record says "engine", with our claim
 *                                        a claim that is dead: the agent takes the engine out of the record again
 *   2  a folder of the engine's own      as 1, and the folder goes with it
 *   3  vmn-nat is started in it          an engine without a policy, which the agent asks to quit
 *   4  its sockets become root's         as 3; nobody else can come to them, not even another process of its user
 *   5  the record says which process it is   an engine that no VM has: the agent ends it
 *
 * It starts without a policy, and so closed; only the agent gives it one. When QEMU has ended it is ended, too, unless somebody is
 * at its guest's end still (-daemonize): then the agent ends it once nobody is.
 */

export interface EnginePorts extends ClosedTapPorts {
  readonly machine: EngineMachine;
}

/** It is one loop that opens two sockets. */
const START_MS = 5000;
const POLL_MS = 10;
/** Who is there for longer is to stay. */
const LEAVING_MS = 1000;

export interface StartedEngine {
  readonly record: AttachmentRecord;
  readonly place: EnginePlace;
}

/** Throws VMN_TAP_IN_USE when the VM runs; VMN_NAT_UNREACHABLE when the engine does not start; what closed taps throw. */
export async function startEngine(
  vm: string,
  paths: AttachmentPaths,
  ports: EnginePorts,
): Promise<StartedEngine> {
  if (!existsSync(ENGINE_PATH))
    throw new VmnError('VMN_NATIVE_MISSING', { attempted: 'start the userspace engine', on: ENGINE_PATH });
  const { tap } = identityOf(vm);
  const former = ports.records.read(tap);
  if (former.state === 'ok') await endFormer(former.record, paths, ports);
  const record = ports.withStateLock(() => noteEngine(vm, paths, ports));
  const place = enginePlaceOf(paths, tap);
  try {
    const process = await start(place, engineUidOf(vm), ports);
    return { place, record: ports.withStateLock(() => noteProcess(record, process, ports)) };
  } catch (error) {
    await endRunEngine(record, paths, ports);
    throw error;
  }
}

/**
 * The VM has ended: its engine ends, and the record forgets it. Nothing is done while a process is at the guest's end. False:
 * that is so, or somebody claimed it meanwhile.
 */
export async function endRunEngine(
  { tap }: Pick<AttachmentRecord, 'tap'>,
  paths: AttachmentPaths,
  ports: EnginePorts,
): Promise<boolean> {
  const found = ports.records.read(tap);
  if (found.state !== 'ok' || found.record.engine === undefined) return true;
  const { record } = found;
  // Both are told of the end of QEMU; the engine may be told later.
  for (const untilMs = performance.now() + LEAVING_MS; isServing(record, ports.machine); await delay(POLL_MS))
    if (performance.now() >= untilMs) return false;
  await endEngine(tap, found.record.engine, paths, ports.machine);
  return ports.withStateLock(() => forgetEngine(record, paths, ports, process.pid));
}

/** Somebody holds the guest's end. */
function isServing({ engine }: AttachmentRecord, machine: EngineMachine): boolean {
  const process = engine?.process ?? null;
  const isThere = (): boolean => process !== null && machine.startOf(process.pid) === process.startTicks;
  if (process === null || !isThere()) return false;
  try {
    return guestsOf(machine.socketsOf(process.pid), machine).length > 0;
  } catch (error) {
    if (!isVmnError(error)) throw error;
    // It ended meanwhile; or nobody can tell.
    return isThere();
  }
}

async function endFormer(
  record: AttachmentRecord,
  paths: AttachmentPaths,
  ports: EnginePorts,
): Promise<void> {
  const { tap, engine, claim } = record;
  if (isClaimAlive(ports.kernel, claim) || isServing(record, ports.machine)) throw inUse(tap);
  if (engine !== undefined) await endEngine(tap, engine, paths, ports.machine);
}

function noteEngine(vm: string, paths: AttachmentPaths, ports: ClosedTapPorts): AttachmentRecord {
  const { kernel, records } = ports;
  const identity = identityOf(vm);
  const { tap } = identity;
  const link = kernel.linkByName(tap);
  if (link !== null) demandOurs(link, identity);
  const before = records.read(tap);
  if (before.state === 'ok' && isClaimAlive(kernel, before.record.claim)) throw inUse(tap);
  if (removeOwnTap(tap, pinDirOf(paths, tap), kernel) === 'in-use') throw inUse(tap);
  const record = ensureRecord(identity, paths, ports, claimOf(kernel, process.pid), false);
  const noted = { ...record, engine: { uid: engineUidOf(vm), process: null } };
  records.write(noted);
  return noted;
}

function noteProcess(
  record: AttachmentRecord,
  { pid }: { readonly pid: number },
  { kernel, records }: ClosedTapPorts,
): AttachmentRecord {
  const found = records.read(record.tap);
  const process = claimOf(kernel, pid);
  if (found.state !== 'ok' || found.record.engine === undefined || process === null)
    throw notStarted(record.tap, '');
  const noted = { ...found.record, engine: { ...found.record.engine, process } };
  records.write(noted);
  return noted;
}

async function start(place: EnginePlace, uid: number, ports: EnginePorts): Promise<{ pid: number }> {
  const { dir } = place;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chownSync(dir, uid, uid);
  // Names, not paths: what is above its folder it need not see, and its own terminal is nobody's.
  const args = ['--control', CONTROL_SOCKET, '--guest', GUEST_SOCKET];
  const child = spawn(ENGINE_PATH, args, {
    ...{ cwd: dir, uid, gid: uid, env: {}, detached: true },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await answers(child, place, ports.machine, () => said);
    takeSockets(place);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  // It writes nothing more, and must not keep us.
  child.stderr.destroy();
  child.unref();
  return { pid: child.pid ?? 0 };
}

/** From now on they are root's. The folder first: after that nobody else can put another file there. */
function takeSockets({ dir, control, guest }: EnginePlace): void {
  chownSync(dir, 0, 0);
  for (const socket of [control, guest]) {
    if (!lstatSync(socket).isSocket()) throw notStarted(socket, 'it is not a socket any more');
    chownSync(socket, 0, 0);
    chmodSync(socket, 0o600);
  }
}

/** Until it answers: from then on it is confined. */
async function answers(
  child: ChildProcess,
  { control }: EnginePlace,
  machine: EngineMachine,
  said: () => string,
): Promise<void> {
  let failed: Error | null = null;
  child.once('error', (error) => (failed = error));
  for (const untilMs = performance.now() + START_MS; performance.now() < untilMs; await delay(POLL_MS)) {
    if (failed !== null || child.exitCode !== null || child.signalCode !== null)
      throw notStarted(control, said().trim(), failed);
    if (!existsSync(control)) continue;
    try {
      (await machine.connect(control)).close();
      return;
    } catch (error) {
      if (!isVmnError(error)) throw error;
    }
  }
  throw notStarted(control, said().trim());
}

function inUse(tap: string): VmnError {
  return new VmnError('VMN_TAP_IN_USE', { attempted: 'start the VM', on: tap });
}

function notStarted(on: string, said: string, cause: Error | null = null): VmnError {
  return new VmnError('VMN_NAT_UNREACHABLE', {
    attempted: 'start the userspace engine',
    on,
    cause: cause ?? new Error(said === '' ? 'it ended, or did not answer in time' : said),
  });
}
