import { beforeEach, describe, expect, test } from '@jest/globals';
import { OwnVms } from '../../../src/agent/discovery/own-vms.ts';
import { ensureClosedTap } from '../../../src/agent/wiring/closed-tap.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { manifests, ModelHost, PATHS } from './support/model-host.ts';

describe('the VMs on our own taps', () => {
  let host: ModelHost;
  let vms: OwnVms;
  let changes: number;
  beforeEach(() => {
    host = new ModelHost();
    vms = new OwnVms();
    changes = 0;
    vms.onChange(() => (changes += 1));
  });
  const look = async (): Promise<string[]> => {
    vms.observed((await host.pass(manifests({}))).attachments);
    return vms.list().map(({ reported }) => reported.id);
  };
  const hold = (vm: string, holds: boolean): void => {
    const link = host.kernel.byName(identityOf(vm).tap);
    if (link !== undefined) link.heldByQemu = holds;
  };

  test('run while somebody holds the tap, or has claimed it', async () => {
    host.kernel.processes.set(7, 'start');
    ensureClosedTap('vm-b', PATHS, host.ports(), { pid: 7, startTicks: 'start' });
    ensureClosedTap('vm-a', PATHS, host.ports());
    hold('vm-a', true);
    expect(await look()).toEqual(['vm-a', 'vm-b']);
    host.kernel.processes.delete(7);
    hold('vm-a', false);
    expect(await look()).toEqual([]);
  });

  test('are reported with their one card, and what filters it', async () => {
    ensureClosedTap('vm-a', PATHS, host.ports());
    hold('vm-a', true);
    await look();
    const { tap, guestMac } = identityOf('vm-a');
    const { ifindex } = host.kernel.byName(tap)!;
    expect(vms.list()).toEqual([
      {
        reported: {
          id: 'vm-a',
          name: 'vm-a',
          labels: {},
          interfaces: [{ mac: guestMac, name: tap, engine: 'tcx' }],
        },
        cards: [
          {
            mac: guestMac,
            link: { netns: null, ifindex, name: tap },
            unsupported: null,
            pid: null,
            startTicks: null,
          },
        ],
      },
    ]);
  });

  test('are told once for each change', async () => {
    ensureClosedTap('vm-a', PATHS, host.ports());
    hold('vm-a', true);
    await look();
    await look();
    expect(changes).toBe(1);
    hold('vm-a', false);
    await look();
    expect(changes).toBe(2);
  });

  test('one that could not be looked at is taken for what it was', async () => {
    ensureClosedTap('vm-a', PATHS, host.ports());
    hold('vm-a', true);
    await look();
    host.kernel.readBack = () => {
      throw new Error('not now');
    };
    expect(await look()).toEqual(['vm-a']);
    expect(changes).toBe(1);
  });
});
