import { policyHash, encodePolicy } from '../../native/policy-abi.ts';
import type { Policy } from '../../native/policy-abi.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { pinDirOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { FoundFacts } from '../found/pass.ts';
import { act } from './act.ts';
import type { ActPlace, ActPorts } from './act.ts';
import type { DesiredAttachment } from './desired.ts';
import { afterFailure, isClosing } from './failure.ts';
import { observeAttachment, observeHost } from './observe.ts';
import type { ObservedHost } from './observe.ts';
import { isInUse } from './observed.ts';
import type { ObservedAttachment } from './observed.ts';
import { plan } from './plan.ts';
import type { Action, Blocked, Plan, PlanContext } from './plan.ts';
import type { RetryTable } from './retry.ts';

export interface RoundPorts extends ActPorts {
  readonly clock: Clock;
  readonly paths: AttachmentPaths;
  /** See PolicyContext. */
  readonly newSecret: () => Uint8Array;
  /** One call for each change made to the machine. */
  readonly onChange: (what: string, on: string, vm: string | null) => void;
}

/** What rounds are made over: taps that we made, or links of others. Each goes by the name of its pins. */
export interface RoundSubject<Host> {
  observeHost(): Host;
  observe(tap: string, host: Host): ObservedAttachment;
  /** Pure. */
  plan(tap: string, desired: DesiredAttachment, observed: ObservedAttachment, context: PlanContext): Plan;
  place(tap: string, observed: ObservedAttachment): ActPlace;
}

/** What passes hand on to the next. Losing it costs a retry or a generation number, never safety. */
export interface RoundMemory {
  readonly retries: RetryTable;
  /** Highest policy generation seen, by name of the pins. */
  readonly generations: Map<string, bigint>;
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
  /** What is told of the VM's cable; see vm-control/cables.ts. */
  readonly cable?: string | null;
  /** Of a link that somebody else made. */
  readonly found?: FoundFacts;
}

/**
 * How long one pass goes on making taps, or closing those that were found, ms; the rest is left to the next pass, which reads
 * the manifests anew. Each takes tens of milliseconds, and whatever closes a VM must not wait for hundreds of them.
 */
const MAKING_MS = 200;

/** Rounds that a healthy attachment needs from nothing: make, program and wire, look. The rest is for being disturbed. */
const MOST_ROUNDS = 6;

/**
 * Takes every attachment to what is desired of it: observe all, plan each, act; again, until every plan is empty. The
 * last observation is the read-back that status is made of. What happens to one attachment never touches the others.
 */
export function runRounds<Host>(
  desired: ReadonlyMap<string, DesiredAttachment>,
  guarded: boolean,
  memory: RoundMemory,
  ports: RoundPorts,
  subject: RoundSubject<Host>,
): AttachmentResult[] {
  const rounds = new Rounds(desired, memory, ports, guarded, subject);
  rounds.run();
  return rounds.results();
}

/** The taps that we made. */
export function ownTaps({ kernel, records, paths }: RoundPorts): RoundSubject<ObservedHost> {
  return {
    observeHost: () => observeHost(kernel, records, paths),
    observe: (tap, host) => observeAttachment(kernel, host, paths, tap),
    plan: (_tap, desired, observed, context) => plan(desired, observed, context),
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
  readonly #makingUntilNs: bigint;

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
    this.#makingUntilNs = ports.clock.monotonicNs() + BigInt(MAKING_MS) * 1_000_000n;
  }

  run(): void {
    for (let round = 1; round <= MOST_ROUNDS && this.#open().length > 0; round += 1) {
      const host = this.#subject.observeHost();
      const steps = this.#open().flatMap(([tap, desired]) => this.#look(tap, desired, host) ?? []);
      // Whatever closes goes first, and does not wait for the making of new taps, which takes longest.
      for (const step of steps.sort((a, b) => urgency(a) - urgency(b))) {
        if (round === MOST_ROUNDS) this.#giveUp(step);
        else if (this.#mustWait(step))
          this.#results.set(step.tap, { ...unmade(step), inUse: isInUse(step.observed) });
        else this.#carryOut(step);
      }
    }
    // What failed was changed by its own failure: look once more, so that status shows what is there.
    const unsettled = [...this.#results.values()].filter(({ verified }) => !verified);
    if (unsettled.length === 0) return;
    const host = this.#subject.observeHost();
    for (const result of unsettled) this.#results.set(result.tap, this.#lookAgain(result, host));
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
      now: this.#ports.clock.now().toISOString(),
      guarded: this.#guarded,
      endingOf: (process) => this.#ports.endings.progressOf(process),
    });
  }

  /** What is to be done for one attachment; null when it is settled, or cannot be read back. */
  #look(tap: string, desired: DesiredAttachment, host: Host): Step | null {
    try {
      const observed = this.#observe(tap, host);
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
    const makes = actions.length === 1 && actions.some(isMaking);
    return makes && this.#ports.clock.monotonicNs() > this.#makingUntilNs;
  }

  #giveUp({ tap, desired, observed, planned }: Step): void {
    const error = doesNotStay(tap, planned.actions);
    this.#results.set(tap, this.#failure(tap, desired, observed, planned, error));
  }

  /** Leaves a result when the attachment failed or is held back; otherwise the next round looks again. */
  #carryOut({ tap, desired, observed, planned }: Step): void {
    const held = this.#memory.retries.heldBack(tap, desired, this.#ports.clock.monotonicNs());
    for (const action of planned.actions) {
      if (held !== null && !isClosing(action)) break;
      try {
        if (this.#act(action, tap, observed, desired.vm) === 'done') continue;
        // Known now: the next round plans for a tap that stays.
        this.#held.add(tap);
        return;
      } catch (cause) {
        const error = asVmnError(cause, action.kind, tap);
        this.#fallBack(action, tap, desired, observed, planned);
        this.#results.set(tap, this.#failure(tap, desired, observed, planned, error));
        return;
      }
    }
    if (held === null) return;
    const { policy } = planned;
    const result = { tap, desired, observed, policy, error: held, verified: false, inUse: isInUse(observed) };
    this.#results.set(tap, result);
  }

  #act(action: Action, tap: string, observed: ObservedAttachment, vm: string | null): 'done' | 'in-use' {
    const place = this.#subject.place(tap, observed);
    const outcome = act(action, place, this.#ports, this.#ports.paths);
    if (outcome === 'done') this.#ports.onChange(describe(action), place.tap, vm);
    return outcome;
  }

  #fallBack(
    failed: Action,
    tap: string,
    desired: DesiredAttachment,
    observed: ObservedAttachment,
    planned: Plan,
  ): void {
    for (const action of afterFailure(failed, desired, observed, planned)) {
      try {
        this.#act(action, tap, observed, desired.vm);
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

/** Order within a round: what closes at once, what closes an open link, what changes, what makes a tap. */
function urgency({ planned: { actions } }: Step): number {
  // What leads to one link must be gone before it can lead to another.
  if (actions.some((action) => isUnwiring(action) || (isClosing(action) && !isMaking(action)))) return 0;
  if (actions.some(({ kind }) => kind === 'close-link')) return 1;
  return actions.some(isMaking) ? 3 : 2;
}

/** Programs are brought into the kernel. */
function isMaking({ kind }: Action): boolean {
  return kind === 'close-tap' || kind === 'close-link';
}

function isUnwiring({ kind }: Action): boolean {
  return kind === 'drop-route' || kind === 'drop-neighbour';
}

function doesNotStay(tap: string, actions: readonly Action[]): VmnError {
  const what = actions.length === 0 ? 'the policy' : actions.map(({ kind }) => kind).join(', ');
  const cause = new Error(`still differs after several attempts: ${what}`);
  return new VmnError('VMN_READ_BACK', {
    attempted: 'bring the attachment to its desired state',
    on: tap,
    cause,
  });
}

function asVmnError(cause: unknown, attempted: string, tap: string): VmnError {
  if (isVmnError(cause)) return cause;
  return new VmnError('VMN_READ_BACK', { attempted: `carry out ${attempted}`, on: tap, cause });
}

/** For the log: what changed, without what can be looked up. */
function describe(action: Action): string {
  switch (action.kind) {
    case 'write-policy':
    case 'replace-filter':
      return `${action.kind} ${action.policy === null ? 'deny-all' : briefly(action.policy)}`;
    case 'end-vm':
      return `${action.kind} pid ${action.holder.pid}`;
    case 'note-violations':
      return `${action.kind} ${action.violations?.quarantinedAt == null ? 'settled' : 'quarantined'}`;
    case 'add-route':
    case 'drop-route':
    case 'set-neighbour':
    case 'drop-neighbour':
      return `${action.kind} ${action.address}`;
    case 'close-tap':
    case 'close-link':
    case 'leave-bridge':
    case 'make-record':
    case 'remove-pins':
    case 'link-down':
    case 'link-up':
    case 'link':
    case 'settings':
    case 'note-network':
    case 'tear-down':
      return action.kind;
  }
}

function briefly({ mode, endpoint, flags, generation }: Policy): string {
  const words = [`${endpoint.address}:${endpoint.port}`, mode];
  if (flags.audit) words.push('audit');
  if (flags.quarantined) words.push('quarantined');
  return [...words, `generation ${generation}`].join(' ');
}
