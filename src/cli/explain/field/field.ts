import type { Policy } from '../../../native/policy-abi.ts';
import type { FrameView } from '../../../packet/summary/frame-view.ts';
import type { Direction } from '../engine/engine.ts';

/** What of the frame, or of the policy, decided. For people and scripts: the filter itself knows reasons only. */
export interface DecidingField {
  /** `udp.destinationPort`, `policy.desiredState`. */
  readonly decidingField: string;
  /** What stands there. */
  readonly found: string;
  /** What would have to stand there for the frame to get past this rule; null when the rule let it pass. */
  readonly wanted: string | null;
}

/** A frame that was judged, and by what. */
export interface Judged {
  readonly direction: Direction;
  readonly view: FrameView;
  /** Null: there is none. */
  readonly policy: Policy | null;
}

/** The same, where a policy is known to be there: without one no other reason is given. */
export interface JudgedByPolicy extends Judged {
  readonly policy: Policy;
}

export type FieldOf = (judged: JudgedByPolicy) => DecidingField;

/** @param wanted absent where the rule let the frame pass */
export function field(
  decidingField: string,
  found: string | number,
  wanted: string | number | null = null,
): DecidingField {
  return { decidingField, found: String(found), wanted: wanted === null ? null : String(wanted) };
}

/** `0x0806` */
export function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
