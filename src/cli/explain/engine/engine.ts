import { FIRST_DROP } from '../../../filter/drop-reason.ts';
import type { Policy } from '../../../native/policy-abi.ts';

export type Direction = 'from-vm' | 'to-vm';

/** All implementations of the one filter, in the order in which they are asked: ebpf first, since it draws for itself. */
export const ENGINES = ['ebpf', 'c', 'ts'] as const;
export type EngineName = (typeof ENGINES)[number];

/** A frame and what an engine has to know besides. */
export interface FrameToJudge {
  readonly direction: Direction;
  /** All of it, from its Ethernet header on. */
  readonly bytes: Uint8Array;
  /** Nanoseconds since the epoch; never goes back. */
  readonly nowNs: bigint;
  /** What a frame is drawn by in mode Sampled. */
  readonly nonce: bigint;
  /** To be taken for the filter's own ARP answer. */
  readonly ownAnswer: boolean;
}

export interface EngineVerdict {
  /** `reply`: the frame is answered by the filter itself and goes nowhere. */
  readonly verdict: 'allow' | 'drop' | 'reply';
  readonly reasonCode: number;
  /** It would be dropped for this reason, were the policy not on Audit. */
  readonly audited: boolean;
  /** What the engine drew by, when it chose that itself. */
  readonly nonce?: bigint;
}

/** One implementation of the filter, with the memory that some modes have: frames are given in the order of a capture. */
export interface Engine {
  readonly name: EngineName;
  /** Puts a policy into force; null: nothing passes. What was remembered of flows stays, as in the kernel. */
  use(policy: Policy | null): void;
  /** Null when this engine cannot be shown such a frame. */
  judge(frame: FrameToJudge): EngineVerdict | null;
  close(): void;
}

const ARP_ANSWERED = 2;

/** What becomes of a frame, by the number of the reason. */
export function verdictOf(direction: Direction, reasonCode: number, audited: boolean): EngineVerdict {
  const drops = reasonCode >= FIRST_DROP && !audited;
  const replies = reasonCode === ARP_ANSWERED && direction === 'from-vm';
  return { verdict: drops ? 'drop' : replies ? 'reply' : 'allow', reasonCode, audited };
}
