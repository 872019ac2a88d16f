import { REASON_SLOTS } from '../../src/native/counters.ts';
import { headerReasons } from '../../test/support/frames/reasons.ts';
import type { Subject } from '../measure/subject.ts';
import { tunnelFrame, WRONG_PORT, type Direction } from './guest.ts';
import { policyBytes } from './policy.ts';

export const FILTER_OBJECT = 'vmn_filter.bpf.o';

/** A frame and who judges it, without a name yet. */
type FilterSubject = Omit<Subject, 'name'> & Required<Pick<Subject, 'policy' | 'slots'>>;

/** The index of `counters`: native/include/vmn/abi.h. @throws Error for a reason that reason.h does not have. */
export function slotOf(direction: Direction, reason: string, audited = false): number {
  const number = headerReasons.find(({ name }) => name === reason)?.number;
  if (number === undefined) throw new Error(`reason.h has no ${reason}`);
  return ((audited ? 2 : 0) + (direction === 'from-vm' ? 0 : 1)) * REASON_SLOTS + number;
}

/** A full-size tunnel packet that passes every rule, and the program that judges it. */
export function allowed(direction: Direction): FilterSubject {
  return {
    object: FILTER_OBJECT,
    program: programOf(direction),
    policy: policyBytes(),
    frame: tunnelFrame(direction),
    slots: [slotOf(direction, 'Allowed')],
  };
}

/** The same to, or from, another port of the endpoint: dropped by the last rule but one. */
export function dropped(direction: Direction): FilterSubject {
  return {
    ...allowed(direction),
    frame: tunnelFrame(direction, { remote: WRONG_PORT }),
    slots: [slotOf(direction, direction === 'from-vm' ? 'DestinationPort' : 'SourcePort')],
  };
}

function programOf(direction: Direction): 'vmn_from_vm' | 'vmn_to_vm' {
  return direction === 'from-vm' ? 'vmn_from_vm' : 'vmn_to_vm';
}
