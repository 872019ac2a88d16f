import { beforeEach, describe, expect, test } from '@jest/globals';
import { Losses } from '../../../src/agent/attachment/losses.ts';
import type { AttachmentResult } from '../../../src/agent/attachment/rounds.ts';
import { ConditionHistory } from '../../../src/agent/status/condition-history.ts';
import { reportStatus } from '../../../src/agent/status/report.ts';
import { nothingTold } from '../../../src/agent/status/attachment-status.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { manifests, ModelHost } from './support/model-host.ts';

const TAP = identityOf('vm-a').tap;
const SET = manifests({ 'vm-a': {} });
const INFO = {
  ...{ version: '1', pid: 1, startedAt: '2026-01-31T12:00:00Z', manifests: '/m', bpffs: '/bpf' },
  programTags: { fromVm: 'aaaaf', toVm: 'aaaat' },
};

describe('a filter that somebody removed', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });

  /** What status says after a pass: state, and the network's conditions. */
  async function told(): Promise<unknown> {
    const result = await host.pass(SET);
    const history = new ConditionHistory(host.ports().clock);
    const status = reportStatus(INFO, result, history, nothingTold(), '2026-01-31T12:00:01Z');
    const conditions = status.networks[0]?.conditions.map(
      ({ type, status: value, reason }) => `${type} ${value} ${reason}`,
    );
    return { state: status.attachments[0]?.state, losses: result.losses, conditions };
  }
  const WELL = {
    state: 'Enforced',
    conditions: expect.arrayContaining(['Enforced True Verified', 'Ready True Ready']),
  };
  const LOST = {
    state: 'Error',
    conditions: expect.arrayContaining([
      'Programmed True Programmed',
      'Enforced False Detached',
      'Ready False NotReady',
    ]),
  };

  test('is restored in the pass that finds it, and told of for some seconds all the same', async () => {
    expect(await told()).toMatchObject({ ...WELL, losses: 0 });
    host.kernel.rob(TAP, 'from');
    expect(await told()).toMatchObject({ ...LOST, losses: 1 });
    host.advance(4_000);
    expect(await told()).toMatchObject({ ...LOST, losses: 1 });
    host.advance(2_000);
    expect(await told()).toMatchObject({ ...WELL, losses: 1 });
  });

  test('is told of each time', async () => {
    await told();
    for (const losses of [1, 2]) {
      host.kernel.rob(TAP, 'from');
      expect(await told()).toMatchObject({ ...LOST, losses });
    }
  });

  test('leads to no pass once it has been told of, whatever became of its card', () => {
    const losses = new Losses();
    const seen = { tap: 'a', verified: true, observed: { link: {}, fault: null } } as AttachmentResult;
    losses.settled([seen], 0n);
    losses.looked('a', { fault: 'gone', link: seen.observed?.link ?? null }, 0n);
    const dueNs = losses.nextNs();
    expect(dueNs).toBe(5_000_000_000n);
    losses.keepOnly(new Set(['a']), dueNs! - 1n);
    expect(losses.nextNs()).toBe(dueNs);
    losses.keepOnly(new Set(['a']), dueNs!);
    expect(losses.nextNs()).toBeNull();
  });

  test('before this agent came is none that it was in charge of', async () => {
    await told();
    host.kernel.rob(TAP, 'from');
    host.restart();
    expect(await told()).toMatchObject({ ...WELL, losses: 0 });
  });
});
