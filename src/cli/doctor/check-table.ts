import type { Output, Tone } from '../terminal/output.ts';
import { type Cell, Table } from '../terminal/table.ts';
import type { Check } from './check.ts';

const TONES: Readonly<Record<string, Tone>> = {
  yes: 'good',
  missing: 'bad',
  unknown: 'warning',
  no: 'quiet',
};

/** One line a check; what is needed and not there is `missing`, whatever else is not there is `no`. */
export function checkTable(checks: readonly Check[], paint: Output['paint']): string {
  const table = new Table([
    { heading: 'WHAT' },
    { heading: 'FOR' },
    { heading: 'NEEDED' },
    { heading: 'FOUND', paint: (padded, text) => paint(TONES[text] ?? 'quiet', padded) },
    { heading: 'DETAIL' },
    { heading: 'REMEDY' },
  ]);
  return table.render(
    checks.map(({ name, purpose, needed, found, detail, remedy }): Cell[] => [
      name,
      purpose,
      needed ? 'yes' : 'no',
      needed && found === 'no' ? 'missing' : found,
      detail,
      remedy,
    ]),
  );
}
