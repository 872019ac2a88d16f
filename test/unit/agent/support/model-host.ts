import { isDeepStrictEqual } from 'node:util';
import { reconcile } from '../../../../src/agent/attachment/pass.ts';
import type { PassMemory, PassPorts, PassResult } from '../../../../src/agent/attachment/pass.ts';
import { Losses } from '../../../../src/agent/attachment/losses.ts';
import { RetryTable } from '../../../../src/agent/attachment/retry.ts';
import type { AttachmentResult } from '../../../../src/agent/attachment/rounds.ts';
import type { Nft, NftFamily } from '../../../../src/agent/host/nft.ts';
import type { ManifestSet } from '../../../../src/agent/source/manifest-set.ts';
import { wantedOf } from '../../../../src/agent/source/manifest-source.ts';
import type { HostView, Wanted } from '../../../../src/agent/source/wanted.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import type { OpenedUplinks } from '../../../../src/agent/wiring/opened-uplinks.ts';
import type { AttachmentRecord, RecordState, RecordStore } from '../../../../src/agent/wiring/record.ts';
import { vmNetworkClassSchema, vmNetworkSchema } from '../../../../src/api/v1alpha1/index.ts';
import type { VmNetworkInput } from '../../../../src/api/v1alpha1/index.ts';
import { MODES } from '../../../../src/api/v1alpha1/mode.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import { decodePolicy, type Policy } from '../../../../src/native/policy-abi.ts';
import type { HostVm } from '../../../../src/agent/discovery/directory.ts';
import { NO_SITES } from '../../../../src/agent/found/site-watch.ts';
import { Exposure } from '../../../../src/agent/found/exposure.ts';
import { ModelEngines } from './model-engines.ts';
import { ModelEndings } from './model-endings.ts';
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

/** nftables in memory: the tables of one name in all families, handles added as the real one does. */
export class ModelNft implements Nft {
  /** The objects of all of them; null: there is none. */
  table: unknown[] | null = null;
  readonly #kernel: ModelKernel;

  constructor(kernel: ModelKernel) {
    this.#kernel = kernel;
  }

  /** One step of the kernel for all tables, that of the first family. */
  listTable(_name: string, family: NftFamily): Promise<unknown[] | null> {
    const list = (): unknown[] | null => {
      const own = this.table?.filter((item) => familyOf(item) === family) ?? [];
      if (own.length === 0) return null;
      return [{ metainfo: { version: '1.0.6' } }, ...own.map((item, index) => withHandle(item, index))];
    };
    return family === 'inet' ? this.#do('list the table', list) : Promise.resolve(list());
  }

  apply(commands: readonly unknown[]): Promise<void> {
    return this.#do('apply', () => {
      let table = this.table;
      for (const { add, delete: gone } of commands as { add?: object; delete?: object }[]) {
        if (gone !== undefined) table = table?.filter((item) => familyOf(item) !== familyOf(gone)) ?? null;
        else if (!('table' in (add ?? {})) || !(table ?? []).some((item) => isDeepStrictEqual(item, add)))
          table = [...(table ?? []), add];
      }
      this.table = table?.length === 0 ? null : table;
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

function familyOf(item: unknown): unknown {
  return Object.values(item as Record<string, { family?: unknown }>)[0]?.family;
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
  readonly endings = new ModelEndings(this.kernel);
  readonly engines = new ModelEngines();
  readonly changes: string[] = [];
  managedPatterns: readonly string[] = [];
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
  memory: PassMemory = freshMemory();
  /** As the directory tells them. */
  vms: readonly HostVm[] = [];
  #secrets = 0;
  #isLockFree = false;
  /** Not a command of its own, which may wait. */
  #inPass = false;

  ports(): PassPorts {
    return {
      kernel: this.kernel,
      records: this.records,
      withStateLock: (body) => {
        if (this.#inPass && !this.#isLockFree) throw new Error('the event loop would wait for the lock');
        this.locked += 1;
        try {
          return body();
        } finally {
          this.locked -= 1;
        }
      },
      whenStateLockIsFree: async (work) => {
        // Never at once: whoever relies on what was before is to be found out.
        await Promise.resolve();
        this.#isLockFree = true;
        try {
          return work();
        } finally {
          this.#isLockFree = false;
        }
      },
      nft: this.nft,
      endings: this.endings,
      uplinks: this.uplinks,
      managedPatterns: this.managedPatterns,
      vms: { list: () => this.vms },
      sites: NO_SITES,
      engines: this.engines,
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
    this.#inPass = true;
    return reconcile(askWishes, this.memory, ports).finally(() => (this.#inPass = false));
  }

  /** The agent died: what it remembered is gone. */
  restart(): void {
    this.kernel.calm();
    this.endings.forget();
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

function freshMemory(): PassMemory {
  return {
    retries: new RetryTable(),
    generations: new Map(),
    losses: new Losses(),
    exposure: new Exposure(),
    guardedSites: new Set(),
  };
}

export type SpecInput = Partial<VmNetworkInput['spec']>;

/** A class that allows what the built-in one does not. */
export const GENEROUS = vmNetworkClassSchema.parse({
  apiVersion: 'vmnetwork.io/v1alpha1',
  kind: 'VMNetworkClass',
  metadata: { name: 'default' },
  spec: { allowedModes: [...MODES], allowAudit: true, allowNonStrict: true },
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

/** What the kernel enforces at the tap of a VM; null: nothing passes. */
export function policyOf(host: ModelHost, vm: string): Policy | null {
  const link = host.kernel.byName(identityOf(vm).tap);
  const bytes = host.kernel.attached(link?.ifindex ?? 0).from?.program.slot.policy ?? null;
  return bytes === null ? null : decodePolicy(bytes);
}
