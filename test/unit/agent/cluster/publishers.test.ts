import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ATTACHMENTS, HOST_NODES } from '../../../../src/agent/source/cluster/kinds.ts';
import type { AttachmentObject, NodeObject } from '../../../../src/agent/source/cluster/kinds.ts';
import { AttachmentPublisher } from '../../../../src/agent/status/cluster/attachment-publisher.ts';
import type { AttachmentReport } from '../../../../src/agent/status/cluster/attachment-report.ts';
import { NodePublisher } from '../../../../src/agent/status/cluster/node-publisher.ts';
import { nodeReport } from '../../../../src/agent/status/cluster/node-report.ts';
import type { PacketCounts } from '../../../../src/agent/status/cluster/packet-counts.ts';
import type { ViolationSeen } from '../../../../src/agent/status/cluster/violation-tuples.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { attachment } from '../support/cluster-objects.ts';
import { FakeApi, refused } from '../support/fake-api.ts';

const KEY = 't/net-vm-a';
const log = createLogger({ level: 'silent' });
const random = (): number => 0;
const MINUTE = 60_000;

/** Counters are read in a turn of the event loop of their own. */
async function rest(clock: FakeClock): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await clock.advance(0);
}

const report = (message: string, verifiedAt = '2026-01-31T12:00:00Z'): AttachmentReport => ({
  observedGeneration: 1,
  conditions: [{ type: 'Enforced', status: 'True', reason: 'Verified', message }],
  enforced: { policyHash: '0'.repeat(64), policyGeneration: 1, verifiedAt },
});

describe('statuses of attachments', () => {
  let api: FakeApi;
  let clock: FakeClock;
  let publisher: AttachmentPublisher;
  let counters: PacketCounts;
  let violations: ViolationSeen[];
  let readings: number;
  /** What the cache shows; the server unless it lags. */
  let cached: AttachmentObject | undefined;
  let lags: boolean;
  let uid: string;
  const life = new AbortController();
  const stored = (): AttachmentObject | undefined => api.find<AttachmentObject>(ATTACHMENTS, KEY);

  beforeEach(() => {
    api = new FakeApi();
    clock = new FakeClock();
    counters = { allowed: 0, dropped: 0 };
    violations = [];
    readings = 0;
    lags = false;
    cached = api.put(ATTACHMENTS, attachment());
    uid = cached.metadata.uid ?? '';
    publisher = new AttachmentPublisher({
      client: api.client(),
      present: () => (lags ? cached : stored()),
      counters: () => {
        readings += 1;
        return counters;
      },
      written: () => undefined,
      violations: () => violations,
      clock,
      log,
      random,
    });
    void publisher.run(life.signal);
  });
  afterEach(() => life.signal.throwIfAborted());

  const offer = async (one: AttachmentReport, passMs = 0, of = uid): Promise<void> => {
    publisher.offer(new Map([[KEY, { uid: of, report: one }]]));
    await rest(clock);
    if (passMs > 0) await after(passMs);
  };
  const after = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    await rest(clock);
  };

  test('what is offered is written, once', async () => {
    await offer(report('a'));
    expect(stored()?.status).toMatchObject({
      observedGeneration: 1,
      conditions: [{ type: 'Enforced', message: 'a', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      counters: { allowed: 0, dropped: 0 },
    });
    await offer(report('a'));
    await offer(report('a', '2026-01-31T12:00:30Z'));
    expect(api.writes).toEqual([`update vmnetworkattachments/status ${KEY}`]);
  });

  test('at rest nothing is written, for hours, though each pass reads back anew', async () => {
    await offer(report('a'));
    for (let pass = 0; pass < 240; pass += 1)
      await offer(report('a', new Date(clock.nowMs()).toISOString()), 30_000);
    expect(api.writes.length).toBe(1);
    // Nor is the kernel asked for its counts more than once a minute.
    expect(readings).toBeLessThanOrEqual(122);
  });

  test('when it was read back goes along with whatever else is written', async () => {
    await offer(report('a'));
    await offer(report('b', '2026-01-31T12:30:00Z'));
    expect(stored()?.status?.enforced?.verifiedAt).toBe('2026-01-31T12:30:00Z');
  });

  test('a condition keeps its time until its status changes', async () => {
    await offer(report('a'));
    await offer(report('b'), 5000);
    expect(stored()?.status?.conditions?.[0]).toMatchObject({
      message: 'b',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    const other = {
      ...report('c'),
      conditions: [{ type: 'Enforced', status: 'False', reason: 'Denied', message: 'c' }],
    } as const;
    await offer(other);
    expect(stored()?.status?.conditions?.[0]?.lastTransitionTime).toBe('2026-01-01T00:00:05Z');
  });

  test('conditions that are not ours stay, and what was ours and is not said any more goes', async () => {
    const foreign = {
      type: 'Audited',
      status: 'True',
      reason: 'Yes',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    } as const;
    const own = { ...foreign, type: 'Released' };
    api.put(ATTACHMENTS, { ...stored()!, status: { conditions: [foreign, own] } });
    await offer(report('a'));
    expect(stored()?.status?.conditions?.map(({ type }) => type)).toEqual(['Enforced', 'Audited']);
  });

  test('counts alone are written once a minute at most, and only when they moved', async () => {
    await offer(report('a'));
    counters = { allowed: 5, dropped: 0 };
    await offer(report('a'), MINUTE - 1000);
    expect(api.writes.length).toBe(1);
    await offer(report('a'), 2000);
    expect([api.writes.length, stored()?.status?.counters?.allowed]).toEqual([2, 5]);
    counters = { allowed: 6, dropped: 0 };
    await after(MINUTE / 2);
    expect(api.writes.length).toBe(2);
    for (let minutes = 0; minutes < 10; minutes += 1) await after(MINUTE);
    expect([api.writes.length, stored()?.status?.counters?.allowed]).toEqual([3, 6]);
  });

  test('a first violation is told when counts were not written lately; a guest that goes on is told once a minute', async () => {
    await offer(report('a'), 2 * MINUTE);
    for (let packets = 1; packets <= 60; packets += 1) {
      violations = [
        { time: '2026-01-31T12:00:00Z', direction: 'FromVM', protocol: 'TCP', reason: 'NotUdp', packets },
      ];
      publisher.look(KEY);
      await after(1000);
    }
    const told = stored()?.status?.lastViolations?.[0]?.packets ?? 0;
    expect(told).toBeGreaterThan(0);
    expect(api.writes.length).toBeLessThanOrEqual(3);
  });

  test('a storm of changes is not a storm of writes, and the last one arrives', async () => {
    for (let change = 0; change < 100; change += 1) await offer(report(String(change)), 20);
    expect(api.writes.length).toBeLessThanOrEqual(8);
    await after(5000);
    expect(stored()?.status?.conditions?.[0]?.message).toBe('99');
  });

  test('somebody else wrote first: read again, written over what is there now', async () => {
    lags = true;
    api.put(ATTACHMENTS, { ...stored()!, spec: { moved: true } });
    await offer(report('a'), 1000);
    expect(stored()).toMatchObject({ spec: { moved: true }, status: { observedGeneration: 1 } });
    expect(api.requests.filter((one) => one.startsWith('get'))).toEqual([`get vmnetworkattachments ${KEY}`]);
    await offer(report('b'), 1000);
    expect(stored()?.status?.conditions?.[0]?.message).toBe('b');
    // The cache shows nothing of it yet, and nothing is written twice because of that.
    expect(api.writes.length).toBe(3);
  });

  test('somebody wipes what was said: it is said again', async () => {
    await offer(report('a'));
    api.put(ATTACHMENTS, { ...stored()!, status: {} });
    publisher.look(KEY);
    await after(1000);
    expect(stored()?.status?.observedGeneration).toBe(1);
  });

  test('another attachment that has got the name is told nothing of the former', async () => {
    await offer(report('a'), 1000, 'uid of a former one');
    expect(api.writes).toEqual([]);
  });

  test('one that is no more is forgotten', async () => {
    api.remove(ATTACHMENTS, KEY);
    await offer(report('a'), 1000);
    publisher.offer(new Map());
    publisher.look(KEY);
    await after(MINUTE);
    expect(api.writes).toEqual([]);
  });

  test('the server is away: tried again, more and more slowly, until it is back', async () => {
    api.away = true;
    await offer(report('a'), 10 * MINUTE);
    expect(api.writes).toEqual([]);
    api.away = false;
    await after(MINUTE);
    expect(stored()?.status?.conditions?.[0]?.message).toBe('a');
  });

  test('refused: tried again later, not at once and not for ever faster', async () => {
    api.refuseNext = refused(403, 'Forbidden');
    await offer(report('a'));
    expect(api.writes.length).toBe(1);
    await after(2000);
    expect([api.writes.length, stored()?.status?.observedGeneration]).toEqual([2, 1]);
  });

  test('counts that cannot be read leave what was said', async () => {
    counters = { allowed: 7, dropped: 0 };
    await offer(report('a'));
    counters = null as never;
    await offer(report('b'), 2 * MINUTE);
    expect(stored()?.status?.counters?.allowed).toBe(7);
  });
});

describe('the VMNetworkNode', () => {
  const facts = {
    platform: { os: 'Linux', architecture: 'amd64', kernel: '6.12' },
    features: { btf: true, tcx: true, clsact: true, ringbuf: true, bpffs: true },
  } as const;
  const sound = { failure: null, bpffsFault: null, problems: [], failing: [] };
  const say = (problems: string[] = [], failure: string | null = null) =>
    nodeReport(facts, [], { ...sound, failure, problems });
  let api: FakeApi;
  let clock: FakeClock;
  let publisher: NodePublisher;
  const life = new AbortController();
  const node = (): NodeObject | undefined => api.find<NodeObject>(HOST_NODES, 'node-1');

  beforeEach(() => {
    api = new FakeApi();
    clock = new FakeClock();
    publisher = new NodePublisher({ client: api.client(), nodeName: 'node-1', clock, log, random });
    void publisher.run(life.signal);
  });
  const offer = async (one = say(), passMs = 0): Promise<void> => {
    publisher.offer(one);
    await rest(clock);
    await clock.advance(passMs);
    await rest(clock);
  };

  test('is made where there is none, and says what the host is', async () => {
    await offer();
    expect(api.writes).toEqual(['create vmnetworknodes node-1', 'update vmnetworknodes/status node-1']);
    expect(node()).toMatchObject({
      spec: {},
      status: {
        platform: facts.platform,
        virtualMachineCount: 0,
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'BpfFsReady', status: 'True' },
          { type: 'Degraded', status: 'False' },
        ],
      },
    });
  });

  test('that is there is not made, nor written when it says the same; at rest for hours', async () => {
    await offer();
    const { length } = api.writes;
    const second = new NodePublisher({ client: api.client(), nodeName: 'node-1', clock, log, random });
    void second.run(life.signal);
    second.offer(say());
    for (let hour = 0; hour < 3; hour += 1) await offer(say(), 3_600_000);
    expect(api.writes.length).toBe(length);
  });

  test('that somebody deleted is made again', async () => {
    await offer();
    api.remove(HOST_NODES, 'node-1');
    await offer(say(), 400_000);
    expect(node()?.status?.virtualMachineCount).toBe(0);
  });

  test('deleted between a look and a write: made again by the write', async () => {
    await offer();
    api.remove(HOST_NODES, 'node-1');
    await offer(say(['nft: no']), 10_000);
    expect(node()?.status?.conditions?.[2]).toMatchObject({
      type: 'Degraded',
      status: 'True',
      message: 'nft: no',
    });
  });

  test('says what is wrong: a pass that failed, a kernel without tcx, bpffs that is gone', () => {
    const said = (one: ReturnType<typeof nodeReport>) =>
      one.conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
    expect(said(say([], 'no netlink'))).toContain('Ready=False NotReady');
    const old = { ...facts, features: { ...facts.features, tcx: false } };
    const bpffsFault = { code: 'VMN_BPFFS_MISSING', message: 'no bpffs', remedy: 'Mount it.' } as const;
    expect(said(nodeReport(old, [], { ...sound, bpffsFault }))).toEqual([
      'Ready=True Ready',
      'BpfFsReady=False NotMounted',
      'Degraded=True FeatureMissing',
    ]);
    const readOnly = nodeReport(facts, [], {
      ...sound,
      bpffsFault: { ...bpffsFault, code: 'VMN_BPFFS_READ_ONLY' },
    });
    expect(readOnly.conditions[1]).toEqual({
      type: 'BpfFsReady',
      status: 'False',
      reason: 'ReadOnly',
      message: 'no bpffs. Mount it.',
    });
  });

  test('is degraded by a single attachment that fails, says how many and which first, until none does', async () => {
    const failure = (vm: string) => ({
      ...{
        file: `VM ${vm}`,
        message: `no memory for ${vm}`,
        remedy: 'Free some.',
        code: 'VMN_BPF_MAP' as const,
      },
    });
    const degraded = () => node()?.status?.conditions?.find(({ type }) => type === 'Degraded');
    await offer(nodeReport(facts, [], { ...sound, failing: [failure('b')] }));
    expect(degraded()).toMatchObject({ status: 'True', reason: 'AttachmentsFailing' });
    expect(degraded()?.message).toBe(
      'attachments that are not as wanted: 1, VM b: no memory for b. Free some.',
    );
    await offer(nodeReport(facts, [], { ...sound, failing: [failure('b'), failure('a')] }), 10_000);
    expect(degraded()?.message).toBe(
      'attachments that are not as wanted: 2, the first is VM a: no memory for a. Free some.',
    );
    await offer(say(), 10_000);
    expect(degraded()).toMatchObject({ status: 'False', reason: 'AsExpected' });
  });

  test('lists no more VMs than the API takes, and says that there are more', () => {
    const vm = (index: number) => ({ id: `vm-${index}`, name: `vm-${index}`, labels: {}, interfaces: [] });
    const one = nodeReport(
      facts,
      Array.from({ length: 1030 }, (_, index) => vm(index)),
      sound,
    );
    expect(one.virtualMachines.length).toBe(1024);
    expect(one.conditions[2]).toMatchObject({ status: 'True', message: expect.stringContaining('1030') });
  });
});
