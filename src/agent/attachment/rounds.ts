import { setImmediate as nextTurn } from 'node:timers/promises';
import { policyHash, encodePolicy } from '../../native/policy-abi.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { LockBusy } from '../host/lock.ts';
import type { PatientPorts } from '../wiring/closed-tap.ts';
import { pinDirOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { GuestState } from '../guest/provisioning.ts';
import type { FoundFacts } from '../found/pass.ts';
import { act, takesStateLock } from './act.ts';
import type { ActPlace, ActPorts, Outcome } from './act.ts';
import { describe } from './describe.ts';
import type { DesiredAttachment } from './desired.ts';
import { afterFailure, doesNotStay, isClosing, lastResort } from './failure.ts';
import { observeAttachment, observeHost } from './observe.ts';
import type { ObservedHost } from './observe.ts';
import { withoutFormer } from './former-filters.ts';
import type { Losses } from './losses.ts';
import { isInUse } from './observed.ts';
import type { ObservedAttachment } from './observed.ts';
import { plan } from './plan.ts';
import type { Action, Blocked, Plan, PlanContext } from './plan.ts';
import type { RetryTable } from './retry.ts';
import { isMaking, isRemoval, urgency } from './urgency.ts';

export interface RoundPorts extends ActPorts, PatientPorts {
  readonly clock: Clock;
  readonly paths: AttachmentPaths;
  /** See PolicyContext. */
  readonly newSecret: () => Uint8Array;
  /** One call for each change made to the machine. */
  readonly onChange: (what: string, on: string, vm: string | null) => void;
  /** Absent: it begins with the rounds. */
  readonly passBeganNs?: bigint;
}

/** What rounds are made over: taps that we made, or links of others. Each goes by the name of its pins. */
export interface RoundSubject<Host> {
  observeHost(): Host | Promise<Host>;
  observe(tap: string, host: Host): ObservedAttachment;
  /** Pure. */
  plan(tap: string, desired: DesiredAttachment, observed: ObservedAttachment, context: PlanContext): Plan;
  place(tap: string, observed: ObservedAttachment): ActPlace;
  /** Absent: as all links are acted on. */
  act?(action: Action, place: ActPlace, observed: ObservedAttachment): Outcome | Promise<Outcome>;
}

/** What passes hand on to the next. Losing it costs a retry or a generation number, never safety. */
export interface RoundMemory {
  readonly retries: RetryTable;
  /** Highest policy generation seen, by name of the pins. */
  readonly generations: Map<string, bigint>;
  readonly losses: Losses;
}

export interface AttachmentResult {
  /** Name of its pins. */
  readonly tap: string;
  readonly desired: DesiredAttachment;
  /** The last observation; null when it could not be made. */
  readonly observed: ObservedAttachment | null;
  /** The policy that should be in force; null: deny-all. */
  readonly policy: Plan['policy'];
  readonly error: Blocked | null;
  /** Everything was read back and is as wanted. */
  readonly verified: boolean;
  readonly inUse: boolean;
  /** Left for the next pass, which is to come at once. */
  readonly unfinished?: boolean;
  /** What was wrong with its filter a moment ago; see losses.ts. */
  readonly lost?: string | null;
  /** What is told of the VM's cable; see vm-control/cables.ts. */
  readonly cable?: string | null;
  /** What is told of the guest; see guest/provisioning.ts. Absent: nothing is asked for. */
  readonly guest?: GuestState;
  /** Of a link that somebody else made. */
  readonly found?: FoundFacts;
}

/**
 * How long one pass at least goes on making taps, closing those that were found, or removing what nobody holds, ms; the rest
 * is left to the next pass, which reads the manifests anew. Each takes tens of milliseconds, and whatever closes a VM must not
 * wait for hundreds of them.
 */
const SLOW_WORK_MS = 200;
/** And at most, ms: on a host that has no time for us, looking takes long, too. */
const MOST_SLOW_WORK_MS = 1000;

/** After so long the event loop has its turn: whoever asks for health, status or the sign of life waits no longer than one action. */
const TURN_MS = 20;

/** Rounds that a healthy attachment needs from nothing: make, program and wire, look. The rest is for being disturbed. */
const MOST_ROUNDS = 6;

/**
 * Takes every attachment to what is desired of it: observe all, plan each, act; again, until every plan is empty. The
 * last observation is the read-back that status is made of. What happens to one attachment never touches the others.
 */
export async function runRounds<Host>(
  desired: ReadonlyMap<string, DesiredAttachment>,
  guarded: boolean,
  memory: RoundMemory,
  ports: RoundPorts,
  subject: RoundSubject<Host>,
): Promise<AttachmentResult[]> {
  const rounds = new Rounds(desired, memory, ports, guarded, subject);
  await rounds.run();
  return memory.losses.settled(rounds.results(), ports.clock.monotonicNs());
}

/** The taps that we made. */
export function ownTaps({ kernel, records, paths }: RoundPorts): RoundSubject<ObservedHost> {
  return {
    observeHost: () => observeHost(kernel, records, paths),
    observe: (tap, host) => observeAttachment(kernel, host, paths, tap),
    plan: (_tap, desired, observed, context) => withoutFormer(plan(desired, observed, context), observed),
    place: (tap) => ({ pinDir: pinDirOf(paths, tap), tap, record: tap }),
  };
}

class Rounds<Host> {
  readonly #desired: ReadonlyMap<string, DesiredAttachment>;
  readonly #memory: RoundMemory;
  readonly #ports: RoundPorts;
  readonly #guarded: boolean;
  readonly #subject: RoundSubject<Host>;
  /** Taps that a tear-down found in other hands although they showed no carrier. */
  readonly #held = new Set<string>();
  readonly #results = new Map<string, AttachmentResult>();
  readonly #beganNs: bigint;
  #slowWorkUntilNs = 0n;
  #turnEndsNs: bigint;

  constructor(
    desired: ReadonlyMap<string, DesiredAttachment>,
    memory: RoundMemory,
    ports: RoundPorts,
    guarded: boolean,
    subject: RoundSubject<Host>,
  ) {
    this.#subject = subject;
    this.#desired = desired;
    this.#memory = memory;
    this.#ports = ports;
    this.#guarded = guarded;
    const nowNs = ports.clock.monotonicNs();
    this.#beganNs = ports.passBeganNs ?? nowNs;
    this.#turnEndsNs = nowNs + BigInt(TURN_MS) * 1_000_000n;
  }

  async run(): Promise<void> {
    for (let round = 1; round <= MOST_ROUNDS && this.#open().length > 0; round += 1) {
      const host = await this.#subject.observeHost();
      const steps: Step[] = [];
      for (const [tap, desired] of this.#open()) {
        const step = this.#look(tap, desired, host);
        if (step !== null) steps.push(step);
        await this.#takeTurns();
      }
      if (round === 1) this.#allotSlowWork();
      // Whatever closes goes first, and does not wait for the making of new taps, which takes longest.
      for (const step of steps.sort((a, b) => urgency(a.planned.actions) - urgency(b.planned.actions))) {
        if (round === MOST_ROUNDS) this.#giveUp(step);
        else if (this.#mustWait(step)) await this.#putOff(step);
        else await this.#carryOut(step);
        await this.#takeTurns();
      }
    }
    // What failed was changed by its own failure: look once more, so that status shows what is there.
    const unsettled = [...this.#results.values()].filter(isToBeSeenAgain);
    if (unsettled.length === 0) return;
    const host = await this.#subject.observeHost();
    for (const result of unsettled) {
      this.#results.set(result.tap, this.#lookAgain(result, host));
      await this.#takeTurns();
    }
  }

  /** To look at a host full of VMs takes long: what is to be done may take twice as long, or most of the time were spent on looking. */
  #allotSlowWork(): void {
    const nowNs = this.#ports.clock.monotonicNs();
    const lookedMs = Number((nowNs - this.#beganNs) / 1_000_000n);
    const allottedMs = Math.min(Math.max(2 * lookedMs, SLOW_WORK_MS), MOST_SLOW_WORK_MS);
    this.#slowWorkUntilNs = nowNs + BigInt(allottedMs) * 1_000_000n;
  }

  async #takeTurns(): Promise<void> {
    const { clock } = this.#ports;
    if (clock.monotonicNs() < this.#turnEndsNs) return;
    await nextTurn();
    this.#turnEndsNs = clock.monotonicNs() + BigInt(TURN_MS) * 1_000_000n;
  }

  results(): AttachmentResult[] {
    return [...this.#results.values()].sort((a, b) => (a.tap < b.tap ? -1 : 1));
  }

  #open(): [string, DesiredAttachment][] {
    return [...this.#desired].filter(([tap]) => !this.#results.has(tap));
  }

  #observe(tap: string, host: Host): ObservedAttachment {
    const seen = this.#subject.observe(tap, host);
    const observed = this.#held.has(tap) ? { ...seen, claimed: true } : seen;
    const generation = observed.policy?.generation ?? 0n;
    if (generation > (this.#memory.generations.get(tap) ?? 0n)) this.#memory.generations.set(tap, generation);
    return observed;
  }

  #plan(tap: string, desired: DesiredAttachment, observed: ObservedAttachment): Plan {
    return this.#subject.plan(tap, desired, observed, {
      nowNs: this.#ports.clock.monotonicNs(),
      lastGeneration: this.#memory.generations.get(tap) ?? 0n,
      newSecret: this.#ports.newSecret,
      pool: this.#ports.paths.pool,
      now: this.#ports.clock.now().toISOString(),
      guarded: this.#guarded,
      endingOf: (process) => this.#ports.endings.progressOf(process),
    });
  }

  /** What is to be done for one attachment; null when it is settled, or cannot be read back. */
  #look(tap: string, desired: DesiredAttachment, host: Host): Step | null {
    try {
      const observed = this.#observe(tap, host);
      this.#memory.losses.looked(tap, observed, this.#ports.clock.monotonicNs());
      const planned = this.#plan(tap, desired, observed);
      if (planned.actions.length > 0) return { tap, desired, observed, planned };
      this.#results.set(tap, this.#settle(tap, desired, observed, planned));
    } catch (cause) {
      const error = asVmnError(cause, 'read back', tap);
      this.#results.set(tap, this.#failure(tap, desired, null, null, error));
    }
    return null;
  }

  #mustWait({ planned: { actions } }: Step): boolean {
    const isSlow = actions.length === 1 && actions.some((action) => isMaking(action) || isRemoval(action));
    return isSlow && this.#ports.clock.monotonicNs() > this.#slowWorkUntilNs;
  }

  /** To the next pass; what is to be removed then is closed now. */
  async #putOff(step: Step): Promise<void> {
    const { tap, observed, planned } = step;
    if (planned.actions.some(isRemoval) && observed.pinned && observed.filter.policyState !== 'empty') {
      await this.#carryOut({
        ...step,
        planned: { ...planned, actions: [{ kind: 'write-policy', policy: null }] },
      });
      if (this.#results.has(tap)) return;
    }
    this.#results.set(tap, { ...unmade(step), inUse: isInUse(observed) });
  }

  #giveUp({ tap, desired, observed, planned }: Step): void {
    const error = doesNotStay(tap, planned.actions);
    this.#results.set(tap, this.#failure(tap, desired, observed, planned, error));
  }

  /** Leaves a result when the attachment failed or is held back; otherwise the next round looks again. */
  async #carryOut({ tap, desired, observed, planned }: Step): Promise<void> {
    const held = this.#memory.retries.heldBack(tap, desired, this.#ports.clock.monotonicNs());
    for (const action of planned.actions) {
      if (held !== null && !isClosing(action)) break;
      try {
        if ((await this.#act(action, tap, observed, desired.vm)) === 'done') continue;
        // Known now: the next round plans for a tap that stays.
        this.#held.add(tap);
        return;
      } catch (cause) {
        if (cause instanceof LockBusy)
          return await this.#waitForLock(action, { tap, desired, observed, planned });
        const error = asVmnError(cause, action.kind, tap);
        await this.#fallBack(action, tap, desired, observed, planned);
        this.#results.set(tap, this.#failure(tap, desired, observed, planned, error));
        return;
      }
    }
    if (held === null) return;
    const { policy } = planned;
    const result = { tap, desired, observed, policy, error: held, verified: false, inUse: isInUse(observed) };
    this.#results.set(tap, result);
  }

  /**
   * To the next pass, which asks anew what is wanted: a wish that was withdrawn meanwhile must not be carried out. What only closes
   * is done now.
   */
  async #waitForLock(action: Action, { tap, desired, observed, planned }: Step): Promise<void> {
    const denial: Action = { kind: 'write-policy', policy: null };
    const isEnding = planned.actions.some((one) => isClosing(one) || isRemoval(one));
    const isOthers = action.kind === 'note-network' && action.network === null;
    const closing = planned.actions.find((one) => one.kind === 'write-policy' && isClosing(one)) ?? denial;
    const isThere = observed.pinned || observed.engine !== undefined;
    if ((isEnding || isOthers) && isThere && observed.filter.policyState !== 'empty')
      await this.#fallBack(action, tap, desired, observed, planned, [
        ...[closing, denial],
        ...lastResort(observed),
      ]);
    this.#results.set(tap, { ...unmade({ tap, desired, observed, planned }), inUse: isInUse(observed) });
  }

  async #act(
    action: Action,
    tap: string,
    observed: ObservedAttachment,
    vm: string | null,
  ): Promise<'done' | 'in-use'> {
    const place = this.#subject.place(tap, observed);
    const now = (): Outcome | Promise<Outcome> =>
      this.#subject.act?.(action, place, observed) ?? act(action, place, this.#ports, this.#ports.paths);
    // Only for what needs it: nothing that closes waits for the lock without need.
    const outcome = takesStateLock(action) ? await this.#ports.whenStateLockIsFree(now) : await now();
    if (outcome === 'done') this.#ports.onChange(describe(action), place.tap, vm);
    return outcome;
  }

  async #fallBack(
    failed: Action,
    tap: string,
    desired: DesiredAttachment,
    observed: ObservedAttachment,
    planned: Plan,
    closing: readonly Action[] = afterFailure(failed, desired, observed, planned),
  ): Promise<void> {
    for (const action of closing) {
      try {
        await this.#act(action, tap, observed, desired.vm);
        return;
      } catch {
        // The next one closes too; the first error is the one that is reported.
      }
    }
  }

  #failure(
    tap: string,
    desired: DesiredAttachment,
    observed: ObservedAttachment | null,
    planned: Plan | null,
    error: Blocked,
  ): AttachmentResult {
    this.#memory.retries.failed(tap, desired, error, this.#ports.clock.monotonicNs());
    const inUse = observed !== null && isInUse(observed);
    return { tap, desired, observed, policy: planned?.policy ?? null, error, verified: false, inUse };
  }

  #settle(
    tap: string,
    desired: DesiredAttachment,
    observed: ObservedAttachment,
    planned: Plan,
  ): AttachmentResult {
    this.#memory.retries.succeeded(tap);
    const { policy, blocked } = planned;
    const result = { tap, desired, observed, policy, inUse: isInUse(observed) };
    if (blocked !== null) return { ...result, error: blocked, verified: false };
    const intended = policy === null ? null : policyHash(encodePolicy(policy));
    if (observed.filter.policyHash !== intended) {
      return { ...result, error: doesNotStay(tap, []), verified: false };
    }
    return { ...result, error: null, verified: true };
  }

  #lookAgain(result: AttachmentResult, host: Host): AttachmentResult {
    try {
      const observed = this.#observe(result.tap, host);
      return { ...result, observed, inUse: isInUse(observed) };
    } catch {
      return { ...result, observed: null };
    }
  }
}

/** One attachment's part of a round. */
interface Step {
  readonly tap: string;
  readonly desired: DesiredAttachment;
  readonly observed: ObservedAttachment;
  readonly planned: Plan;
}

/** Not begun in this pass. */
function unmade({ tap, desired, observed }: Step): Omit<AttachmentResult, 'inUse'> {
  return { tap, desired, observed, policy: null, error: null, verified: false, unfinished: true };
}

/** What is still to be made was not touched. */
function isToBeSeenAgain({ verified, unfinished, observed }: AttachmentResult): boolean {
  const isUntouched = unfinished === true && observed?.pinned === false;
  return !verified && !isUntouched;
}

function asVmnError(cause: unknown, attempted: string, tap: string): VmnError {
  if (isVmnError(cause)) return cause;
  return new VmnError('VMN_READ_BACK', { attempted: `carry out ${attempted}`, on: tap, cause });
}
