import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FoundVms } from '../../../../src/agent/discovery/found-vms.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { ModelMachine, OWN } from '../../../support/discovery/model-machine.ts';
import { MAC, startQemu } from '../../../support/discovery/model-qemu.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const RESYNC_MS = 30_000;

let clock: FakeClock;
let machine: ModelMachine;
let found: FoundVms;
beforeEach(() => {
  clock = new FakeClock();
  machine = new ModelMachine();
  const log = createLogger({ level: 'silent' });
  found = new FoundVms({ machine, clock, log, resyncMs: RESYNC_MS });
});
afterEach(() => {
  found.close();
  expect(machine.isLetGo).toBe(true);
});

describe('a process that has become QEMU and has no words yet, as in the middle of execve', () => {
  test('is read again until it has them, without an event', async () => {
    const process = startQemu(machine, OWN, 'tap0');
    const { words } = process;
    process.words = [];
    found.start();
    expect(found.list().map(({ cards }) => cards.map(({ mac }) => mac))).toEqual([['']]);
    process.words = words;
    await clock.advance(50);
    expect(found.list().map(({ reported, cards }) => [reported.name, cards.map(({ mac }) => mac)])).toEqual([
      ['vm', [MAC]],
    ]);
    expect(clock.pending).toBe(1);
  });

  test('is asked by its monitor once that is known', async () => {
    const process = startQemu(machine, OWN, 'tap0');
    const { words } = process;
    const asked: number[] = [];
    const ask = machine.ask.bind(machine);
    machine.ask = (pid, commandLine) => {
      asked.push(commandLine.qmpSockets.length);
      return ask(pid, commandLine);
    };
    process.words = [];
    found.start();
    process.words = [...words, '-qmp', 'unix:/m,server=on,wait=off'];
    await clock.advance(50);
    expect(asked).toEqual([1]);
  });

  test('one that never has any is left alone after two seconds, until the resync', async () => {
    const process = startQemu(machine, OWN, 'tap0');
    const { words } = process;
    process.words = [];
    found.start();
    await clock.advance(3000);
    expect(clock.pending).toBe(1);
    process.words = words;
    await clock.advance(RESYNC_MS - 3000);
    expect(found.list().map(({ reported }) => reported.name)).toEqual(['vm']);
  });
});
