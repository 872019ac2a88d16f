import type { GeneratedPolicy } from '../frames-generator/policy.ts';
import type { Scenario } from '../frames-generator/scenario.ts';

/** What an engine made of a frame. What an engine does not do itself, it leaves out. */
export interface Judged {
  readonly reason: number;
  /** `reason` would drop the frame, and it passes. */
  readonly audited: boolean;
  /** With this frame the violations of the VM reached the policy's threshold. */
  readonly crossed?: boolean;
  readonly action?: 'allow' | 'drop' | 'reply';
  /** What goes on or back, where it is not the frame as it came. */
  readonly answer?: Uint8Array;
  /** What an engine drew by that takes nonces of its own; the others are given the same. */
  readonly nonce?: bigint;
}

/** The filter of one VM: it remembers what it saw, until its end. */
export interface Run {
  judge(step: Scenario): Judged;
  /** Idempotent. */
  end(): void;
}

export interface Engine {
  readonly name: string;
  /** Beginning a run takes as long as a thousand frames. */
  readonly isSlow?: true;
  /** Starts with nothing remembered. `policies`: all that the run will be asked about. */
  begin(policies: readonly GeneratedPolicy[]): Run;
  /** Gives up what the engine holds. Idempotent. */
  close(): void;
}
