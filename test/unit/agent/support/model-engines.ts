import type { EngineKeeper } from '../../../../src/agent/userspace/engines.ts';
import type { AnsweringEngine, EngineView } from '../../../../src/agent/userspace/engine-view.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import type { AttachmentRecord, Claim } from '../../../../src/agent/wiring/record.ts';
import type { NatControl } from '../../../../src/native/nat-control.ts';
import { natPolicyHash } from '../../../../src/native/nat-control-abi.ts';
import type { NatStatus } from '../../../../src/native/nat-control-abi.ts';
import { decodePolicy } from '../../../../src/native/policy-abi.ts';
import type { ModelHost } from './model-host.ts';

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

/** As `vmnetctl run --engine userspace` writes it. */
export function engineRecord(vm: string, claim: Claim): AttachmentRecord {
  const { tap, guestMac } = identityOf(vm);
  return {
    ...{ version: 1, vm, tap, guestMac, guestAddress: '100.64.0.9', network: null, claim },
    createdAt: '2026-01-01T00:00:00.000Z',
    engine: { uid: 1979711488, process: { pid: 8, startTicks: 'engine' } },
  };
}

/** The VM is on an engine, which answers; who claims it is alive. */
export function putOnEngine(host: ModelHost, vm: string, claim: Claim): ModelEngine {
  const engine = new ModelEngine();
  host.engines.engines.set(identityOf(vm).tap, engine);
  host.kernel.processes.set(claim.pid, claim.startTicks);
  host.records.write(engineRecord(vm, claim));
  return engine;
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
