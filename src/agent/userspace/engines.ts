import type { Clock } from '../../lib/clock.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { FilterEvent } from '../../native/events.ts';
import type { NatControl } from '../../native/nat-control.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { AttachmentRecord, Claim } from '../wiring/record.ts';
import { confinementFault } from './confinement.ts';
import { endEngine } from './end-engine.ts';
import { guestsOf } from './engine-machine.ts';
import type { EngineMachine } from './engine-machine.ts';
import { CONTROL_SOCKET, enginePlaceOf } from './engine-place.ts';
import { servedKey } from './engine-view.ts';
import type { EngineView } from './engine-view.ts';

export interface EnginesOptions {
  readonly machine: EngineMachine;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly paths: Pick<AttachmentPaths, 'runDir'>;
  /** A connection was lost: as a rule the engine has ended. */
  readonly onChange: () => void;
  /** By the name of the record. */
  readonly onEvent: (record: string, event: FilterEvent) => void;
}

/** What passes ask of engines. */
export type EngineKeeper = Pick<Engines, 'look' | 'control' | 'end'>;

/** One that let an answer wait is not asked again for so long, ms: other VMs have their turn. */
const REST_MS = 5000;
/** An engine answers in far less; what took this long timed out. */
const SLOW_MS = 1000;

interface Connection {
  readonly process: Claim;
  readonly control: NatControl;
}

/**
 * The engines of this host, as their records name them. A connection is kept to each, since its end is how the end of an engine is
 * told; what is said of an engine is asked anew at every look. Who answers is the process of the record only if that process
 * accepted our connection, which the kernel tells.
 */
export class Engines {
  readonly #options: EnginesOptions;
  readonly #connections = new Map<string, Connection>();
  readonly #resting = new Map<string, { readonly untilMs: number; readonly why: string }>();
  #served: ReadonlySet<string> = new Set();
  /** The end of a VM that holds no tap, which nobody else tells of; by servedKey(). */
  readonly #ends = new Map<string, { close(): void }>();

  constructor(options: EnginesOptions) {
    this.#options = options;
  }

  /** Network cards that lead to an engine, each by servedKey(), as of the last look; another set once it differs. */
  get served(): ReadonlySet<string> {
    return this.#served;
  }

  /** All at once, by the name of the record. Of records without an engine nothing is told. Never rejects for an engine's sake. */
  async look(records: readonly AttachmentRecord[]): Promise<Map<string, EngineView>> {
    const views = await Promise.all(
      records.map(async (record): Promise<[string, EngineView][]> => {
        if (record.engine === undefined) return [];
        return [[record.tap, await this.#look(record.tap, record.engine)]];
      }),
    );
    const seen = new Map(views.flat());
    for (const name of this.#connections.keys()) if (!seen.has(name)) this.#letGo(name);
    for (const name of this.#resting.keys()) if (!seen.has(name)) this.#resting.delete(name);
    this.#keepServed(records, seen);
    return seen;
  }

  /** The connection of the last look. Throws VMN_NAT_UNREACHABLE when there is none. */
  control(record: string): NatControl {
    const connection = this.#connections.get(record);
    if (connection !== undefined) return connection.control;
    const on = enginePlaceOf(this.#options.paths, record).control;
    throw new VmnError('VMN_NAT_UNREACHABLE', { attempted: 'speak to the userspace engine', on });
  }

  /** It has ended when this resolves. */
  async end({ tap, engine }: Pick<AttachmentRecord, 'tap' | 'engine'>): Promise<void> {
    this.#letGo(tap);
    if (engine !== undefined) await endEngine(tap, engine, this.#options.paths, this.#options.machine);
  }

  /** Idempotent. The engines go on. */
  close(): void {
    for (const name of this.#connections.keys()) this.#letGo(name);
    for (const key of this.#ends.keys()) this.#unwatch(key);
  }

  async #look(name: string, { process, uid }: NonNullable<AttachmentRecord['engine']>): Promise<EngineView> {
    const { machine, clock } = this.#options;
    if (process === null) return { state: 'starting' };
    const hasEnded = (): boolean => machine.startOf(process.pid) !== process.startTicks;
    const resting = this.#resting.get(name);
    const beganMs = clock.monotonicMs();
    try {
      if (hasEnded()) return this.#gone(name);
      if (resting !== undefined && beganMs < resting.untilMs) return { state: 'silent', why: resting.why };
      this.#resting.delete(name);
      return await this.#ask(name, process, uid);
    } catch (error) {
      if (!isVmnError(error)) throw error;
      this.#letGo(name);
      if (hasEnded()) return this.#gone(name);
      const nowMs = clock.monotonicMs();
      const why = error.message;
      if (nowMs - beganMs >= SLOW_MS) this.#resting.set(name, { untilMs: nowMs + REST_MS, why });
      return { state: 'silent', why };
    }
  }

  async #ask(name: string, process: Claim, uid: number): Promise<EngineView> {
    const { machine } = this.#options;
    const control = await this.#connected(name, process);
    const [before, policy] = await Promise.all([control.status(), readPolicy(control)]);
    const status = await control.status();
    // The three were answered one after the other; between them somebody else may have written.
    if (before.policyHash !== status.policyHash || (policy !== null) !== status.hasPolicy)
      return { state: 'silent', why: 'its policy changed while it was read' };
    const sockets = machine.socketsOf(process.pid).filter(({ listening }) => !listening);
    if (!sockets.some(({ path, peerPid }) => path === CONTROL_SOCKET && peerPid === machine.pid)) {
      this.#letGo(name);
      return { state: 'silent', why: 'another process answers at its control socket' };
    }
    const guests = guestsOf(sockets, machine);
    const fault = confinementFault(machine.statusOf(process.pid), uid);
    // The files of /proc are of the process of the record only if it is there still.
    if (machine.startOf(process.pid) !== process.startTicks) return this.#gone(name);
    return { state: 'answers', status, policy, fault, guests };
  }

  async #connected(name: string, process: Claim): Promise<NatControl> {
    const { machine, paths, onChange, onEvent } = this.#options;
    const known = this.#connections.get(name);
    if (known?.process.pid === process.pid && known.process.startTicks === process.startTicks)
      return known.control;
    this.#letGo(name);
    const control = await machine.connect(enginePlaceOf(paths, name).control);
    this.#connections.set(name, { process, control });
    control.onLost(() => {
      if (this.#connections.get(name)?.control !== control) return;
      this.#connections.delete(name);
      onChange();
    });
    await control.subscribe((event) => onEvent(name, event));
    return control;
  }

  #gone(name: string): EngineView {
    this.#letGo(name);
    return { state: 'ended' };
  }

  #letGo(name: string): void {
    const connection = this.#connections.get(name);
    this.#connections.delete(name);
    connection?.control.close();
  }

  #watch(key: string, pid: number): void {
    if (this.#ends.has(key)) return;
    const { machine, onChange } = this.#options;
    try {
      this.#ends.set(key, machine.watchEnd(pid, onChange));
    } catch (error) {
      if (!isVmnError(error)) throw error;
      // It has ended meanwhile.
      onChange();
    }
  }

  #unwatch(key: string): void {
    this.#ends.get(key)?.close();
    this.#ends.delete(key);
  }

  #keepServed(records: readonly AttachmentRecord[], seen: ReadonlyMap<string, EngineView>): void {
    const served = new Set<string>();
    for (const { tap, guestMac } of records) {
      const view = seen.get(tap);
      if (view?.state !== 'answers') continue;
      for (const { pid, startTicks } of view.guests) {
        const key = servedKey(guestMac, pid, startTicks);
        served.add(key);
        this.#watch(key, pid);
      }
    }
    for (const key of this.#ends.keys()) if (!served.has(key)) this.#unwatch(key);
    const isSame = served.size === this.#served.size && [...served].every((key) => this.#served.has(key));
    if (!isSame) this.#served = served;
  }
}

/** Null: there is none, and nothing passes. */
async function readPolicy(control: NatControl): Promise<Uint8Array | null> {
  try {
    return await control.readPolicy();
  } catch (error) {
    if (isVmnError(error, 'VMN_NAT_REFUSED')) return null;
    throw error;
  }
}
