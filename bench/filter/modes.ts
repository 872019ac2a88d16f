/** What the modes and the options of a policy cost; figures to look at, without a gate. All from the VM. */
import type { Policy } from '../../src/native/policy-abi.ts';
import type { Subject } from '../measure/subject.ts';
import { KEEP_ALIVE_BYTES, PREVIOUS, superFrame, tunnelFrame } from './guest.ts';
import type { Judgement } from './judgement.ts';
import { policyBytes } from './policy.ts';
import { allowed, dropped, slotOf } from './subjects.ts';

/** So high that no frame is ever refused, however fast the same one is judged again. */
const LIMITS = { egressBitsPerSecond: 100_000_000_000, packetsPerSecond: 1_000_000_000 };
const AN_HOUR_NS = 3_600_000_000_000n;
const SEGMENTS = 40;
const SEGMENT_BYTES = 1424;

interface Option {
  name: string;
  what: string;
  policy: Partial<Policy>;
  subject?: Partial<Subject>;
  drops?: boolean;
}

const small = tunnelFrame('from-vm', { bytes: KEEP_ALIVE_BYTES });

const OPTIONS: readonly Option[] = [
  {
    name: 'conntrack',
    what: 'Conntrack, known flow',
    policy: { mode: 'Conntrack' },
    // The first frame ever opens the flow, before anything is measured.
    subject: { slots: [slotOf('from-vm', 'AllowedFlow')] },
  },
  {
    name: 'sampled',
    what: 'Sampled, 1 of 100',
    policy: { mode: 'Sampled', samplePerMillion: 10_000 },
    subject: { slots: [slotOf('from-vm', 'Allowed'), slotOf('from-vm', 'AllowedUnsampled')] },
  },
  {
    name: 'audit',
    what: 'Audit, passes against a rule',
    policy: { flags: { quarantined: false, strictWireGuard: true, audit: true } },
    subject: { frame: dropped('from-vm').frame, slots: [slotOf('from-vm', 'DestinationPort', true)] },
  },
  {
    name: 'grace',
    what: 'to the previous endpoint, in its grace',
    policy: { previous: { ...PREVIOUS, untilNs: process.hrtime.bigint() + AN_HOUR_NS } },
    subject: {
      frame: tunnelFrame('from-vm', { remote: PREVIOUS }),
      slots: [slotOf('from-vm', 'AllowedPreviousEndpoint')],
    },
  },
  {
    name: 'limits',
    what: 'limits of bits and packets',
    policy: { limits: LIMITS },
    subject: { frame: small },
  },
  {
    name: 'violations',
    what: 'dropped, violation threshold',
    policy: { violation: { threshold: 1000, windowMs: 60_000 } },
    subject: { frame: dropped('from-vm').frame, slots: dropped('from-vm').slots },
    drops: true,
  },
];

export const MODES: readonly Judgement[] = [
  ...OPTIONS.map(({ name, what, policy, subject, drops }): Judgement => ({
    id: `mode-${name}`,
    group: 'modes',
    number: '',
    venue: 'test run',
    what,
    subject: { ...allowed('from-vm'), policy: policyBytes(policy), ...subject },
    passes: drops !== true,
    target: null,
  })),
  ...[SEGMENTS, 1].map((segments): Judgement => ({
    id: `mode-super-frame-${segments}`,
    group: 'modes',
    number: '',
    venue: 'in place',
    what: `super-frame of ${segments} WireGuard message${segments === 1 ? '' : 's'}`,
    subject: {
      ...allowed('from-vm'),
      frame: superFrame(segments, SEGMENT_BYTES),
      segmentBytes: SEGMENT_BYTES,
    },
    passes: true,
    target: null,
  })),
];
