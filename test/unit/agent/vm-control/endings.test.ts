import { beforeEach, describe, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { endVm } from '../../../../src/agent/vm-control/end-vm.ts';
import { Endings } from '../../../../src/agent/vm-control/endings.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { ModelControl, type ModelVm } from './model-control.ts';

let machine: ModelControl;
let vm: ModelVm;
beforeEach(() => {
  machine = new ModelControl();
  vm = machine.add(77);
});
const end = (target = vm.process) =>
  endVm(target, machine, { sleep: () => Promise.resolve() }, new AbortController().signal);

describe('[FS-4] the end of a VM', () => {
  test.each<[string, () => void, string, string[]]>([
    ['its own monitor is free', () => undefined, 'quit', ['quit']],
    ['its monitor is in use', () => (vm.monitor = 'busy'), 'SIGTERM', ['SIGTERM']],
    ['it has no monitor', () => (vm.monitor = 'none'), 'SIGTERM', ['SIGTERM']],
    ['it heeds no quit', () => (vm.obeys = ['SIGKILL']), 'SIGKILL', ['quit', 'SIGKILL']],
    [
      'it heeds no signal but the last',
      () => ((vm.obeys = ['SIGKILL']), (vm.monitor = 'none')),
      'SIGKILL',
      ['SIGTERM', 'SIGKILL'],
    ],
  ])('%s', async (_what, given, how, got) => {
    given();
    expect(await end()).toBe(how);
    expect([vm.got, vm.alive, vm.held]).toEqual([got, false, 0]);
  });

  test('a monitor that becomes free in time is used', async () => {
    vm.monitor = 'busy';
    let looks = 0;
    vm.opened = () => {
      if ((looks += 1) === 3) vm.monitor = 'free';
    };
    expect(await end()).toBe('quit');
  });

  test('its pid is another process by now: that one is left alone', async () => {
    expect(await end({ pid: 77, startTicks: 'earlier' })).toBe('gone');
    expect([vm.got, vm.alive]).toEqual([[], true]);
  });

  test('its pid becomes another process while its monitor is opened: that one is not told to quit', async () => {
    let other: ModelVm | null = null;
    vm.opened = () => {
      vm.opened = () => undefined;
      vm.alive = false;
      other = machine.add(77, 'later');
    };
    await end();
    expect((other as ModelVm | null)?.got).toEqual([]);
    expect((other as ModelVm | null)?.alive).toBe(true);
    expect(vm.got).not.toContain('quit');
  });

  test('that is refused is an error, and nothing is left open', async () => {
    vm.monitor = 'none';
    vm.refuses = new VmnError('VMN_CAPABILITY', { attempted: 'send a signal' });
    await expect(end()).rejects.toMatchObject({ code: 'VMN_CAPABILITY' });
    expect(vm.held).toBe(0);
  });

  test('that is survived is an error', async () => {
    vm.obeys = [];
    await expect(end()).rejects.toMatchObject({ code: 'VMN_TAP_IN_USE' });
    expect(vm.got).toEqual(['quit', 'SIGKILL']);
  });
});

describe('[FS-4] endings beside the passes', () => {
  let clock: FakeClock;
  let changes: number;
  let endings: Endings;
  beforeEach(() => {
    clock = new FakeClock();
    changes = 0;
    const log = createLogger({ level: 'silent' });
    endings = new Endings({ machine, clock, log, onChange: () => (changes += 1) });
  });
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns += 1) await turn();
  };

  test('go on by themselves, once each, and tell when they are over', async () => {
    expect(endings.progressOf(vm.process)).toBe('alive');
    endings.begin(vm.process);
    endings.begin(vm.process);
    expect([endings.progressOf(vm.process), changes]).toEqual(['under-way', 0]);
    await settle();
    expect([endings.progressOf(vm.process), changes, vm.got]).toEqual(['ended', 1, ['quit']]);
  });

  test('that fail are told, and may begin again after a while', async () => {
    vm.monitor = 'none';
    vm.refuses = new VmnError('VMN_CAPABILITY', { attempted: 'send a signal' });
    endings.begin(vm.process);
    await settle();
    expect(endings.progressOf(vm.process)).toMatchObject({ code: 'VMN_CAPABILITY' });
    endings.begin(vm.process);
    expect(changes).toBe(1);
    await clock.advance(10_000);
    expect([endings.progressOf(vm.process), changes]).toEqual(['alive', 2]);
    vm.refuses = null;
    endings.begin(vm.process);
    await settle();
    expect(endings.progressOf(vm.process)).toBe('ended');
  });

  test('are left off when the agent ends', async () => {
    endings.begin(vm.process);
    await endings.close();
    expect([vm.got, vm.alive, vm.held, changes]).toEqual([[], true, 0, 0]);
    endings.begin(vm.process);
    await settle();
    expect(vm.alive).toBe(true);
  });
});
