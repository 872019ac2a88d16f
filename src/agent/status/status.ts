import type { Condition } from '../../api/v1alpha1/conditions.ts';
import type { Problem } from '../../api/manifest.ts';
import type { GuestState } from '../guest/provisioning.ts';
import type { BypassSeen } from './firewall-bypass.ts';
import type { Claim, RecordedGuest } from '../wiring/record.ts';
import type { CardEngine } from '../wiring/verify.ts';
import type { TunnelStatus } from './tunnel.ts';

/**
 * What the agent says about itself on its socket (`GET /v1/status`). Everything under `enforced` was read back from the
 * kernel at `verifiedAt`; nothing here is a memory of what was written.
 */
export interface AgentStatus {
  readonly agent: AgentInfo;
  readonly networks: readonly NetworkStatus[];
  readonly attachments: readonly AttachmentStatus[];
  /** What stops something from working, each with its remedy; manifests first, then host and attachments. */
  readonly problems: readonly Problem[];
}

export interface AgentInfo {
  readonly version: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The manifests folder; null: the wishes come from the API server. */
  readonly manifests: string | null;
  readonly bpffs: string;
  /** Kernel tags of the programs this agent carries; an attachment that shows others is about to be upgraded. */
  readonly programTags: ProgramPair<string>;
}

export interface ProgramPair<T> {
  readonly fromVm: T;
  readonly toVm: T;
}

export interface NetworkStatus {
  readonly namespace: string;
  readonly name: string;
  /** File of the manifests folder that declares it; in a cluster the VMNetworkAttachment that it is known by. */
  readonly file: string;
  readonly generation: number;
  readonly mode: string;
  readonly endpoint: { readonly address: string; readonly port: number } | null;
  readonly conditions: readonly Condition[];
  /** Names of the VMs bound to it. */
  readonly attachments: readonly string[];
}

/**
 * - `Pending`: wanted, not closed and wired yet.
 * - `Denied`: closed; nothing passes, as intended.
 * - `Programmed`: as `Enforced`, but the policy itself lets pass what it does not judge (Sampled) or only counts (Audit).
 * - `Enforced`: the intended policy and both programs were just read back and match.
 * - `Error`: not as intended; `message` says why. Closed, or with its old policy intact (see the message). For some seconds also when
 *   somebody had removed the filter, which was restored.
 */
export type AttachmentState = 'Denied' | 'Programmed' | 'Enforced' | 'Pending' | 'Error';

export interface AttachmentStatus {
  /** Its name, or of one that was found its id. Empty when neither record, manifest nor interface can tell it. */
  readonly vm: string;
  /** `namespace/name` of the network bound to it. */
  readonly network: string | null;
  /** Name of the interface; it may have another next time, but for a tap that we made. On a userspace engine, of its record. */
  readonly tap: string;
  /** Name of the folder below `bpffs` that its programs are pinned in; on a userspace engine of its record, as `tap`. */
  readonly pins: string;
  /** 0 while there is no interface. */
  readonly ifindex: number;
  readonly mac: string;
  readonly guestAddress: string | null;
  readonly gatewayAddress: string;
  readonly gatewayMac: string;
  readonly state: AttachmentState;
  /** A process holds the tap, or has claimed it and is alive. */
  readonly inUse: boolean;
  readonly engine: CardEngine;
  readonly enforced: EnforcedPolicy | null;
  /** Somebody had removed its filter a moment ago. */
  readonly detached?: boolean;
  /** Its userspace engine has ended, or cannot be read back. */
  readonly engineLost?: boolean;
  readonly violations: ViolationStatus;
  /** Whether its tunnel stands, by the shape of what passes; nothing is enforced by it. */
  readonly tunnel: TunnelStatus;
  /** What the guest was given at the last start of its VM; absent: no tunnel. */
  readonly guest?: RecordedGuest;
  /** Of one that somebody else started: whether it was given its seed image. Absent: its network does not ask for it. */
  readonly provisioning?: GuestState;
  /** It sends what the firewall that it was given would have stopped; absent: nothing of that was seen. */
  readonly bypass?: BypassSeen;
  readonly message: string;
}

/** What the VM tried that it may not. */
export interface ViolationStatus {
  /** How often the threshold was reached, as the kernel counted since the filter was attached; null: not known. */
  readonly crossings: number | null;
  /** Since when nothing passes because of them (ISO 8601); null: it is not so. */
  readonly quarantinedAt: string | null;
  /** Of those that this agent was told of, the latest distinct ones, newest last, at most 8. */
  readonly last: readonly SeenViolation[];
}

export interface SeenViolation {
  /** Of the latest of its kind. ISO 8601. */
  readonly time: string;
  readonly reason: string;
  readonly summary: string;
  /** It passed: enforcement is Audit. */
  readonly audited: boolean;
}

/** Read from the kernel, or from the userspace engine, in the pass that ended at `verifiedAt`. */
export interface EnforcedPolicy {
  /** SHA-256 of the policy as it lies in the kernel, hex. */
  readonly policyHash: string;
  /** Of the kernel's programs; absent: an engine in user space has none. */
  readonly programTag?: ProgramPair<string>;
  readonly linkId?: ProgramPair<number>;
  /** The userspace engine that has the policy: this process accepted our connection, and is confined. */
  readonly process?: Claim;
  /** Moves with every change of the policy in the kernel. */
  readonly generation: number;
  /** ISO 8601. */
  readonly verifiedAt: string;
}

/** One dropped frame, one line of `GET /v1/events`. */
export interface DropEvent {
  /** ISO 8601. */
  readonly time: string;
  readonly vm: string;
  readonly network: string | null;
  readonly direction: 'from-vm' | 'to-vm';
  /** Name of the drop reason. */
  readonly reason: string;
  /** What the frame was, in one line. */
  readonly summary: string;
  readonly frameBytes: number;
  /** `violations`: the frame that reached the threshold. */
  readonly kind?: 'drop' | 'violations';
  /** It passed: enforcement is Audit. */
  readonly audited?: boolean;
}
