import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PassResult } from '../../../../src/agent/attachment/pass.ts';
import { OwnVms } from '../../../../src/agent/discovery/own-vms.ts';
import { CheckpointFile } from '../../../../src/agent/source/cluster/checkpoint-file.ts';
import { ClusterSource } from '../../../../src/agent/source/cluster/cluster-source.ts';
import { SealedKeys } from '../../../../src/agent/source/cluster/sealed-keys.ts';
import type { SealingKey } from '../../../../src/agent/source/cluster/sealing-key.ts';
import { packetCounts } from '../../../../src/agent/status/cluster/packet-counts.ts';
import { ConditionHistory } from '../../../../src/agent/status/condition-history.ts';
import { reportStatus } from '../../../../src/agent/status/report.ts';
import type { AgentStatus } from '../../../../src/agent/status/status.ts';
import { nothingTold } from '../../../../src/agent/status/attachment-status.ts';
import { ensureClosedTap } from '../../../../src/agent/wiring/closed-tap.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { decodePolicy } from '../../../../src/native/policy-abi.ts';
import type { Policy } from '../../../../src/native/policy-abi.ts';
import type { FakeClock } from '../../../support/fake-clock.ts';
import { poll } from '../../../support/lab/poll.ts';
import { NODE } from './cluster-objects.ts';
import type { FakeApi } from './fake-api.ts';
import { ModelHost, PATHS } from './model-host.ts';

const INFO = {
  version: '1',
  pid: 1,
  startedAt: '2026-01-31T12:00:00Z',
  manifests: null,
  bpffs: '/bpf',
  programTags: { fromVm: 'aaaaf', toVm: 'aaaat' },
};

/** In memory where there is such a folder: each checkpoint is flushed twice. */
const FOLDERS = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

interface Means {
  readonly key?: SealingKey | null;
  readonly client?: KubeClient;
}

/** An agent of a cluster's host: the real source and its passes, on a model of a host and of an API server. */
export class ClusterAgent {
  readonly host: ModelHost;
  readonly api: FakeApi;
  readonly folder: string;
  readonly clock: FakeClock;
  readonly client: KubeClient;
  readonly source: ClusterSource;
  /** How often the source asked for a pass. */
  asked = 0;
  overdueMs = 0;
  /** Events as they were told: `Warning Violation of t/net-vm-a: ...`. */
  readonly told: string[] = [];
  readonly #vms = new OwnVms();
  readonly #history: ConditionHistory;

  private constructor(
    api: FakeApi,
    host: ModelHost,
    folder: string,
    { key = null, client = api.client() }: Means,
  ) {
    this.api = api;
    this.client = client;
    this.host = host;
    this.folder = folder;
    const { clock } = host;
    this.clock = clock;
    this.#history = new ConditionHistory(clock);
    this.source = new ClusterSource({
      client,
      nodeName: NODE,
      namespace: 'system',
      checkpoint: new CheckpointFile(this.paths),
      sealedKeys: new SealedKeys(key),
      problems: [],
      facts: { platform: { os: 'Linux', architecture: 'amd64', kernel: '6.12' } },
      bpffsFault: () => null,
      counters: (tap) => packetCounts(host.kernel.counters(`${PATHS.bpffs}/${tap}`)),
      recorder: {
        event: ({ metadata: { namespace = '', name } }, type, reason, _action, note) =>
          this.told.push(`${type} ${reason} of ${namespace}/${name}: ${note}`),
        flush: () => Promise.resolve(),
      },
      clock,
      log: createLogger({ level: 'silent' }),
      onChange: () => (this.asked += 1),
      overdueMs: () => this.overdueMs,
      vms: this.#vms,
    });
  }

  static start(api: FakeApi): ClusterAgent {
    return new ClusterAgent(api, new ModelHost(), mkdtempSync(join(FOLDERS, 'vmn-cluster-')), {}).#started();
  }

  /** The process dies and a new one starts, on the same host. */
  async restart(means: Means = {}): Promise<ClusterAgent> {
    await this.source.close();
    this.host.restart();
    return new ClusterAgent(this.api, this.host, this.folder, means).#started();
  }

  get paths() {
    return { file: join(this.folder, 'wishes'), voidMark: join(this.folder, 'void') };
  }

  get checkpoint(): string | null {
    return existsSync(this.paths.file) ? readFileSync(this.paths.file, 'utf8') : null;
  }

  /** Somebody runs `vmnetctl run`. */
  startVm(name: string): void {
    ensureClosedTap(name, PATHS, this.host.ports());
    const link = this.host.kernel.byName(identityOf(name).tap);
    if (link !== undefined) link.heldByQemu = true;
  }

  endVm(name: string): void {
    const link = this.host.kernel.byName(identityOf(name).tap);
    if (link !== undefined) link.heldByQemu = false;
  }

  async pass(): Promise<{ result: PassResult; status: AgentStatus }> {
    const result = await this.host.passFor((view) => this.source.wanted(view));
    this.#vms.observed(result.attachments);
    const now = this.host.ports().clock.now().toISOString();
    const status = reportStatus(INFO, result, this.#history, nothingTold(), now);
    this.source.passed(status, result);
    return { result, status };
  }

  /** Passes whenever the source asks for one, until what is polled for holds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    let done = -1;
    await poll(
      what,
      async () => {
        if (this.asked !== done) {
          done = this.asked;
          await this.pass();
        }
        await this.clock.advance(100);
        return holds();
      },
      { everyMs: 5, deadlineMs: 5000, detail: () => JSON.stringify(this.api.requests) },
    );
  }

  /** Polls without a pass. */
  async quietly(what: string, holds: () => boolean): Promise<void> {
    await poll(
      what,
      async () => {
        await this.clock.advance(100);
        return holds();
      },
      { everyMs: 5, deadlineMs: 5000 },
    );
  }

  /** What the kernel judges this VM by; null is deny-all. */
  inForce(vm: string): Policy | null {
    const link = this.host.kernel.byName(identityOf(vm).tap);
    const bytes = this.host.kernel.attached(link?.ifindex ?? 0).from?.program.slot.policy ?? null;
    return bytes === null ? null : decodePolicy(bytes);
  }

  async close(): Promise<void> {
    await this.source.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #started(): this {
    this.source.start();
    return this;
  }
}
