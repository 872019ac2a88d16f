import type { EngineKeeper } from '../../../../src/agent/userspace/engines.ts';
import type { AnsweringEngine, EngineView } from '../../../../src/agent/userspace/engine-view.ts';
import type { AttachmentRecord } from '../../../../src/agent/wiring/record.ts';
import type { NatControl } from '../../../../src/native/nat-control.ts';
import { natPolicyHash } from '../../../../src/native/nat-control-abi.ts';
import type { NatStatus } from '../../../../src/native/nat-control-abi.ts';
import { decodePolicy } from '../../../../src/native/policy-abi.ts';

/** One engine, as it could be: it answers, and has the policy that it was given last. */
export class ModelEngine {
  policy: Uint8Array | null = null;
  guests: AnsweringEngine['guests'] = [];
  fault: string | null = null;
  state: 'answers' | 'silent' | 'ended' = 'answers';
  /** Says that this is in force, whatever it was given. */
  echo: bigint | null = null;

  status(): NatStatus {
    const { policy } = this;
    return {
      policyAbi: 1,
      hasPolicy: policy !== null,
      guestConnected: this.guests.length > 0,
      segments: true,
      generation: policy === null ? 0n : decodePolicy(policy).generation,
      policyHash: this.echo ?? (policy === null ? 0n : natPolicyHash(policy)),
      judged: { fromVm: 0n, toVm: 0n },
      crossings: 0n,
      flows: 0,
      pid: 1,
    };
  }

  view(): EngineView {
    if (this.state === 'silent') return { state: 'silent', why: 'it does not answer' };
    if (this.state === 'ended') return { state: 'ended' };
    return {
      state: 'answers',
      status: this.status(),
      policy: this.policy,
      fault: this.fault,
      guests: this.guests,
    };
  }
}

/** The engines of a model host, by the names of their records. */
export class ModelEngines implements EngineKeeper {
  readonly engines = new Map<string, ModelEngine>();

  look(records: readonly AttachmentRecord[]): Promise<Map<string, EngineView>> {
    const views = records.map(({ tap, engine }): [string, EngineView] => {
      if (engine?.process == null) return [tap, { state: 'starting' }];
      return [tap, this.engines.get(tap)?.view() ?? { state: 'ended' }];
    });
    return Promise.resolve(new Map(views));
  }

  control(record: string): NatControl {
    const engine = this.engines.get(record);
    if (engine?.state !== 'answers') throw new TypeError('no connection');
    const control: Pick<NatControl, 'setPolicy' | 'deny'> = {
      setPolicy: (policy) => {
        engine.policy = policy;
        return Promise.resolve(engine.status());
      },
      deny: () => {
        engine.policy = null;
        return Promise.resolve(engine.status());
      },
    };
    return control as NatControl;
  }

  end({ tap }: Pick<AttachmentRecord, 'tap'>): Promise<void> {
    const engine = this.engines.get(tap);
    if (engine !== undefined) engine.state = 'ended';
    return Promise.resolve();
  }
}
