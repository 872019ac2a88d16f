import { planVmNetworks } from '../../controller/vmnetwork/plan.ts';
import type { VmNetworkPlan } from '../../controller/vmnetwork/plan.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { ensureGuard, removeHostWiring, syncForwarding } from '../host/host-wiring.ts';
import type { HostWiringPorts } from '../host/host-wiring.ts';
import type { RouteAnswer } from '../host/kernel.ts';
import type { Nft } from '../host/nft.ts';
import type { ManifestSet } from '../source/manifest-set.ts';
import { cidrRange, overlaps } from '../wiring/address-pool.ts';
import type { OpenedUplinks } from '../wiring/opened-uplinks.ts';
import type { RecordState } from '../wiring/record.ts';
import { desiredAttachments, tapClashes } from './desired.ts';
import { existingTaps, observeHost } from './observe.ts';
import type { Blocked } from './plan.ts';
import { runRounds } from './rounds.ts';
import type { AttachmentResult, RoundMemory, RoundPorts } from './rounds.ts';

/*
 * Theory of operation
 *
 * A pass takes the whole host from whatever it is to what the manifests say, or as near as errors allow:
 *
 *   1  what is wanted (pure), from manifests and from what exists
 *   2  the standing guard, before any tap can come up
 *   3  the attachments, in rounds; see rounds.ts
 *   4  forwarding of the uplinks that programmed endpoints are reached by
 *   5  when nothing is left at all: guard, forwarding and shared pins are removed
 */

export interface PassPorts extends RoundPorts {
  readonly nft: Nft;
  readonly uplinks: OpenedUplinks;
  /** For `selector.nodeName`. */
  readonly nodeName: string;
  /** The pins that all attachments share are about to be removed: let go of them. */
  readonly onLastDetached: () => void;
}

export interface HostProblem {
  readonly on: string;
  readonly error: Blocked;
}

export interface PassResult {
  readonly networks: VmNetworkPlan;
  readonly attachments: readonly AttachmentResult[];
  /** What is wrong with the host, not with one attachment. */
  readonly problems: readonly HostProblem[];
  /** Endpoint addresses that this host has no route to. */
  readonly unreachable: ReadonlySet<string>;
}

export async function reconcile(
  set: ManifestSet,
  memory: RoundMemory,
  ports: PassPorts,
): Promise<PassResult> {
  const { kernel, records, paths } = ports;
  const problems: HostProblem[] = [];
  const routes = new RouteAnswers(ports);
  const host = observeHost(kernel, records, paths);
  const networks = planVmNetworks({
    networks: set.networks.map(({ network }) => network),
    classes: set.classes,
    classesInDoubt: set.classesInDoubt,
    nodeName: ports.nodeName,
    holders: holdersOf(host.records),
  });
  problems.push(...tapClashes(networks.attachments).map(clashProblem));
  if (host.recordsError !== null) problems.push({ on: paths.stateDir, error: host.recordsError });
  const desired = desiredAttachments({
    attachments: networks.attachments,
    networks: new Set(networks.networks.map(({ key }) => key)),
    complete: set.complete,
    records: host.records,
    existing: existingTaps(host),
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
  return { networks, attachments, problems, unreachable: new Set(unreachable) };
}

async function removeShared(wiring: HostWiringPorts, ports: PassPorts): Promise<void> {
  await removeHostWiring(wiring);
  ports.onLastDetached();
  // Under the lock: `vmnetctl run` may be about to pin there.
  ports.withStateLock(() => ports.kernel.removeSharedPins(ports.paths.bpffs));
}

/** Which network each VM's policy came from. */
function holdersOf(records: ReadonlyMap<string, RecordState>): Map<string, string> {
  const holders = new Map<string, string>();
  for (const state of records.values()) {
    if (state.state === 'ok' && state.record.network !== null)
      holders.set(state.record.vm, state.record.network);
  }
  return holders;
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
