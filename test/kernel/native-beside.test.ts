/** What else is at the hooks of an interface, and how a former filter of ours goes. */
import { closeSync, existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { systemKernel } from '../../src/agent/host/system-kernel.ts';
import { besideOf, PinnedPrograms, retire } from '../../src/agent/wiring/beside.ts';
import type { Beside } from '../../src/agent/wiring/beside.ts';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, readBack, replaceFilter, writePolicy } from '../../src/native/filter-engine.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest, PINNED } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks } from '../support/native/hooks.ts';

const policy = policyBytes({ ...PINNED, generation: 1n });
const kernel = systemKernel();
const FORMER = 'if-4026531840-7';
const ASIDE = 'if-0-7_aside_0a';

let held: HeldTap;
let other: { fd: number; ifindex: number };
beforeAll(async () => {
  held = await HeldTap.open('beside');
  other = createTap('vmn-other');
}, 30_000);
afterAll(async () => {
  if (other !== undefined) closeSync(other.fd);
  await held?.close();
}, 30_000);

const dir = (name: string): string => `${held.root}/${name}`;
const beside = (): Beside => {
  const pins = kernel.listPins(held.root);
  return besideOf(
    readBack(held.pinDir),
    held.name,
    new PinnedPrograms(kernel, { bpffs: held.root }, new Set(pins)),
  );
};
const passes = async (): Promise<number> => {
  const before = await held.passed(CAST.endpoint.address);
  held.send(fromGuest(CAST));
  return (await held.passed(CAST.endpoint.address)) - before;
};

describeHooks('beside a filter', (hook) => {
  beforeEach(() => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    writePolicy(held.pinDir, policy);
  });
  afterEach(() => {
    for (const name of kernel.listPins(held.root)) removePins(dir(name), { attachedToo: true });
  });
  /** Of ours, and ours in front of it again. */
  const putBehind = (name: string): void => {
    attachFilter(dir(name), held.ifindex, hook.options);
    replaceFilter(held.pinDir, held.ifindex, policy, hook.options);
  };

  test('is nobody as a rule, after it overtook somebody neither', async () => {
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: { others: [] }, toVm: { others: [] } });
    putBehind('intruder');
    removePins(dir('intruder'), { attachedToo: true });
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: { others: [] }, toVm: { others: [] } });
    expect(await passes()).toBe(1);
  });

  test('each program is read back at its hook, with its name', () => {
    putBehind(FORMER);
    const former = readBack(dir(FORMER));
    const seen = readBack(held.pinDir);
    expect(seen).toMatchObject(hook.here(held));
    expect(seen.fromVm?.others).toEqual([{ programId: former.fromVm?.programId, name: 'vmn_from_vm' }]);
    expect(seen.toVm?.others).toEqual([{ programId: former.toVm?.programId, name: 'vmn_to_vm' }]);
    expect(former.fromVm?.others.map(({ programId }) => programId)).toEqual([seen.fromVm?.programId]);
  });

  test('former filters are told from those that nobody may retire', async () => {
    for (const name of [FORMER, ASIDE, 'vmn-renamed']) attachFilter(dir(name), held.ifindex, hook.options);
    replaceFilter(held.pinDir, held.ifindex, policy, hook.options);
    expect(beside()).toEqual({ former: [ASIDE, FORMER], ours: ['vmn-renamed'], foreign: [] });
    expect(await passes()).toBe(0);
  });

  test('a filter of ours that is pinned elsewhere is known by the name of its program', () => {
    putBehind(FORMER);
    const programs = new PinnedPrograms(kernel, { bpffs: held.root }, new Set([held.name]));
    const seen = besideOf(readBack(held.pinDir), held.name, programs);
    expect(seen.former).toEqual([]);
    expect(seen.ours.map((name) => name.split(' ')[0])).toEqual(['vmn_from_vm', 'vmn_to_vm']);
  });

  test('a former one that is retired is gone at once, and what is allowed passes', async () => {
    putBehind(FORMER);
    expect(await passes()).toBe(0);
    retire(held.pinDir, held.ifindex, dir(FORMER), kernel);
    expect(existsSync(dir(FORMER))).toBe(false);
    expect(readBack(held.pinDir)).toMatchObject({
      fromVm: { first: true, others: [] },
      toVm: { first: true, others: [] },
    });
    expect(await passes()).toBe(1);
  });

  test('one that is on another interface stays, whatever is asked', () => {
    attachFilter(dir(FORMER), other.ifindex, hook.options);
    const before = readBack(dir(FORMER));
    expect(() => {
      retire(held.pinDir, held.ifindex, dir(FORMER), kernel);
    }).toThrow(expect.objectContaining({ code: 'VMN_READ_BACK' }));
    expect(readBack(dir(FORMER))).toEqual(before);
  });

  test('none goes while it is all that is first', () => {
    attachFilter(dir(FORMER), held.ifindex, hook.options);
    const before = readBack(dir(FORMER));
    expect(() => {
      retire(held.pinDir, held.ifindex, dir(FORMER), kernel);
    }).toThrow(expect.objectContaining({ code: 'VMN_READ_BACK' }));
    expect(readBack(dir(FORMER))).toEqual(before);
  });

  if (hook.kind === 'clsact')
    test('what is no program, such as a rule of tc, is told of as well', async () => {
      const where = ['dev', held.name, 'egress', 'prio', '9', 'protocol', 'ip'];
      const u32 = ['u32', 'match', 'u32', '0', '0', 'classid', '1:1'];
      await held.host.run(['tc', 'filter', 'add', ...where, ...u32]);
      expect(beside()).toEqual({ former: [], ours: [], foreign: ['a tc filter'] });
      await held.host.run(['tc', 'filter', 'del', ...where.slice(0, 5)]);
    });
});
