import {
  type Engine,
  type EngineName,
  type EngineVerdict,
  type FrameToJudge,
} from '../../../../src/cli/explain/engine/engine.ts';
import type { Policy } from '../../../../src/native/policy-abi.ts';

export const ALLOWED: EngineVerdict = { verdict: 'allow', reasonCode: 0, audited: false };
export const DROPPED: EngineVerdict = { verdict: 'drop', reasonCode: 29, audited: false };

/** Says what it is told to say, and keeps what it was asked. */
export class FakeEngine implements Engine {
  readonly name: EngineName;
  readonly asked: FrameToJudge[] = [];
  readonly used: (Policy | null)[] = [];
  closed = 0;
  readonly #say: (frame: FrameToJudge, index: number) => EngineVerdict | null;

  constructor(name: EngineName, say: (frame: FrameToJudge, index: number) => EngineVerdict | null) {
    this.name = name;
    this.#say = say;
  }

  use(policy: Policy | null): void {
    this.used.push(policy);
  }

  judge(frame: FrameToJudge): EngineVerdict | null {
    return this.#say(frame, this.asked.push(frame) - 1);
  }

  close(): void {
    this.closed++;
  }
}
