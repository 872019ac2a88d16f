import { isVmnError, VmnError } from '../../lib/errors.ts';
import { ensureGuard, removeHostWiring, syncForwarding } from '../host/host-wiring.ts';
import type { HostWiringPorts } from '../host/host-wiring.ts';
import type { RouteAnswer } from '../host/kernel.ts';
import type { Nft } from '../host/nft.ts';
import type { HostView, OwnCard, Wanted } from '../source/wanted.ts';
import { cidrRange, overlaps } from '../wiring/address-pool.ts';
import type { OpenedUplinks } from '../wiring/opened-uplinks.ts';
import { desiredAttachments, tapClashes } from './desired.ts';
import { existingTaps, observeHost } from './observe.ts';
import type { ObservedHost } from './observe.ts';
import type { Blocked } from './plan.ts';
import { runRounds } from './rounds.ts';
import type { AttachmentResult, RoundMemory, RoundPorts } from './rounds.ts';

/*
 * Theory of operation
 *
 * A pass takes the whole host from whatever it is to what is wanted of it, or as near as errors allow:
 *
 *   1  what is wanted (pure), from the source of the wishes and from what exists
 *   2  the standing guard, before any tap can come up
 *   3  the attachments, in rounds; see rounds.ts
 *   4  forwarding of the uplinks that programmed endpoints are reached by
 *   5  when nothing is left at all: guard, forwarding and shared pins are removed
 */

export interface PassPorts extends RoundPorts {
  readonly nft: Nft;
  readonly uplinks: OpenedUplinks;
  /** As the source of the wishes knows this host. */
  readonly nodeName: string;
  /** The pins that all attachments share are about to be removed: let go of them. */
  readonly onLastDetached: () => void;
}

export interface HostProblem {
  readonly on: string;
  readonly error: Blocked;
}

export interface PassResult {
  /** What it was asked for. */
  readonly wanted: Wanted;
  readonly attachments: readonly AttachmentResult[];
  /** What is wrong with the host, not with one attachment. */
  readonly problems: readonly HostProblem[];
  /** Endpoint addresses that this host has no route to. */
  readonly unreachable: ReadonlySet<string>;
}

/** `askWishes` is called once, when the host has been looked at. */
export async function reconcile(
  askWishes: (host: HostView) => Wanted,
  memory: RoundMemory,
  ports: PassPorts,
): Promise<PassResult> {
  const { kernel, records, paths } = ports;
  const problems: HostProblem[] = [];
  const routes = new RouteAnswers(ports);
  const host = observeHost(kernel, records, paths);
  const existing = existingTaps(host);
  const wanted = askWishes(viewOf(host, existing, ports));
  problems.push(...tapClashes(wanted.attachments).map(clashProblem));
  if (host.recordsError !== null) problems.push({ on: paths.stateDir, error: host.recordsError });
  const desired = desiredAttachments({
    attachments: wanted.attachments,
    networks: new Set(wanted.networks.map(({ plan }) => plan.key)),
    complete: wanted.complete,
    records: host.records,
    existing,
    pool: paths.pool,
    routeTo: (address) => routes.to(address),
  });
  memory.retries.keepOnly(desired);

  const wiring: HostWiringPorts = {
    kernel,
    nft: ports.nft,
    uplinks: ports.uplinks,
    pool: paths.pool,
    onChange: (what, on) => ports.onChange(what, on, null),
  };
  const guard = desired.size === 0 ? null : await attempt(problems, () => ensureGuard(wiring));
  if (desired.size > 0) problems.push(...poolProblems(ports));

  const attachments = runRounds(desired, guard !== null, memory, ports);

  const allowed = allowedEndpoints(attachments, ports.clock.monotonicNs());
  const needed = [...new Set(allowed.flatMap((address) => routes.to(address)?.name ?? []))];
  if (guard !== null) await attempt(problems, () => syncForwarding(wiring, guard, needed));
  if (attachments.every(isNothing)) await attempt(problems, () => removeShared(wiring, ports));
  const unreachable = allowed.filter((address) => routes.to(address) === null);
  return { wanted, attachments, problems, unreachable: new Set(unreachable) };
}

async function removeShared(wiring: HostWiringPorts, ports: PassPorts): Promise<void> {
  await removeHostWiring(wiring);
  ports.onLastDetached();
  // Under the lock: `vmnetctl run` may be about to pin there.
  ports.withStateLock(() => ports.kernel.removeSharedPins(ports.paths.bpffs));
}

function viewOf(
  { records, recordsError }: ObservedHost,
  existing: ReadonlySet<string>,
  { nodeName, clock }: PassPorts,
): HostView {
  const holders = new Map<string, string>();
  const taps = new Map<string, OwnCard | null>([...existing].map((tap) => [tap, null]));
  for (const [tap, state] of records) {
    if (state.state !== 'ok') {
      taps.set(tap, null);
      continue;
    }
    const { vm, guestMac, guestAddress, network } = state.record;
    taps.set(tap, { vm, mac: guestMac, guestAddress });
    if (network !== null) holders.set(vm, network);
  }
  const complete = recordsError === null;
  return { nodeName, holders, taps, complete, nowNs: clock.monotonicNs(), nowMs: clock.nowMs() };
}

function clashProblem({ tap, vms }: { tap: string; vms: string[] }): HostProblem {
  return {
    on: tap,
    error: {
      code: 'VMN_TAP_NOT_OURS',
      message: `the names of VMs ${vms.join(' and ')} lead to the same tap name; only one that has the tap already is served`,
      remedy: 'Give all but one of these VMs another name.',
    },
  };
}

function isNothing({ observed, verified }: AttachmentResult): boolean {
  return verified && observed !== null && observed.link === null && observed.record.state === 'absent';
}

/** Addresses that some attachment may send to: by the policy that is wanted, and by the one last seen in force. */
function allowedEndpoints(attachments: readonly AttachmentResult[], nowNs: bigint): string[] {
  const policies = attachments.flatMap(({ policy, observed }) => [policy, observed?.policy ?? null]);
  return policies.flatMap((policy) => {
    if (policy === null || policy.flags.quarantined) return [];
    const { endpoint, previous } = policy;
    const inGrace = previous !== null && previous.untilNs > nowNs;
    return inGrace ? [endpoint.address, previous.address] : [endpoint.address];
  });
}

/** The host's answers, asked once a pass. An address it gives no answer for counts as unreachable. */
class RouteAnswers {
  readonly #ports: PassPorts;
  readonly #answers = new Map<string, RouteAnswer | null>();

  constructor(ports: PassPorts) {
    this.#ports = ports;
  }

  to(address: string): RouteAnswer | null {
    const known = this.#answers.get(address);
    if (known !== undefined) return known;
    const answer = this.#ask(address);
    this.#answers.set(address, answer);
    return answer;
  }

  #ask(address: string): RouteAnswer | null {
    try {
      return this.#ports.kernel.routeTo(address);
    } catch (error) {
      if (isVmnError(error)) return null;
      throw error;
    }
  }
}

/** Addresses that the host routes elsewhere would be taken away from there, one by one. */
function poolProblems({ kernel, paths }: PassPorts): HostProblem[] {
  const pool = cidrRange(paths.pool);
  return kernel
    .foreignRoutes()
    .filter(({ destination, prefixLength }) => overlaps(pool, cidrRange(`${destination}/${prefixLength}`)))
    .map(({ destination, prefixLength }) => ({
      on: paths.pool,
      error: {
        code: 'VMN_USAGE',
        message: `the pool of guest addresses ${paths.pool} overlaps the host's route ${destination}/${prefixLength}`,
        remedy: 'Give --pool a network that this host does not use otherwise.',
      },
    }));
}

/** Runs one step that concerns the host as a whole; its failure is a problem and not the end of the pass. */
async function attempt<T>(problems: HostProblem[], step: () => Promise<T>): Promise<T | null> {
  try {
    return await step();
  } catch (cause) {
    const error = isVmnError(cause)
      ? cause
      : new VmnError('VMN_NFT_FAILED', { attempted: 'wire the host', cause });
    problems.push({ on: 'host', error });
    return null;
  }
}
