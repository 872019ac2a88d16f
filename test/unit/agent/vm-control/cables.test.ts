import { beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { CableFile, type CableStore, type PulledCable } from '../../../../src/agent/vm-control/cable-file.ts';
import { Cables, type CableWish } from '../../../../src/agent/vm-control/cables.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { ModelControl, type ModelVm } from './model-control.ts';

class ModelStore implements CableStore {
  pulled: readonly PulledCable[] = [];
  readonly writes: number[] = [];
  onWrite: () => void = () => undefined;
  read(): PulledCable[] {
    return [...this.pulled];
  }
  write(pulled: readonly PulledCable[]): void {
    this.onWrite();
    this.pulled = pulled;
    this.writes.push(pulled.length);
  }
}

describe('[FS-4] the cable of a quarantined VM', () => {
  let machine: ModelControl;
  let vm: ModelVm;
  let store: ModelStore;
  let clock: FakeClock;
  let changes: number;
  let cables: Cables;
  const start = (): Cables => {
    const log = createLogger({ level: 'silent' });
    return new Cables({ machine, store, clock, log, onChange: () => (changes += 1) });
  };
  beforeEach(() => {
    machine = new ModelControl();
    vm = machine.add(77);
    store = new ModelStore();
    clock = new FakeClock();
    changes = 0;
    cables = start();
  });
  const wish = (want: CableWish['want'] = 'out'): CableWish => {
    const holders = (): CableWish['holders'] extends () => infer T ? T : never => {
      return [...machine.vms.values()].filter(({ alive }) => alive).map(({ process }) => process);
    };
    return { key: 'vmn-a', mac: vm.mac, want, holders };
  };
  const keep = async (...wishes: CableWish[]): Promise<void> => {
    cables.keep(wishes);
    for (let turns = 0; turns < 30; turns += 1) await turn();
  };

  test('is pulled once, told, and plugged in when the quarantine ends', async () => {
    await keep(wish());
    expect([vm.linked, vm.got, changes]).toEqual([false, ['set_link net0 false'], 1]);
    expect(cables.stateOf('vmn-a')).toBe('its cable is pulled');
    await keep(wish());
    await keep(wish('stay'));
    expect([vm.got.length, changes]).toEqual([1, 1]);
    await keep();
    expect([vm.linked, store.pulled, cables.stateOf('vmn-a')]).toEqual([true, [], null]);
    await keep();
    expect(vm.got).toEqual(['set_link net0 false', 'set_link net0 true']);
  });

  test('that an administrator pulled, or a kill switch found plugged in, is not touched', async () => {
    vm.linked = false;
    await keep(wish('stay'));
    await keep();
    expect([vm.got, vm.linked, store.writes]).toEqual([[], false, []]);
  });

  test('is noted before it is pulled, so that the next agent plugs it in', async () => {
    store.onWrite = () => expect(vm.linked).toBe(true);
    await keep(wish());
    store.onWrite = () => undefined;
    cables = start();
    await keep();
    expect([vm.linked, store.pulled]).toEqual([true, []]);
  });

  test('is not pulled where that cannot be noted', async () => {
    store.onWrite = () => {
      throw new Error('disk full');
    };
    await keep(wish());
    expect(vm.linked).toBe(true);
  });

  test('that cannot be pulled is told, tried again after a while, and never plugged in', async () => {
    vm.monitor = 'busy';
    clock.sleep = () => Promise.resolve();
    await keep(wish());
    expect([cables.stateOf('vmn-a'), changes]).toEqual(['its cable could not be pulled: in use', 1]);
    vm.monitor = 'free';
    expect(cables.nextNs()).toBe(clock.monotonicNs() + 15_000_000_000n);
    await keep(wish());
    expect(vm.linked).toBe(true);
    await clock.advance(15_000);
    await keep(wish());
    expect([vm.linked, cables.stateOf('vmn-a'), changes]).toEqual([false, 'its cable is pulled', 2]);
    expect(cables.nextNs()).toBeNull();
  });

  test('that cannot be plugged in stays noted and told', async () => {
    await keep(wish());
    vm.monitor = 'none';
    await keep();
    expect([cables.stateOf('vmn-a'), store.pulled.length]).toEqual([
      'its cable is still out: there is none',
      1,
    ]);
    vm.monitor = 'free';
    await clock.advance(15_000);
    await keep();
    expect([vm.linked, store.pulled, cables.stateOf('vmn-a')]).toEqual([true, [], null]);
  });

  test('is pulled again of a VM that was started anew, and forgotten of one that ended', async () => {
    await keep(wish());
    vm.alive = false;
    const again = machine.add(78);
    await keep(wish());
    expect([again.linked, store.pulled.map(({ pid }) => pid)]).toEqual([false, [78]]);
    again.alive = false;
    await keep();
    expect(store.pulled).toEqual([]);
  });

  test('stays when it is not certain whose it is', async () => {
    machine.add(78);
    await keep(wish());
    expect([vm.linked, cables.stateOf('vmn-a')]).toEqual([
      true,
      'its cable could not be pulled: no single process holds its tap',
    ]);
    machine.vms.delete(78);
    vm.mac = '52:54:00:00:00:02';
    await clock.advance(15_000);
    await keep({ ...wish(), mac: '52:54:00:00:00:01' });
    expect(cables.stateOf('vmn-a')).toContain('no single card 52:54:00:00:00:01');
  });
});

test('the file of pulled cables is read as it was written, and what is no such file is none', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cables-'));
  try {
    const path = join(dir, 'pulled-cables.json');
    const file = new CableFile(path);
    expect(file.read()).toEqual([]);
    const pulled = [{ key: 'vmn-a', pid: 7, startTicks: '8', mac: '52:54:00:00:00:01' }];
    file.write(pulled);
    expect(new CableFile(path).read()).toEqual(pulled);
    writeFileSync(path, '{');
    expect(file.read()).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
