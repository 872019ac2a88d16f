import { readBack } from '../../src/native/filter-engine.ts';
import type { Line } from './ledger.ts';

/** The attached programs as the kernel shows them. */
export interface Attached {
  links: string;
  programs: string;
}

export function attachedAt(pinDir: string): Attached {
  const { fromVm, toVm } = readBack(pinDir);
  return {
    links: `links ${String(fromVm?.linkId)} and ${String(toVm?.linkId)}`,
    programs: `programs ${String(fromVm?.programId)} and ${String(toVm?.programId)}`,
  };
}

/** Adoption leaves no gap: the links are the very same, so the programs were never off the tap. */
export function sameAttachment(step: string, before: Attached, now: Attached): Line {
  const faults: string[] = [];
  if (before.links.includes('undefined')) faults.push('nothing was attached before');
  if (before.links !== now.links) faults.push(`${before.links} before`);
  if (before.programs !== now.programs) faults.push(`${before.programs} before, ${now.programs} now`);
  const attempt = 'links of the filter, before and after';
  return { step, attempt, expected: 'the same', seen: now.links, reason: '', count: null, faults };
}
