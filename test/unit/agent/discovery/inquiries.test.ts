import { beforeEach, expect, test } from '@jest/globals';
import { readCommandLine } from '../../../../src/agent/discovery/argv/command-line.ts';
import type { VmFacts } from '../../../../src/agent/discovery/facts.ts';
import { Inquiries } from '../../../../src/agent/discovery/inquiries.ts';
import type { VmProcess } from '../../../../src/agent/discovery/processes.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

const process = (pid: number, ...words: string[]): VmProcess => ({
  pid,
  startTicks: '1',
  program: 'qemu-system-x86_64',
  commandLine: readCommandLine(['qemu', ...words]),
  netns: 1,
  pod: null,
});
const MONITOR = ['-qmp', 'unix:/q,server=on,wait=off'];

let clock: FakeClock;
let answers: number;
/** Whoever was asked and has not answered. */
let waiting: { readonly pid: number; readonly answer: (facts: VmFacts | null) => void }[];
let inquiries: Inquiries;
beforeEach(() => {
  clock = new FakeClock();
  answers = 0;
  waiting = [];
  const ask = (pid: number): Promise<VmFacts | null> =>
    new Promise((resolve) => waiting.push({ pid, answer: resolve }));
  inquiries = new Inquiries({ ask }, clock, () => (answers += 1));
});

const facts = (name: string): VmFacts => ({ name, uuid: null, cards: [], backends: [] });
async function answer(value: VmFacts | null): Promise<void> {
  waiting.shift()?.answer(value);
  await settle();
}

test('a VM is asked when it is seen, when its taps change, and at a thorough look; not in between', async () => {
  const vm = process(1, ...MONITOR);
  expect(inquiries.factsOf(vm, 'a', false)).toBeNull();
  expect(waiting).toHaveLength(1);
  await answer(facts('one'));
  expect(answers).toBe(1);
  expect(inquiries.factsOf(vm, 'a', false)).toEqual({ facts: facts('one'), current: true });
  expect(waiting).toHaveLength(0);
  expect(inquiries.factsOf(vm, 'b', false)).toEqual({ facts: facts('one'), current: false });
  expect(waiting).toHaveLength(1);
  await answer(facts('two'));
  expect(inquiries.factsOf(vm, 'b', true)).toEqual({ facts: facts('two'), current: true });
  expect(waiting).toHaveLength(1);
});

test('what changes while it is asked is asked for again', async () => {
  const vm = process(1, ...MONITOR);
  inquiries.factsOf(vm, 'a', false);
  inquiries.factsOf(vm, 'b', false);
  expect(waiting).toHaveLength(1);
  await answer(facts('of a'));
  expect(inquiries.factsOf(vm, 'b', false)).toEqual({ facts: facts('of a'), current: false });
  expect(waiting).toHaveLength(1);
  await answer(facts('of b'));
  expect(inquiries.factsOf(vm, 'b', false)).toEqual({ facts: facts('of b'), current: true });
});

test('who does not answer now is believed as before, about the same taps', async () => {
  const vm = process(1, ...MONITOR);
  inquiries.factsOf(vm, 'a', false);
  await answer(facts('one'));
  inquiries.factsOf(vm, 'a', true);
  await answer(null);
  expect(inquiries.factsOf(vm, 'a', false)).toEqual({ facts: facts('one'), current: true });
  inquiries.factsOf(vm, 'b', false);
  await answer(null);
  expect(inquiries.factsOf(vm, 'b', false)).toEqual({ facts: facts('one'), current: false });
});

test('what is not explained is asked for some more times, each later, and then left', async () => {
  const vm = process(1, ...MONITOR);
  inquiries.factsOf(vm, 'a', false);
  await answer(null);
  let asked = 0;
  for (let i = 0; i < 20; i++) {
    inquiries.unexplained(vm);
    inquiries.unexplained(vm);
    await clock.advance(10_000);
    asked += waiting.length;
    await answer(null);
  }
  expect(asked).toBe(5);
  // Something new starts it all over.
  inquiries.factsOf(vm, 'b', false);
  await answer(null);
  inquiries.unexplained(vm);
  await clock.advance(250);
  expect(waiting).toHaveLength(1);
});

test('four at once; whoever has nobody to ask is not asked; who is gone is forgotten', async () => {
  const vms = [1, 2, 3, 4, 5, 6].map((pid) => process(pid, ...MONITOR));
  for (const vm of vms) inquiries.factsOf(vm, '', false);
  inquiries.factsOf(process(7), '', false);
  expect(waiting.map(({ pid }) => pid)).toEqual([1, 2, 3, 4]);
  await answer(null);
  expect(waiting.map(({ pid }) => pid)).toEqual([2, 3, 4, 5]);
  inquiries.keep(vms.slice(3));
  await answer(facts('gone'));
  expect(answers).toBe(1);
  inquiries.close();
  inquiries.close();
  for (const _ of vms) await answer(facts('late'));
  expect(answers).toBe(1);
  expect(clock.pending).toBe(0);
});
