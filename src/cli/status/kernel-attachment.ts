import type { Link, ReadBack } from '../../agent/host/kernel.ts';
import { ownerOfAlias } from '../../agent/wiring/identity.ts';
import type { RecordedGuest, RecordState } from '../../agent/wiring/record.ts';
import { attachmentFault } from '../../agent/wiring/verify.ts';
import { decodePolicy, MILLION, type Policy } from '../../native/policy-abi.ts';

/** What is known of one tap without an agent: the kernel's word, and the record's for names and addresses. */
export interface KernelAttachment {
  readonly vm: string;
  /** The network that gave the policy last in force, by the record. */
  readonly network: string | null;
  readonly tap: string;
  /** 0 while there is no interface. */
  readonly ifindex: number;
  readonly guestAddress: string | null;
  /**
   * `Enforced`: programs, policy and standing guard are in force; `Programmed`: the same, with a policy that lets pass
   * what it does not judge (Sampled) or only counts (Audit); `Denied`: verified and nothing passes.
   */
  readonly state: 'Enforced' | 'Programmed' | 'Denied' | 'Error';
  readonly inUse: boolean;
  readonly endpoint: string | null;
  readonly generation: bigint | null;
  readonly policyHash: string | null;
  /** What the guest was given at the last start of its VM, by the record; absent: no tunnel. */
  readonly guest?: RecordedGuest;
  readonly message: string;
}

/** Pure: puts together what was read. `link` is null when the interface is gone; `guarded`: see wiring/nft-table.ts. */
export function kernelAttachment(
  tap: string,
  record: RecordState,
  link: Link | null,
  found: ReadBack,
  guarded: boolean,
): KernelAttachment {
  const known = record.state === 'ok' ? record.record : null;
  const inForce = found.policy === null ? null : readPolicy(found.policy);
  const policy = inForce === 'foreign' ? null : inForce;
  return {
    vm: known?.vm ?? (link && ownerOfAlias(link.alias, tap))?.vm ?? '',
    network: known?.network ?? null,
    tap,
    ifindex: link?.ifindex ?? 0,
    guestAddress: policy?.guestAddress ?? known?.guestAddress ?? null,
    inUse: link?.carrier ?? false,
    endpoint: policy?.endpoint ? `${policy.endpoint.address}:${policy.endpoint.port}` : null,
    generation: policy?.generation ?? null,
    policyHash: found.policyHash,
    ...(known?.guest === undefined ? {} : { guest: known.guest }),
    ...judge(tap, record, link, found, inForce, guarded),
  };
}

const UNGUARDED =
  'the filter is in force, the standing guard behind it (nftables table inet vmnetwork) is not; a running agent restores it';

/** A policy of another version drops everything, and cannot be shown. */
function readPolicy(bytes: Uint8Array): Policy | 'foreign' {
  try {
    return decodePolicy(bytes);
  } catch {
    return 'foreign';
  }
}

function judge(
  tap: string,
  record: RecordState,
  link: Link | null,
  found: ReadBack,
  policy: Policy | 'foreign' | null,
  guarded: boolean,
): Pick<KernelAttachment, 'state' | 'message'> {
  if (link === null)
    return { state: 'Error', message: `there is no interface ${tap}; the agent removes what is left` };
  const fault = attachmentFault(found, link.ifindex);
  if (fault !== null) return { state: 'Error', message: fault };
  if (found.policyState === 'unknown')
    return { state: 'Error', message: 'the policy in force cannot be read back' };
  if (record.state === 'unreadable') return { state: 'Error', message: record.error.message };
  if (policy === 'foreign')
    return { state: 'Error', message: 'the policy is of another version: nothing passes' };
  if (policy === null) return { state: 'Denied', message: 'no policy: nothing passes' };
  if (policy.flags.quarantined) return { state: 'Denied', message: 'quarantined: nothing passes' };
  if (!guarded) return { state: 'Error', message: UNGUARDED };
  const unheld = whatPasses(policy);
  return unheld === null ? { state: 'Enforced', message: '' } : { state: 'Programmed', message: unheld };
}

/** What a policy lets pass although it is not for the endpoint; null: nothing. */
function whatPasses({ flags, mode, samplePerMillion }: Policy): string | null {
  if (mode === 'Direct') return 'mode Direct: the host does not enforce, all but the denied networks pass';
  if (flags.audit) return 'audit: what is not for the endpoint is counted, and passes';
  if (mode !== 'Sampled' || samplePerMillion === MILLION) return null;
  return `${samplePerMillion} of a million frames are held to the endpoint, the rest pass`;
}
