import type { ReasonName } from '../../../filter/drop-reason.ts';
import { ARP_FIELDS } from './arp-fields.ts';
import { type DecidingField, field, type FieldOf, type Judged } from './field.ts';
import { IPV4_FIELDS } from './ipv4-fields.ts';
import { LINK_FIELDS } from './link-fields.ts';
import { POLICY_FIELDS } from './policy-fields.ts';
import { REMOTE_FIELDS } from './remote-fields.ts';

const FIELDS: Readonly<Record<Exclude<ReasonName, 'NoPolicy'>, FieldOf>> = {
  ...POLICY_FIELDS,
  ...LINK_FIELDS,
  ...ARP_FIELDS,
  ...IPV4_FIELDS,
  ...REMOTE_FIELDS,
};

/** Never throws, whatever the frame. */
export function decidingField(reason: string, judged: Judged): DecidingField {
  const { policy } = judged;
  if (policy === null) return field('policy', 'none', 'a policy in force');
  if (!Object.hasOwn(FIELDS, reason)) return field('frame', reason);
  return FIELDS[reason as keyof typeof FIELDS]({ ...judged, policy });
}
