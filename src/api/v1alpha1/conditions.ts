import { z } from 'zod';
import { listMap } from './list-map.ts';
import { timestampSchema } from './timestamp.ts';

/** Condition types of this API, all but Degraded and GuestFirewallBypassed positive: True is good. `Reconciling` and `Stalled` are for kstatus. */
export const CONDITION_TYPES = [
  /** The spec is valid and the class allows it. */
  'Accepted',
  /** It has its VMs to itself. */
  'Bound',
  /** The policy was handed to the engine. */
  'Programmed',
  /** The kernel was read back and holds the policy. Nothing but a read-back sets it. */
  'Enforced',
  /** The guest got its tunnel and firewall by cloud-init. */
  'GuestProvisioned',
  /** A WireGuard handshake was seen, by the shape of what passed: a sign and no proof. */
  'TunnelEstablished',
  /** The guest sends what the firewall that it was given would have stopped; the host stops it. */
  'GuestFirewallBypassed',
  /** All that the spec asks for holds. */
  'Ready',
  'Reconciling',
  'Stalled',
  /** Of an attachment that is being deleted: its VM reaches nothing more, or its card is gone. */
  'Released',
  /** Of a node: pins survive the agent. */
  'BpfFsReady',
  /** Of a node: it enforces, but not as it could. */
  'Degraded',
] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** Why a condition is as it is. Scripts match on these, so they are constants and never renamed. */
export const CONDITION_REASONS = {
  // Accepted
  Accepted: 'the spec is valid',
  Invalid: 'the spec breaks a rule; see the message',
  Unsupported: 'this version or host cannot enforce what the spec asks for; the VM stays denied',
  ClassNotFound: 'the VMNetworkClass does not exist',
  DeniedByClass: 'the VMNetworkClass forbids what the spec asks for',
  InvalidSecret: 'the pre-shared key cannot be read; it is looked at again every minute',
  Duplicate: 'another manifest declares the same object; all copies are refused',
  // Bound
  Bound: 'no other network claims these VMs',
  NoMatch: 'no VM matches the selector',
  Conflict: 'another network holds the VM, or is older and nobody holds it',
  // Programmed
  Programmed: 'the engine took the policy',
  Pending: 'not yet done',
  ProgrammingFailed: 'the engine refused the policy; the previous one is intact',
  UnsupportedBackend: 'the network backend of the VM cannot be filtered',
  // Enforced
  Verified: 'read back from the kernel and found equal',
  ReadBackMismatch: 'the kernel holds something else; the VM is denied',
  Detached: 'somebody removed the filter; it is being restored',
  EngineLost:
    'the userspace engine of the VM has ended, or cannot be read back: the VM has no network until it is started anew',
  NotHostEnforced:
    'mode Direct: the host does not enforce whom the VM talks to; denied networks, other guests and the host stay closed',
  SampledInPart:
    'mode Sampled: read back, and a random part of the frames is judged; a violation is found, not prevented',
  AuditOnly: 'enforcement Audit: read back, and what would be dropped is counted and passes',
  AgentStale: 'the agent of that host has not been heard from',
  Quarantined: 'the kill switch is set, by the spec or for violations: nothing passes',
  Denied: 'nothing passes: there is no policy in force',
  // GuestProvisioned, TunnelEstablished
  Provisioned: "the guest was given its configuration, and the consumer's endpoint has answered it since",
  Delivered: 'the guest was given its configuration, and has given no sign yet',
  NoDrive: 'the VM has no empty CD-ROM drive, and takes no disk while it runs',
  NotDelivered: 'the seed image could not be given to the VM; see the message',
  Outdated: 'the VM has the seed image of before; it takes up the new one when it is started anew',
  AddressesTaken: 'another VM of the network has the addresses inside the tunnel',
  NotRequested: 'the spec does not ask for it',
  HandshakeSeen: 'a handshake was answered lately',
  NoHandshake: 'no handshake was seen',
  HandshakeStale: 'the last handshake is too old for its keys, and new ones are asked for in vain',
  Idle: 'the last handshake is too old for its keys, and nobody asks for a new one: nothing is sent',
  // GuestFirewallBypassed
  SentPastFirewall: 'the guest sent what its firewall stops: that was removed, or something sends below it',
  NoneSeen: 'nothing was seen that its firewall would have stopped',
  // Released
  Gone: 'the network card is gone',
  // BpfFsReady, Degraded
  Mounted: 'bpffs is mounted',
  NotMounted: 'bpffs is not mounted: nothing can be pinned',
  ReadOnly: 'bpffs is read-only: what is in force stays, and nothing can be pinned or changed',
  AttachmentsFailing:
    'single attachments are not as wanted; the message tells how many, and of the first why',
  FeatureMissing: 'the kernel lacks something; see the message',
  AsExpected: 'nothing is missing',
  // Ready, Reconciling, Stalled
  Ready: 'everything asked for holds',
  NotReady:
    'something asked for does not hold yet; see the other conditions. Of a VMNetwork Ready has their reason instead',
  Progressing: 'work is under way',
  Settled: 'no work is under way',
  NeedsAttention: 'it will not get better by itself; see the other conditions',
} as const;
export type ConditionReason = keyof typeof CONDITION_REASONS;

export const conditionStatusSchema = z.enum(['True', 'False', 'Unknown']);
export type ConditionStatus = z.infer<typeof conditionStatusSchema>;

/** As metav1.Condition. Open in `type` and `reason`: a reader must survive values of a newer version. */
export const conditionSchema = z.strictObject({
  type: z
    .string()
    .max(316)
    .regex(/^[A-Za-z][A-Za-z0-9]*$/, 'must be CamelCase')
    .meta({ description: 'What the condition is about.', examples: ['Enforced'] }),
  status: conditionStatusSchema.meta({ description: 'True, False or Unknown.', examples: ['True'] }),
  reason: z
    .string()
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/, 'must be CamelCase')
    .meta({ description: 'Why, as a constant.', examples: ['Verified'] }),
  message: z
    .string()
    .max(32768)
    .meta({ description: 'Why, for people.', examples: ['1 of 1 attachments verified'] }),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Generation of the spec it speaks of.', examples: [3] }),
  lastTransitionTime: timestampSchema.meta({
    description: 'When status last changed (RFC 3339).',
    examples: ['2026-01-31T12:00:00Z'],
  }),
});

/** Conditions by type; at most 32, for others may add their own. */
export const conditionsSchema = listMap(conditionSchema, 'type', 32);

/** A condition that we write: its type and reason are among the constants above. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: ConditionReason;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}
