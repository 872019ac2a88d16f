import { beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { AgentMetrics } from '../../../../src/agent/metrics/agent-metrics.ts';
import { FilterCounts } from '../../../../src/agent/metrics/filter-counts.ts';
import { ConditionHistory } from '../../../../src/agent/status/condition-history.ts';
import { reportStatus } from '../../../../src/agent/status/report.ts';
import type { AgentStatus } from '../../../../src/agent/status/status.ts';
import { nothingTold } from '../../../../src/agent/status/attachment-status.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import type { CounterLine } from '../../../../src/native/counters.ts';
import { REASONS } from '../../../../src/filter/drop-reason.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { Metrics } from '../../../../src/lib/metrics.ts';
import { documentedMetrics, metricsPage, servedMetrics } from '../../../support/metrics-text.ts';
import { manifests, ModelHost, PATHS } from '../support/model-host.ts';
import type { ManifestSet } from '../../../../src/agent/source/manifest-set.ts';

const DROP_REASONS = new URL('../../../../docs/drop-reasons.md', import.meta.url);

const INFO = {
  version: '1.2.3',
  pid: 1,
  startedAt: '2026-01-31T12:00:00Z',
  manifests: '/m',
  bpffs: '/bpf',
  programTags: { fromVm: 'f', toVm: 't' },
};

/** The same wishes, pass after pass, on a model of a host, with an eye on them. */
class Watched {
  readonly host = new ModelHost();
  readonly metrics = new Metrics();
  readonly observer: AgentMetrics;
  #status: AgentStatus | null = null;

  constructor() {
    const { kernel, clock } = this.host;
    const file = { read: () => new Map<string, bigint>(), write: () => undefined };
    const log = createLogger({ level: 'silent' });
    const counts = new FilterCounts({ kernel, bpffs: PATHS.bpffs, file, clock, log });
    this.observer = new AgentMetrics({ metrics: this.metrics, info: INFO, counts, clock });
  }

  async pass(set: ManifestSet): Promise<void> {
    this.observer.began();
    const result = await this.host.pass(set);
    const history = new ConditionHistory(this.host.clock);
    const now = this.host.clock.now().toISOString();
    this.#status = reportStatus(INFO, result, history, nothingTold(), now);
    this.observer.passed(this.#status, result);
  }

  fail(): void {
    this.observer.began();
    this.observer.failed(this.#status);
  }

  /** @param lines what the filter of this VM counts */
  count(vm: string, lines: readonly Partial<CounterLine>[]): void {
    const pins = this.host.kernel.pins.get(`${PATHS.bpffs}/${identityOf(vm).tap}`);
    if (pins === undefined) throw new Error(`no filter of ${vm}`);
    const whole = { direction: 'from-vm', reason: 0, audited: false, packets: 1n, bytes: 1n } as const;
    pins.counters = lines.map((line) => ({ ...whole, ...line }));
  }

  /** Samples by name and labels. */
  async scrape(): Promise<Record<string, number>> {
    const text = await this.metrics.registry.metrics();
    const samples = text.matchAll(/^(vmnetwork_agent_\w+(?:\{.*\})?|controller_\w+_total\{.*\}) (\S+)$/gm);
    return Object.fromEntries([...samples].map(([, series = '', value]) => [series, Number(value)]));
  }
}

describe('the metrics of an agent', () => {
  let agent: Watched;
  beforeEach(() => {
    agent = new Watched();
  });
  const frames = (direction: string, verdict: string, reason: string): string =>
    `vmnetwork_agent_frames_total{direction="${direction}",verdict="${verdict}",reason="${reason}"}`;

  test('are those that docs/metrics.md lists, with type and labels', async () => {
    const ours = (lines: readonly string[]): string[] =>
      lines.filter((line) => line.startsWith('vmnetwork_agent_'));
    const text = await agent.metrics.registry.metrics();
    expect(ours(documentedMetrics())).toEqual(ours(servedMetrics(text)));
    for (const state of ['Enforced', 'Programmed', 'Denied', 'Pending', 'Error'])
      expect(metricsPage()).toContain(`\`${state}\``);
  });

  test('have a series for every reason of docs/drop-reasons.md before its first frame', async () => {
    const seen = await agent.scrape();
    for (const { metric, number } of REASONS) {
      const verdicts = number < 16 ? ['passed'] : ['dropped', 'audited'];
      for (const direction of ['from_vm', 'to_vm'])
        for (const verdict of verdicts)
          expect([metric, seen[frames(direction, verdict, metric)]]).toEqual([metric, 0]);
    }
  });

  test('are what docs/drop-reasons.md sends its readers to', async () => {
    const [, metric = ''] = /metric `(\w+)`/.exec(readFileSync(DROP_REASONS, 'utf8')) ?? [];
    expect(await agent.metrics.registry.metrics()).toContain(`# TYPE ${metric} counter\n`);
  });

  test('add up what the filters of all VMs count', async () => {
    await agent.pass(manifests({ one: {}, two: {} }));
    agent.count('one', [{ reason: 38, packets: 3n }, { packets: 9n }]);
    agent.count('two', [
      { reason: 38, packets: 4n },
      { reason: 38, packets: 5n, audited: true },
      { reason: 37, direction: 'to-vm' },
      { reason: 61 },
    ]);
    const seen = await agent.scrape();
    expect(seen[frames('from_vm', 'dropped', 'protocol')]).toBe(7);
    expect(seen[frames('from_vm', 'audited', 'protocol')]).toBe(5);
    expect(seen[frames('from_vm', 'passed', 'allowed')]).toBe(9);
    expect(seen[frames('to_vm', 'dropped', 'source_address')]).toBe(1);
    // Of a filter that is newer than this agent.
    expect(seen[frames('from_vm', 'dropped', 'reason_61')]).toBe(1);
    expect(seen[frames('to_vm', 'dropped', 'protocol')]).toBe(0);
  });

  test('tell states, problems and passes', async () => {
    await agent.pass(manifests({ one: {}, two: {}, three: { desiredState: 'Quarantined' } }));
    expect(await agent.scrape()).toMatchObject({
      'vmnetwork_agent_attachments{state="Enforced"}': 3,
      'vmnetwork_agent_attachments{state="Error"}': 0,
      vmnetwork_agent_quarantined_attachments: 0,
      vmnetwork_agent_bypassed_guest_firewalls: 0,
      vmnetwork_agent_problems: 0,
      vmnetwork_agent_longest_exposure_seconds: 0,
      'vmnetwork_agent_build_info{version="1.2.3",from_vm_program="f",to_vm_program="t"}': 1,
      'controller_runtime_reconcile_total{controller="host",result="success"}': 1,
    });
    agent.host.damageRecord('one');
    await agent.pass(manifests({ one: {}, two: {}, three: {} }));
    agent.fail();
    expect(await agent.scrape()).toMatchObject({
      'vmnetwork_agent_attachments{state="Enforced"}': 2,
      'vmnetwork_agent_attachments{state="Error"}': 1,
      vmnetwork_agent_problems: 1,
      'controller_runtime_reconcile_total{controller="host",result="success"}': 2,
      'controller_runtime_reconcile_errors_total{controller="host"}': 1,
    });
  });

  test('tell how long one has not been read back', async () => {
    const age = async (): Promise<number | undefined> =>
      (await agent.scrape())['vmnetwork_agent_verification_age_seconds'];
    const both = manifests({ one: {}, two: {} });
    expect(await age()).toBe(0);
    await agent.pass(both);
    await agent.host.clock.advance(20_000);
    expect(await age()).toBe(20);
    agent.host.damageRecord('one');
    await agent.pass(both);
    agent.fail();
    expect(await age()).toBe(20);
    agent.host.records.states.delete(identityOf('one').tap);
    await agent.pass(both);
    expect(await age()).toBe(0);
  });

  test('count a pass that ended in a bug as one that failed', async () => {
    agent.observer.began();
    agent.observer.began();
    const text = await agent.metrics.registry.metrics();
    expect(text).toContain('controller_runtime_active_workers{controller="host"} 1\n');
    expect(text).toContain('controller_runtime_reconcile_errors_total{controller="host"} 1\n');
  });
});
