import type { AttachmentIntent, PolicyIntent } from '../../controller/vmnetwork/plan.ts';
import type { RouteAnswer } from '../host/kernel.ts';
import { cidrRange, contains } from '../wiring/address-pool.ts';
import { identityOf, isTapName } from '../wiring/identity.ts';
import type { AttachmentRecord, RecordState } from '../wiring/record.ts';
import { withOwnDenied } from './own-addresses.ts';
import type { OwnAddresses } from './own-addresses.ts';

/** What is wanted of one attachment, by tap. */
export type DesiredAttachment =
  | {
      readonly want: 'program';
      readonly vm: string;
      readonly network: string;
      /** As whoever wants it gave it; what is said of an attachment is said of the very one that it asks for. */
      readonly asked: PolicyIntent;
      /** As this host enforces it; see withOwnDenied. */
      readonly intent: PolicyIntent;
    }
  /** Closed, and kept. */
  | {
      readonly want: 'deny';
      readonly vm: string | null;
      readonly network: string | null;
      readonly reason: string;
    }
  /** Nobody wants it: closed, and removed once no VM holds it. */
  | { readonly want: 'gone'; readonly vm: string | null; readonly reason: string };

export interface DesiredInput {
  readonly attachments: readonly AttachmentIntent[];
  /** Keys of the networks that could be read. */
  readonly networks: ReadonlySet<string>;
  /** Every manifest was read; see ManifestSet. */
  readonly complete: boolean;
  readonly records: ReadonlyMap<string, RecordState>;
  /** Taps of ours and pins that exist, whether or not a record knows them. */
  readonly existing: Iterable<string>;
  readonly pool: string;
  /** How the host would reach an address; null when it would not. */
  readonly routeTo: (address: string) => RouteAnswer | null;
  readonly own: Pick<OwnAddresses, 'besides'>;
}

/**
 * Joins what the networks say with what this host has. Pure but for `routeTo` and `own`. Everything the host has gets an answer:
 * what no network names is to be gone, or only closed while some manifest cannot be read.
 */
export function desiredAttachments(input: DesiredInput): Map<string, DesiredAttachment> {
  const desired = new Map<string, DesiredAttachment>();
  const clashes = addressClashes(input.records);
  for (const [tap, claimants] of claimantsByTap(input.attachments)) {
    const holder = recordOf(input.records.get(tap))?.vm;
    const attachment = claimants.find(({ vm }) => vm === holder) ?? claimants[0];
    if (attachment === undefined) continue;
    if (claimants.length > 1 && attachment.vm !== holder) {
      const reason = `VMs ${claimants.map(({ vm }) => vm).join(' and ')} have the same tap name; rename one`;
      desired.set(tap, { want: 'deny', vm: null, network: null, reason });
    } else {
      desired.set(tap, wanted(attachment, tap, input, clashes));
    }
  }
  for (const tap of new Set([...input.records.keys(), ...input.existing])) {
    if (desired.has(tap) || !isTapName(tap)) continue;
    const vm = recordOf(input.records.get(tap))?.vm ?? null;
    const reason = 'no VMNetwork names this VM';
    if (input.complete) desired.set(tap, { want: 'gone', vm, reason });
    else desired.set(tap, { want: 'deny', vm, network: null, reason: `${reason} that can be read` });
  }
  return desired;
}

function wanted(
  { vm, intent, network, reason }: AttachmentIntent,
  tap: string,
  input: DesiredInput,
  clashes: ReadonlyMap<string, string>,
): DesiredAttachment {
  const deny = (why: string): DesiredAttachment => ({ want: 'deny', vm, network, reason: why });
  if (intent === null) return deny(reason);
  const record = recordOf(input.records.get(tap));
  if (record !== null && record.vm !== vm) {
    return deny(
      `tap ${tap} belongs to VM ${record.vm}, whose name leads to the same tap name; rename this VM`,
    );
  }
  const fault = addressFault(record, clashes, input.pool);
  if (fault !== null) return deny(fault);
  const enforced = enforcedHere(intent, record, input);
  if (typeof enforced === 'string') return deny(enforced);
  return { want: 'program', vm, network: intent.network, asked: intent, intent: enforced };
}

export type ObjectionInput = Pick<DesiredInput, 'networks' | 'complete' | 'pool' | 'routeTo' | 'own'>;

/** An intent as it is enforced on this host. A text: why it is not, although nothing is wrong with the tap. */
export function enforcedHere(
  intent: PolicyIntent,
  record: AttachmentRecord | null,
  input: ObjectionInput,
): PolicyIntent | string {
  return objectionTo(intent, record, input) ?? withOwnDenied(intent, input.own, input.pool);
}

function objectionTo(
  intent: PolicyIntent,
  record: AttachmentRecord | null,
  input: ObjectionInput,
): string | null {
  const objection =
    takeover(intent, record, input) ??
    (intent.endpoint === null ? null : endpointRefusal(intent.endpoint, 'consumerEndpoint', input));
  if (objection !== null) return objection;
  // One that was in force was asked before; one that is only stated was not.
  const stated = intent.previous?.endpoint;
  return stated === undefined ? null : endpointRefusal(stated, 'previousEndpoint', input);
}

/** Why the guest cannot go by the address that was written down for it; null: it can. */
export function addressFault(
  record: AttachmentRecord | null,
  clashes: ReadonlyMap<string, string>,
  pool: string,
): string | null {
  if (record === null) return null;
  const clash = clashes.get(record.tap);
  if (clash !== undefined)
    return `guest address ${record.guestAddress} is also that of ${clash}, which is older`;
  if (contains(cidrRange(pool), record.guestAddress)) return null;
  return `guest address ${record.guestAddress} lies outside the pool ${pool}; start with the former --pool`;
}

/**
 * A VM whose network became illegible is not handed to the next network that names it: the first one still holds it,
 * we just cannot read what it says.
 */
function takeover(
  intent: PolicyIntent,
  record: AttachmentRecord | null,
  input: ObjectionInput,
): string | null {
  const holder = record?.network ?? null;
  if (input.complete || holder === null || holder === intent.network || input.networks.has(holder))
    return null;
  return `VMNetwork ${holder} holds this VM and is not among the manifests that can be read; correct or remove it`;
}

function endpointRefusal(
  { address }: NonNullable<PolicyIntent['endpoint']>,
  field: string,
  { pool, routeTo }: ObjectionInput,
): string | null {
  if (contains(cidrRange(pool), address)) {
    return `spec.${field}.address ${address} lies in the pool of guest addresses ${pool}`;
  }
  if (routeTo(address)?.local === true) {
    return `spec.${field}.address ${address} is an address of this host, or no single host's, and no guest may reach it`;
  }
  return null;
}

/** VMs whose names lead to one tap name, with that name; see Identity. Names can be chosen so that they do. */
export function tapClashes(attachments: readonly AttachmentIntent[]): { tap: string; vms: string[] }[] {
  return [...claimantsByTap(attachments)]
    .filter(([, claimants]) => claimants.length > 1)
    .map(([tap, claimants]) => ({ tap, vms: claimants.map(({ vm }) => vm) }));
}

function claimantsByTap(attachments: readonly AttachmentIntent[]): Map<string, AttachmentIntent[]> {
  const claimants = new Map<string, AttachmentIntent[]>();
  for (const attachment of attachments) {
    const { tap } = identityOf(attachment.vm);
    claimants.set(tap, [...(claimants.get(tap) ?? []), attachment]);
  }
  return claimants;
}

/** Taps whose guest address an older record has too, with the VM of that record. */
export function addressClashes(records: ReadonlyMap<string, RecordState>): Map<string, string> {
  const oldestFirst = [...records.values()]
    .flatMap((state) => (state.state === 'ok' ? [state.record] : []))
    .sort((a, b) => (a.createdAt + a.tap < b.createdAt + b.tap ? -1 : 1));
  const holders = new Map<string, string>();
  const clashes = new Map<string, string>();
  for (const record of oldestFirst) {
    const holder = holders.get(record.guestAddress);
    if (holder === undefined) holders.set(record.guestAddress, record.vm);
    else clashes.set(record.tap, holder);
  }
  return clashes;
}

function recordOf(state: RecordState | undefined): AttachmentRecord | null {
  return state?.state === 'ok' ? state.record : null;
}
