import { reasonText } from '../drops/counter-table.ts';
import { type Cell, Table } from '../terminal/table.ts';
import { short } from '../top/rate-table.ts';
import type { Passage, VmFlows } from './passages.ts';
import type { RefusedFrame } from './refused.ts';

/** What happened to frames, in words, by the way that they went. */
const WAYS: Readonly<Record<string, string>> = {
  Allowed: 'judged in full',
  AllowedFlow: 'of a known flow',
  AllowedPreviousEndpoint: 'previous endpoint',
  AllowedUnsampled: 'not drawn, passed',
  AllowedDirect: 'mode Direct, passed',
  audited: 'passed for the audit',
};

export function flowsText(vms: readonly VmFlows[], refused: readonly RefusedFrame[] | null): string {
  const parts = [flowTable(vms)];
  if (refused !== null && refused.length > 0) parts.push(`LAST REFUSED\n${refusedTable(refused)}`);
  return parts.join('\n');
}

function flowTable(vms: readonly VmFlows[]): string {
  const table = new Table([
    { heading: 'VM' },
    { heading: 'MODE' },
    { heading: 'GUEST' },
    { heading: 'ENDPOINT' },
    { heading: 'DIRECTION' },
    { heading: 'FRAMES' },
    { heading: 'PACKETS', align: 'right' },
    { heading: 'BYTES', align: 'right' },
    { heading: 'PACKETS/S', align: 'right' },
  ]);
  return table.render(
    vms.flatMap(({ vm, mode, guest, endpoint, previousEndpoint, passages }) => {
      const target = [endpoint ?? [], previousEndpoint ?? []].flat().join(', was ');
      const ends: Cell[] = [vm, mode ?? 'nothing passes', guest, target];
      if (passages.length === 0) return [ends];
      return passages.map((passage) => [...ends, ...cells(passage)]);
    }),
  );
}

function cells({ direction, way, packets, bytes, packetsPerSecond }: Passage): Cell[] {
  return [direction, WAYS[way] ?? way, packets, bytes, short(packetsPerSecond)];
}

function refusedTable(refused: readonly RefusedFrame[]): string {
  const table = new Table([
    { heading: 'TIME' },
    { heading: 'VM' },
    { heading: 'REASON' },
    { heading: 'FRAME' },
  ]);
  return table.render(
    refused.map(({ time, vm, reason, audited, summary }) => [time, vm, reasonText(reason, audited), summary]),
  );
}
