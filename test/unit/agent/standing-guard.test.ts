import { beforeEach, describe, expect, test } from '@jest/globals';
import { ensureGuard, removeHostWiring, syncForwarding } from '../../../src/agent/host/host-wiring.ts';
import type { HostWiringPorts } from '../../../src/agent/host/host-wiring.ts';
import type { Kernel } from '../../../src/agent/host/kernel.ts';
import { GATEWAY_MAC, identityOf } from '../../../src/agent/wiring/identity.ts';
import { readGuard } from '../../../src/agent/wiring/nft-table.ts';
import { putGuard, takeGuardAway, viewGuard } from '../../../src/cli/guard/standing-guard.ts';
import type { GuardPorts } from '../../../src/cli/guard/standing-guard.ts';
import { ModelNft, modelUplinks, PATHS } from './support/model-host.ts';
import { ModelKernel } from './support/model-kernel.ts';

const SWITCH = 'net/ipv4/conf/eth0/forwarding';
const { tap, alias } = identityOf('one');

interface PlainLink {
  readonly name: string;
  readonly kind: string;
  readonly mac?: string;
  readonly alias?: string;
}

let model: ModelKernel;
let nft: ModelNft;
let links: PlainLink[];
let pins: string[];
let ports: GuardPorts;
let seen: string[];
beforeEach(() => {
  model = new ModelKernel();
  nft = new ModelNft(model);
  links = [];
  pins = [];
  seen = [];
  const kernel = {
    readSetting: model.readSetting.bind(model),
    writeSetting: model.writeSetting.bind(model),
    links: () => links.map((link) => ({ alias: '', mac: GATEWAY_MAC, up: true, ...link })),
    listPins: () => pins,
  } as unknown as Kernel;
  ports = { kernel, nft, uplinks: modelUplinks(model), pool: PATHS.pool, bpffs: '/bpf' };
});

/** As an agent that was told of these patterns and sees these bound links. */
function agent(patterns: readonly string[], bound: readonly string[] = []): HostWiringPorts {
  return { ...ports, managed: { patterns, links: bound }, onChange: (what) => seen.push(what) };
}

const managed = async (): Promise<unknown> => (await readGuard(nft))?.managed;

describe('the guard of an agent', () => {
  test('has its patterns and bound links, and the links of now only', async () => {
    await ensureGuard(agent(['vnet*'], ['macvtap1']));
    expect(await managed()).toEqual({ patterns: ['vnet*'], links: ['macvtap1'] });
    await ensureGuard(agent(['vnet*'], ['macvtap2']));
    expect(await managed()).toEqual({ patterns: ['vnet*'], links: ['macvtap2'] });
    expect(seen).toEqual(['guard made', 'guard restored']);
  });

  test('keeps the patterns that it finds, whatever the agent was told', async () => {
    await putGuard(ports, ['tap*'], false);
    await syncForwarding(agent(['vnet*']), await ensureGuard(agent(['vnet*'])), ['eth0']);
    expect(await managed()).toEqual({ patterns: ['tap*', 'vnet*'], links: [] });
  });

  test('a pattern that is added during a pass is not lost by it', async () => {
    const begun = await ensureGuard(agent(['vnet*']));
    await putGuard(ports, ['tap*', 'vnet*'], false);
    await syncForwarding(agent(['vnet*']), begun, ['eth0']);
    expect(await managed()).toEqual({ patterns: ['tap*', 'vnet*'], links: [] });
  });

  test.each([
    ['its own', ['vnet*'], []],
    ['found ones', [], ['vnet*']],
  ])(
    'stays with patterns (%s) when the last attachment goes, and closes the uplinks',
    async (_, own, found) => {
      if (found.length > 0) await putGuard(ports, found, false);
      await syncForwarding(agent(own), await ensureGuard(agent(own)), ['eth0']);
      await removeHostWiring(agent(own));
      expect(model.readSetting(SWITCH)).toBe('0');
      expect(await managed()).toEqual({ patterns: ['vnet*'], links: [] });
      // It is so: nothing is written again.
      nft.apply = () => Promise.reject(new Error('a write'));
      await removeHostWiring(agent(own));
    },
  );
});

describe('the guard by hand', () => {
  const refusal = (on: string): unknown =>
    expect.objectContaining({
      code: 'VMN_USAGE',
      on: expect.stringContaining(on),
      remedy: expect.stringContaining('--force'),
    });

  test('is made, changed and left as it is', async () => {
    expect(await putGuard(ports, ['vnet*'], false)).toBe('made');
    expect(await putGuard(ports, ['vnet*'], false)).toBe('unchanged');
    expect(await putGuard(ports, ['tap*', 'vnet*'], false)).toBe('changed');
    links = [
      { name: 'tap1', kind: 'tun' },
      { name: 'eth0', kind: '' },
    ];
    expect(await viewGuard(ports)).toEqual({
      inForce: true,
      patterns: ['tap*', 'vmn-*', 'vnet*'],
      boundLinks: [],
      openedUplinks: [],
      interfaces: [{ name: 'tap1', tap: true, up: true }],
    });
    nft.table?.pop();
    expect(await viewGuard(ports)).toMatchObject({ inForce: false });
  });

  test('keeps what a running agent has in it', async () => {
    const wiring = agent([], ['bound1']);
    await syncForwarding(wiring, await ensureGuard(wiring), ['eth0']);
    await putGuard(ports, ['vnet*'], false);
    expect(await viewGuard(ports)).toMatchObject({ boundLinks: ['bound1'], openedUplinks: ['eth0'] });
  });

  test('is not made for what is no tap', async () => {
    links = [{ name: 'vnet7', kind: 'veth' }];
    await expect(putGuard(ports, ['vnet*'], true)).rejects.toMatchObject({ code: 'VMN_USAGE' });
    expect(nft.table).toBeNull();
  });

  test('leaves out a pattern whose taps exist only when it is forced', async () => {
    await putGuard(ports, ['tap*', 'vnet*'], false);
    links = [{ name: 'tap1', kind: 'tun' }];
    await expect(putGuard(ports, ['vnet*'], false)).rejects.toEqual(refusal('tap1'));
    expect(await putGuard(ports, ['tap1', 'vnet*'], false)).toBe('changed');
    expect(await putGuard(ports, ['vnet*'], true)).toBe('changed');
    expect(await managed()).toEqual({ patterns: ['vnet*'], links: [] });
  });

  test.each([
    ['taps of ours', () => (links = [{ name: tap, kind: 'tun', alias }]), tap],
    ['pinned filters', () => (pins = ['if-0-7']), 'if-0-7'],
    ['managed taps', () => (links = [{ name: 'vnet3', kind: 'tun' }]), 'vnet3'],
  ])('is not removed while there are %s, unless forced', async (_, make, named) => {
    await putGuard(ports, ['vnet*'], false);
    make();
    await expect(takeGuardAway(ports, false)).rejects.toEqual(refusal(named));
    expect(await viewGuard(ports)).toMatchObject({ inForce: true });
    expect(await takeGuardAway(ports, true)).toBe(true);
    expect(nft.table).toBeNull();
  });

  test('is removed after the uplinks that it restricts were closed', async () => {
    await syncForwarding(agent(['vnet*']), await ensureGuard(agent(['vnet*'])), ['eth0']);
    model.check = () => {
      if (nft.table === null) expect(model.readSetting(SWITCH)).toBe('0');
    };
    expect(await takeGuardAway(ports, false)).toBe(true);
    expect([nft.table, ports.uplinks.read()]).toEqual([null, []]);
    expect(await takeGuardAway(ports, false)).toBe(false);
  });
});
