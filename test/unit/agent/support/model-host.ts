import { reconcile } from '../../../../src/agent/attachment/pass.ts';
import type { PassPorts, PassResult } from '../../../../src/agent/attachment/pass.ts';
import { RetryTable } from '../../../../src/agent/attachment/retry.ts';
import type { AttachmentResult, RoundMemory } from '../../../../src/agent/attachment/rounds.ts';
import type { Nft } from '../../../../src/agent/host/nft.ts';
import type { ManifestSet } from '../../../../src/agent/source/manifest-set.ts';
import { wantedOf } from '../../../../src/agent/source/manifest-source.ts';
import type { HostView, Wanted } from '../../../../src/agent/source/wanted.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import type { OpenedUplinks } from '../../../../src/agent/wiring/opened-uplinks.ts';
import type { AttachmentRecord, RecordState, RecordStore } from '../../../../src/agent/wiring/record.ts';
import { vmNetworkClassSchema, vmNetworkSchema } from '../../../../src/api/v1alpha1/index.ts';
import type { VmNetworkInput } from '../../../../src/api/v1alpha1/index.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import { ModelKernel } from './model-kernel.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

export const PATHS = { stateDir: '/state', runDir: '/run', bpffs: '/bpf', pool: '100.64.0.0/24' };

/** Records in memory, replaced as a whole in one step, as rename(2) does. */
export class ModelRecords implements RecordStore {
  readonly states = new Map<string, RecordState>();
  readonly #kernel: ModelKernel;

  constructor(kernel: ModelKernel) {
    this.#kernel = kernel;
  }

  list(): Map<string, RecordState> {
    this.#kernel.step('VMN_STATE_UNREADABLE', 'list records');
    return new Map(this.states);
  }

  read(tap: string): RecordState {
    this.#kernel.step('VMN_STATE_UNREADABLE', 'read the record');
    return this.states.get(tap) ?? { state: 'absent' };
  }

  write(record: AttachmentRecord): void {
    this.#kernel.step('VMN_STATE_UNREADABLE', 'write the record');
    this.states.set(record.tap, { state: 'ok', record });
  }

  remove(tap: string): void {
    this.#kernel.step('VMN_STATE_UNREADABLE', 'remove the record');
    this.states.delete(tap);
  }
}

/** nftables in memory: whole tables by name, handles added as the real one does. */
export class ModelNft implements Nft {
  table: unknown[] | null = null;
  readonly #kernel: ModelKernel;

  constructor(kernel: ModelKernel) {
    this.#kernel = kernel;
  }

  listTable(): Promise<unknown[] | null> {
    return this.#do('list the table', () => {
      if (this.table === null) return null;
      return [
        { metainfo: { version: '1.0.6' } },
        ...this.table.map((item, index) => withHandle(item, index)),
      ];
    });
  }

  apply(commands: readonly unknown[]): Promise<void> {
    return this.#do('apply', () => {
      let table = this.table;
      for (const command of commands as { add?: { table?: unknown }; delete?: unknown }[]) {
        if (command.delete !== undefined) table = null;
        else if (command.add?.table !== undefined) table ??= [command.add];
        else if (table !== null) table = [...table, command.add];
      }
      this.table = table;
    });
  }

  async #do<T>(attempted: string, body: () => T): Promise<T> {
    await Promise.resolve();
    this.#kernel.step('VMN_NFT_FAILED', attempted);
    return body();
  }
}

/** Opened uplinks in memory, replaced as a whole in one step. */
export function modelUplinks(kernel: ModelKernel): OpenedUplinks {
  let opened: readonly string[] = [];
  return {
    read: () => opened,
    write: (names) => {
      kernel.step('VMN_STATE_UNREADABLE', 'record the opened uplinks');
      opened = names;
    },
  };
}

function withHandle(item: unknown, handle: number): unknown {
  const [[kind, body]] = Object.entries(item as Record<string, object>) as [[string, object]];
  return { [kind]: { ...body, handle } };
}

/** A host in memory with an agent's pass on it. */
export class ModelHost {
  readonly kernel = new ModelKernel();
  readonly records = new ModelRecords(this.kernel);
  readonly nft = new ModelNft(this.kernel);
  readonly uplinks = modelUplinks(this.kernel);
  readonly changes: string[] = [];
  /** How often the state lock is held right now. */
  locked = 0;
  nowNs = 1_000_000_000_000n;
  /** Says `nowNs`; its timers run when it is advanced itself. */
  readonly clock = Object.assign(new FakeClock(), {
    now: () => new Date(this.clock.nowMs()),
    nowMs: () => Number(this.nowNs / 1_000_000n) + this.wallStepMs,
    monotonicNs: () => this.nowNs,
  });
  /** How far somebody set the wall clock. */
  wallStepMs = 0;
  memory: RoundMemory = freshMemory();
  #secrets = 0;

  ports(): PassPorts {
    return {
      kernel: this.kernel,
      records: this.records,
      withStateLock: (body) => {
        this.locked += 1;
        try {
          return body();
        } finally {
          this.locked -= 1;
        }
      },
      nft: this.nft,
      uplinks: this.uplinks,
      paths: PATHS,
      nodeName: 'node-1',
      newSecret: () => new Uint8Array(16).fill((this.#secrets += 1)),
      clock: this.clock,
      onChange: (what, on) => this.changes.push(`${what} ${on}`),
      onLastDetached: () => undefined,
    };
  }

  pass(set: ManifestSet, ports = this.ports()): Promise<PassResult> {
    return this.passFor((host) => wantedOf(set, host), ports);
  }

  /** The wishes of any source. */
  passFor(askWishes: (host: HostView) => Wanted, ports = this.ports()): Promise<PassResult> {
    return reconcile(askWishes, this.memory, ports);
  }

  /** The agent died: what it remembered is gone. */
  restart(): void {
    this.kernel.calm();
    this.memory = freshMemory();
  }

  /** After a reboot of the machine the state folder is all that is left. */
  advance(ms: number): void {
    this.nowNs += BigInt(ms) * 1_000_000n;
  }

  damageRecord(vm: string): void {
    const error = new VmnError('VMN_STATE_UNREADABLE', { attempted: 'read the record' });
    this.records.states.set(identityOf(vm).tap, { state: 'unreadable', error });
  }
}

function freshMemory(): RoundMemory {
  return { retries: new RetryTable(), generations: new Map() };
}

export type SpecInput = Partial<VmNetworkInput['spec']>;

/** A class that allows what the built-in one does not. */
export const GENEROUS = vmNetworkClassSchema.parse({
  apiVersion: 'vmnetwork.io/v1alpha1',
  kind: 'VMNetworkClass',
  metadata: { name: 'default' },
  spec: { allowAudit: true, allowNonStrict: true },
});

/** The VM reaches its threshold once more. */
export function violate({ kernel }: ModelHost, vm: string): void {
  const pins = kernel.pins.get(`${PATHS.bpffs}/${identityOf(vm).tap}`);
  if (pins === undefined) throw new Error(`no filter of VM ${vm}`);
  pins.crossings += 1;
}

/** A manifest set of networks in namespace `t`; each has one VM of its own name unless its selector says otherwise. */
export function manifests(
  networks: Readonly<Record<string, SpecInput & { created?: string }>>,
  over: Partial<ManifestSet> = {},
): ManifestSet {
  return {
    networks: Object.entries(networks).map(([name, { created, ...spec }]) => ({
      file: `${name}.yaml`,
      network: vmNetworkSchema.parse({
        apiVersion: 'vmnetwork.io/v1alpha1',
        kind: 'VMNetwork',
        metadata: { name, namespace: 't', ...(created === undefined ? {} : { creationTimestamp: created }) },
        spec: {
          consumerEndpoint: { address: '203.0.113.10', port: 51900 },
          selector: { names: [name] },
          ...spec,
        },
      }),
    })),
    classes: [],
    problems: [],
    complete: true,
    classesInDoubt: false,
    ...over,
  };
}

export function resultOf(result: PassResult, vm: string): AttachmentResult {
  const { tap } = identityOf(vm);
  const found = result.attachments.find((attachment) => attachment.tap === tap);
  if (found === undefined) throw new Error(`no result for VM ${vm}`);
  return found;
}
