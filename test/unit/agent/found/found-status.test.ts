import { beforeEach, expect, test } from '@jest/globals';
import type { HostVm } from '../../../../src/agent/discovery/directory.ts';
import { wantedOf } from '../../../../src/agent/source/manifest-source.ts';
import { ConditionHistory } from '../../../../src/agent/status/condition-history.ts';
import { directoryProblem } from '../../../../src/agent/status/problems.ts';
import { reportStatus } from '../../../../src/agent/status/report.ts';
import type { AgentStatus, NetworkStatus } from '../../../../src/agent/status/status.ts';
import { nothingTold } from '../../../../src/agent/status/attachment-status.ts';
import { manifests, ModelHost, type SpecInput } from '../support/model-host.ts';

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const MAC = '52:54:00:00:00:0a';
const SLIRP = 'network backend user: slirp: it has no interface on the host; use -netdev tap';
const INFO = {
  ...{ version: '1', pid: 1, startedAt: '2026-01-31T12:00:00Z', manifests: '/m', bpffs: '/bpf' },
  programTags: { fromVm: 'aaaaf', toVm: 'aaaat' },
};

let host: ModelHost;
beforeEach(() => {
  host = new ModelHost();
  host.managedPatterns = ['tap*'];
  host.kernel.processes.set(9, '90');
});

/** A VM that somebody else started, with a card on this tap, or on none. */
function vm(tap: string | null, unsupported: string | null = null, mac = MAC): HostVm {
  const link = tap === null ? null : { netns: null, ifindex: host.kernel.addForeignTap(tap), name: tap };
  const card = { mac, link, unsupported, pid: 9, startTicks: '90' };
  return { reported: { id: UUID, name: 'web', uuid: UUID, labels: {}, interfaces: [] }, cards: [card] };
}

async function status(spec: SpecInput, problems: readonly string[] = []): Promise<AgentStatus> {
  const set = manifests({ net: { selector: { uuids: [UUID] }, ...spec } });
  const result = await host.passFor((view) => wantedOf(set, view, host.vms));
  const history = new ConditionHistory(host.clock);
  const told = { ...result, problems: [...result.problems, ...problems.map(directoryProblem)] };
  return reportStatus(INFO, told, history, nothingTold(), '2026-01-31T12:00:01Z');
}

const condition = (
  { networks }: AgentStatus,
  type: string,
): NetworkStatus['conditions'][number] | undefined =>
  networks[0]?.conditions.find((one) => one.type === type);

test('a network selects a VM by its uuid: enforced on its link, and counted', async () => {
  host.vms = [vm('tap5')];
  const seen = await status({});
  expect(seen.attachments).toMatchObject([{ vm: UUID, tap: 'tap5', network: 't/net', state: 'Enforced' }]);
  expect(seen.networks[0]?.attachments).toEqual([UUID]);
  expect(condition(seen, 'Programmed')).toMatchObject({ status: 'True', message: '1 of 1 attachments' });
  expect(condition(seen, 'Ready')).toMatchObject({ status: 'True' });
});

test('a card that cannot be filtered is the reason why the network is not ready, and Ready says so itself', async () => {
  for (const tap of [null, 'tap6']) {
    host.vms = [vm(tap, SLIRP)];
    const seen = await status({});
    for (const type of ['Programmed', 'Enforced'])
      expect(condition(seen, type)).toMatchObject({
        ...{ status: 'False', reason: 'UnsupportedBackend' },
        message: `VM ${UUID}, network card ${MAC}: ${SLIRP}`,
      });
    expect(condition(seen, 'Ready')?.message).toBe(
      `Programmed, Enforced: VM ${UUID}, network card ${MAC}: ${SLIRP}`,
    );
  }
});

test('of two cards one that cannot be filtered is enough', async () => {
  const [one, other] = [vm('tap5'), vm(null, SLIRP, '52:54:00:00:00:0b')];
  host.vms = [{ ...one, cards: [...one.cards, ...other.cards] }];
  expect(condition(await status({}), 'Enforced')).toMatchObject({
    ...{ status: 'False', reason: 'UnsupportedBackend' },
    message: expect.stringContaining('52:54:00:00:00:0b'),
  });
});

test('what is not known of the VMs of this host is a problem of the host', async () => {
  const { problems } = await status({}, ['who holds the tap 1/7 cannot be seen']);
  expect(problems).toEqual([
    expect.objectContaining({ code: 'VMN_VMS_UNSEEN', message: 'who holds the tap 1/7 cannot be seen' }),
  ]);
});
