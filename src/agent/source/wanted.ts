import type { Problem } from '../../api/manifest.ts';
import type { VmNetworkSpec } from '../../api/v1alpha1/vm-network-spec.ts';
import type { AttachmentIntent, NetworkPlan, PolicyIntent } from '../../controller/vmnetwork/plan.ts';
import type { GuestOrder } from '../guest/guest-order.ts';
import type { FoundCard } from '../wiring/card-key.ts';

/** What is wanted on this host at one moment. What is not named here is wanted by nobody. */
export interface Wanted {
  /** One for each VM that something names; without an intent the VM is denied, for the reason given. */
  readonly attachments: readonly AttachmentIntent[];
  /**
   * One for each network card that something names and that is not on a tap of ours, wherever it is; two for one card deny it.
   */
  readonly cards: readonly CardIntent[];
  /** What guests are to be told at their boot, by what the record of their card goes by. */
  readonly guests: ReadonlyMap<string, GuestOrder>;
  /** Requests for another key for the VMs of a network, by `namespace/name` of it; see rotationAsked. */
  readonly rotations: ReadonlyMap<string, string>;
  /** The networks that are known, refused ones too. */
  readonly networks: readonly DeclaredNetwork[];
  /** Everything could be read. While false, nothing is torn down: what seems to be gone may only be illegible. */
  readonly complete: boolean;
  readonly problems: readonly Problem[];
}

/** What is wanted of one network card of a VM that somebody else started. */
export interface CardIntent extends FoundCard {
  /** Null: nothing passes, for the reason given. */
  readonly intent: PolicyIntent | null;
  readonly network: string | null;
  readonly reason: string;
  /** It cannot be filtered, which is the reason. Told of cards that are on no interface, too. */
  readonly unsupported?: true;
}

/** A network as status shows it. */
export interface DeclaredNetwork {
  readonly plan: NetworkPlan;
  /** Where it stands: a file of the manifests folder, or the object of the cluster that it is known by. */
  readonly file: string;
  /** Of its spec; undefined where nobody counts. */
  readonly generation: number | undefined;
  readonly spec: Pick<VmNetworkSpec, 'desiredState' | 'enforcement' | 'mode' | 'sampling'>;
}

/** What planning needs to know of the host, as seen at the beginning of a pass. */
export interface HostView {
  readonly nodeName: string;
  /** The network (`namespace/name`) that each VM's policy came from last, by VM. */
  readonly holders: ReadonlyMap<string, string>;
  /** Every tap of ours by its name, with the card that its record tells; null: the record cannot be read, or is lost. */
  readonly taps: ReadonlyMap<string, OwnCard | null>;
  /** Of these, by name, those that a process has or is about to have, or whose violations are not to be forgotten. */
  readonly heldTaps: ReadonlySet<string>;
  /** The cards on taps of others that have a record, by the key of the card; see cardKeyOf. */
  readonly cards: ReadonlyMap<string, RecordedCard>;
  /** Why cards in these network namespaces cannot be filtered, by `net:[inode]`. */
  readonly closedSites: ReadonlyMap<string, string>;
  /** False: the records could not be listed, and a tap that is not in `taps` may be there all the same. */
  readonly complete: boolean;
  /** CLOCK_MONOTONIC. */
  readonly nowNs: bigint;
  /** Wall clock. */
  readonly nowMs: number;
}

export interface RecordedCard extends FoundCard {
  readonly guestAddress: string;
  /** Its guest was given a key. Absent: it was not. */
  readonly hasKey?: boolean;
  /** That the policy came from last. */
  readonly network: string | null;
}

export interface OwnCard {
  readonly vm: string;
  readonly mac: string;
  readonly guestAddress: string;
}
