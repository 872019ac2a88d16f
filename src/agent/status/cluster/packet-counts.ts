import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import { isDrop, reasonName } from '../../../filter/drop-reason.ts';
import type { CounterLine } from '../../../native/counters.ts';

/** As `counters` of an attachment has it. */
export type PacketCounts = NonNullable<VmNetworkAttachmentStatus['counters']>;

/** Both directions together. A frame that was only audited passed. */
export function packetCounts(lines: readonly CounterLine[]): PacketCounts {
  let allowed = 0;
  let dropped = 0;
  const droppedByReason: Record<string, number> = {};
  for (const { reason, audited, packets } of lines) {
    const count = Number(packets);
    if (audited || !isDrop(reason)) {
      allowed += count;
      continue;
    }
    dropped += count;
    const name = reasonName(reason);
    droppedByReason[name] = (droppedByReason[name] ?? 0) + count;
  }
  return { allowed, dropped, ...(dropped === 0 ? {} : { droppedByReason }) };
}
