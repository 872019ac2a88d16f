import type { ObservedAttachment } from '../attachment/observed.ts';
import type { AttachmentResult } from '../attachment/rounds.ts';
import { isSilentOrEnded } from '../userspace/engine-view.ts';
import { GATEWAY_ADDRESS, GATEWAY_MAC, identityOf } from '../wiring/identity.ts';
import { MILLION } from '../../native/policy-abi.ts';
import type { Policy } from '../../native/policy-abi.ts';
import type { Claim } from '../wiring/record.ts';
import { engineOf } from '../wiring/verify.ts';
import type { CardEngine } from '../wiring/verify.ts';
import { percent } from './detection.ts';
import { NOT_LOOKED_AT, tunnelStatus } from './tunnel.ts';
import { FirewallBypass } from './firewall-bypass.ts';
import { ViolationLog } from './violation-log.ts';
import type { AttachmentState, AttachmentStatus, EnforcedPolicy } from './status.ts';

/** What the filters told, by card. */
export interface Told {
  readonly violations: ViolationLog;
  readonly bypass: FirewallBypass;
}

export function nothingTold(): Told {
  return { violations: new ViolationLog(), bypass: new FirewallBypass() };
}

/** Status of one attachment, from the last observation of a pass. `verifiedAt`: ISO 8601, the end of that pass. */
export function attachmentStatus(
  result: AttachmentResult,
  unreachable: ReadonlySet<string>,
  verifiedAt: string,
  told: Told,
): AttachmentStatus {
  const { desired, observed, tap: pins, inUse, found } = result;
  const record = observed?.record.state === 'ok' ? observed.record.record : null;
  const bypass = told.bypass.of(pins);
  const vm = desired.vm ?? record?.vm ?? observed?.link?.owner?.vm ?? '';
  return {
    vm,
    network: desired.want === 'gone' ? null : desired.network,
    tap: observed === null ? pins : observed.tap,
    pins,
    ifindex: observed?.link?.ifindex ?? 0,
    mac:
      record?.guestMac ??
      found?.card?.mac ??
      (vm === '' || found !== undefined ? '' : identityOf(vm).guestMac),
    guestAddress: record?.guestAddress ?? null,
    gatewayAddress: GATEWAY_ADDRESS,
    gatewayMac: GATEWAY_MAC,
    state: stateOf(result),
    inUse,
    engine: cardEngineOf(observed),
    enforced: enforcedPolicy(result, verifiedAt),
    ...(isLost(result.lost) ? { detached: true } : {}),
    ...(isEngineLost(result) ? { engineLost: true } : {}),
    violations: {
      crossings: observed?.crossings ?? null,
      quarantinedAt: record?.violations?.quarantinedAt ?? null,
      last: told.violations.of(pins),
    },
    tunnel:
      observed?.engine === undefined
        ? tunnelStatus(policyReadBack(result), observed?.tunnel ?? null, verifiedAt)
        : NOT_LOOKED_AT,
    ...(record?.guest === undefined ? {} : { guest: record.guest }),
    ...(result.guest === undefined ? {} : { provisioning: result.guest }),
    ...(bypass === null ? {} : { bypass }),
    message: messageOf(result, unreachable),
  };
}

function stateOf({ error, verified, policy, desired, lost }: AttachmentResult): AttachmentState {
  if (error !== null || isLost(lost)) return 'Error';
  if (!verified) return 'Pending';
  if (desired.want !== 'program' || policy === null) return 'Denied';
  return extentOf(policy) === 'all' ? 'Enforced' : 'Programmed';
}

/** How much of what passes is as the endpoint wants it: all, what was drawn, or nothing is held to it, with or without an endpoint. */
function extentOf({ flags, mode, samplePerMillion }: Policy): 'all' | 'sampled' | 'audited' | 'direct' {
  if (flags.quarantined) return 'all';
  if (mode === 'Direct') return 'direct';
  if (flags.audit) return 'audited';
  return mode === 'Sampled' && samplePerMillion < MILLION ? 'sampled' : 'all';
}

/** Filled only when this very read-back showed the policy in force between two programs in their places. */
function enforcedPolicy({ observed, verified }: AttachmentResult, verifiedAt: string): EnforcedPolicy | null {
  if (!verified || observed === null || observed.fault !== null || observed.policy === null) return null;
  const { fromVm, toVm, policyHash } = observed.filter;
  const generation = Number(observed.policy.generation);
  if (observed.engine !== undefined) {
    const process = engineProcessOf(observed);
    return process === null || policyHash === null ? null : { policyHash, process, generation, verifiedAt };
  }
  if (fromVm === null || toVm === null || policyHash === null) return null;
  return {
    policyHash,
    programTag: { fromVm: fromVm.programTag, toVm: toVm.programTag },
    linkId: { fromVm: fromVm.linkId, toVm: toVm.linkId },
    generation,
    verifiedAt,
  };
}

/** What was read back between two programs in their places, whosever wish it is. */
function policyReadBack({ observed }: AttachmentResult): Policy | null {
  return observed === null || observed.link === null || observed.fault !== null ? null : observed.policy;
}

function cardEngineOf(observed: ObservedAttachment | null): CardEngine {
  if (observed?.engine !== undefined) return 'userspace';
  return observed === null ? 'tcx' : engineOf(observed.filter);
}

/** The process that answered, if it is confined. */
function engineProcessOf({ engine, record }: ObservedAttachment): Claim | null {
  const isSound = engine?.state === 'answers' && engine.fault === null;
  return isSound && record.state === 'ok' ? (record.record.engine?.process ?? null) : null;
}

/** What its policy says is in nobody's hands, or not in those of a process that it may be in. */
function isEngineLost({ observed, error }: AttachmentResult): boolean {
  const engine = observed?.engine;
  if (engine === undefined || error === null) return false;
  return isSilentOrEnded(engine) || (engine.state === 'answers' && engine.fault !== null);
}

function messageOf(result: AttachmentResult, unreachable: ReadonlySet<string>): string {
  const { error, lost } = result;
  if (error !== null) return `${error.message}. ${kept(result)}`;
  return isLost(lost)
    ? `somebody removed the filter (${lost}): closed at once, and restored; ${now(result, unreachable)}`
    : now(result, unreachable);
}

function now(result: AttachmentResult, unreachable: ReadonlySet<string>): string {
  const { desired, policy, verified, inUse, observed } = result;
  if (desired.want === 'program' && policy !== null) {
    if (policy.flags.quarantined) return `${quarantine(result)}: nothing passes${cableOf(result)}`;
    if (policy.endpoint === null) return `${DIRECT}${noteOf(result)}`;
    const { address, port } = policy.endpoint;
    const route = unreachable.has(address) ? '; this host has no route to it' : '';
    const note = `${route}${noteOf(result)}`;
    switch (extentOf(policy)) {
      case 'all':
      case 'direct':
        return `only ${address}:${port} passes${note}`;
      case 'sampled':
        return `${percent(policy.samplePerMillion)} of the frames are held to ${address}:${port}, the rest pass${note}`;
      case 'audited':
        return `what is not for ${address}:${port} is counted, and passes${note}`;
    }
  }
  const why = desired.want === 'program' ? 'not programmed yet' : desired.reason;
  const waits = desired.want === 'gone' && inUse ? '; the tap is removed once the VM lets go of it' : '';
  const closed = verified || observed?.filter.policyState === 'empty' ? 'nothing passes' : 'being closed';
  return `${closed}: ${why}${waits}`;
}

function isLost(lost: string | null | undefined): lost is string {
  return lost !== null && lost !== undefined;
}

const DIRECT = 'mode Direct: the host does not enforce whom it talks to, but for the denied networks';

/** Nothing that runs behind ours lets more through. */
function noteOf(result: AttachmentResult): string {
  const foreign = result.observed?.beside.foreign ?? [];
  const company =
    foreign.length === 0 ? '' : `; behind the filter runs what may drop it yet: ${foreign.join(', ')}`;
  return `${company}${cableOf(result)}`;
}

function cableOf({ cable = null }: AttachmentResult): string {
  return cable === null ? '' : `; ${cable}`;
}

function quarantine({ observed }: AttachmentResult): string {
  const record = observed?.record.state === 'ok' ? observed.record.record : null;
  const since = record?.violations?.quarantinedAt ?? null;
  if (since === null) return 'quarantined';
  const ending = record?.violations?.toEnd === true ? ', and to be ended' : '';
  return `quarantined since ${since} for its violations${ending}`;
}

/** What an attachment in error still lets through, as just seen. */
function kept({ observed }: AttachmentResult): string {
  if (observed === null || observed.engine?.state === 'silent') return 'What is in force is not known.';
  if (observed.engine?.state === 'answers') return ofPolicy(observed) ?? 'What is in force is not known.';
  if (observed.link === null) {
    const { fromVm, toVm, policyState } = observed.filter;
    const elsewhere = fromVm?.ifindex ?? toVm?.ifindex ?? 0;
    if (elsewhere === 0) return 'The VM has no network.';
    const what = policyState === 'empty' ? 'nothing passes' : 'what is in force is not known';
    return `The tap was renamed or moved (its filter is on ifindex ${elsewhere}): ${what}.`;
  }
  if (observed.link.owner === null) return '';
  if (!observed.link.up && observed.fault !== null) return 'The tap is down: nothing passes.';
  return (observed.fault === null ? ofPolicy(observed) : null) ?? 'What is in force is not known.';
}

function ofPolicy({ filter, policy }: ObservedAttachment): string | null {
  if (filter.policyState === 'empty') return 'Nothing passes.';
  if (policy === null) return null;
  const { endpoint } = policy;
  if (endpoint === null) return `The previous policy is in force: ${DIRECT}.`;
  return `The previous policy is in force: only ${endpoint.address}:${endpoint.port} passes.`;
}
