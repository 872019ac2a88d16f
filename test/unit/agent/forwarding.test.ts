import { describe, expect, test } from '@jest/globals';
import { ensureGuard, removeHostWiring, syncForwarding } from '../../../src/agent/host/host-wiring.ts';
import { planForwarding } from '../../../src/agent/wiring/forwarding.ts';
import { readGuard } from '../../../src/agent/wiring/nft-table.ts';
import { ModelNft, modelUplinks, PATHS } from './support/model-host.ts';
import { ModelKernel } from './support/model-kernel.ts';

const switches = (on: Record<string, boolean>) => (name: string) => on[name] ?? null;

describe('planning the forwarding of uplinks', () => {
  test('an uplink that does not forward is opened, one that does is left to whoever opened it', () => {
    const plan = planForwarding({
      needed: ['off', 'on'],
      opened: [],
      hostForwards: false,
      forwards: switches({ off: false, on: true }),
    });
    expect(plan).toEqual({ open: ['off'], close: [], opened: ['off'] });
  });

  test('what we opened and is not needed any more is closed', () => {
    const plan = planForwarding({
      needed: ['b'],
      opened: ['a', 'b', 'gone'],
      hostForwards: false,
      forwards: switches({ a: true, b: true }),
    });
    expect(plan).toEqual({ open: [], close: ['a'], opened: ['b'] });
  });

  test('what we opened and somebody closed, or a crash left half done, is opened again', () => {
    const plan = planForwarding({
      needed: ['a'],
      opened: ['a'],
      hostForwards: false,
      forwards: switches({ a: false }),
    });
    expect(plan).toEqual({ open: ['a'], close: [], opened: ['a'] });
  });

  test('somebody made the host a router: nothing is switched, nothing restricted', () => {
    const plan = planForwarding({
      needed: ['a'],
      opened: ['a', 'b'],
      hostForwards: true,
      forwards: switches({ a: true, b: true }),
    });
    expect(plan).toEqual({ open: [], close: [], opened: [] });
  });
});

describe('the forwarding of uplinks', () => {
  const SWITCH = 'net/ipv4/conf/eth0/forwarding';

  function host(): {
    kernel: ModelKernel;
    nft: ModelNft;
    ports: Parameters<typeof ensureGuard>[0];
    seen: string[];
  } {
    const kernel = new ModelKernel();
    const nft = new ModelNft(kernel);
    const seen: string[] = [];
    const ports = {
      kernel,
      nft,
      uplinks: modelUplinks(kernel),
      pool: PATHS.pool,
      managed: { patterns: [], links: [] },
      onChange: (what: string, on: string) => seen.push(`${what} ${on}`),
    };
    return { kernel, nft, ports, seen };
  }

  test('at no step does an uplink forward that is not in the guard, and removal undoes all', async () => {
    const { kernel, nft, ports, seen } = host();
    kernel.check = () => {
      const forwards = kernel.readSetting(SWITCH) === '1';
      if (forwards) expect(JSON.stringify(nft.table)).toContain('"elem":["eth0"]');
    };
    await syncForwarding(ports, await ensureGuard(ports), ['eth0']);
    expect([kernel.readSetting(SWITCH), ports.uplinks.read()]).toEqual(['1', ['eth0']]);
    await syncForwarding(ports, await ensureGuard(ports), []);
    expect([kernel.readSetting(SWITCH), ports.uplinks.read()]).toEqual(['0', []]);
    expect((await readGuard(nft))?.openedUplinks).toEqual([]);
    await removeHostWiring(ports);
    expect(nft.table).toBeNull();
    expect(seen).toEqual([
      'guard made nftables table vmnetwork',
      'forwarding on eth0',
      'forwarding off eth0',
      'guard removed nftables table vmnetwork',
    ]);
  });

  test('the table is flushed by somebody: it comes back with the uplinks that still forward', async () => {
    const { kernel, nft, ports } = host();
    await syncForwarding(ports, await ensureGuard(ports), ['eth0']);
    nft.table = null;
    const guard = await ensureGuard(ports);
    expect(guard.openedUplinks).toEqual(['eth0']);
    await syncForwarding(ports, guard, []);
    expect(kernel.readSetting(SWITCH)).toBe('0');
  });

  test('the table is flushed and nothing is wanted any more: the switch is found and cleared', async () => {
    const { kernel, nft, ports } = host();
    await syncForwarding(ports, await ensureGuard(ports), ['eth0']);
    nft.table = null;
    await removeHostWiring(ports);
    expect([kernel.readSetting(SWITCH), nft.table, ports.uplinks.read()]).toEqual(['0', null, []]);
  });

  test('the table is flushed, and the record of what forwards cannot be read: it comes back, and that is told', async () => {
    const { nft, ports } = host();
    await syncForwarding(ports, await ensureGuard(ports), ['eth0']);
    nft.table = null;
    const damaged = new Error('damaged');
    const whole = { ...ports.uplinks };
    ports.uplinks.read = () => {
      throw damaged;
    };
    await expect(ensureGuard(ports)).rejects.toBe(damaged);
    expect((await readGuard(nft))?.openedUplinks).toEqual([]);
    await expect(ensureGuard(ports)).rejects.toBe(damaged);
    Object.assign(ports.uplinks, whole);
    expect((await ensureGuard(ports)).openedUplinks).toEqual(['eth0']);
  });

  test('nothing to do writes nothing', async () => {
    const { nft, ports } = host();
    await syncForwarding(ports, await ensureGuard(ports), ['eth0']);
    nft.apply = () => Promise.reject(new Error('a write'));
    ports.uplinks.write = () => {
      throw new Error('a write');
    };
    await syncForwarding(ports, await ensureGuard(ports), ['eth0']);
  });
});
