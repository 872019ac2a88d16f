import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, readBack, replaceFilter, writePolicy } from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { poll } from '../support/lab/index.ts';
import { Flood } from '../support/native/flood.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks } from '../support/native/hooks.ts';

/*
 * Pins that no version we know has left: names, kinds and places of a layout yet to come, or cut short. Whatever stands there may be
 * what keeps the VM closed: this version's filter comes in front of it first, and only then it goes.
 */
const policy = policyBytes({ ...PINNED, generation: 1n });
const forbidden = fromGuest(CAST, { ip: { destination: STRANGER.address } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('odd-pins');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);
afterEach(async () => {
  await Flood.stopAll();
  removePins(held.pinDir, { attachedToo: true });
});

const pinMap = async (path: string, ...words: string[]): Promise<void> => {
  rmSync(path, { force: true });
  await held.host.run(['bpftool', 'map', 'create', path, ...words, 'name', 'odd']);
};
const ARRAY = (valueBytes: number): string[] => [
  'type',
  'array',
  'key',
  '4',
  'value',
  String(valueBytes),
  'entries',
  '1',
];

/** What each does to the pins of a filter that is attached and judges by the policy. */
const ODD: [string, (dir: string) => void | Promise<void>][] = [
  ['a slot that is a plain array, of a whole policy', (dir) => pinMap(`${dir}/policy_slot`, ...ARRAY(160))],
  ['a slot that is a program', (dir) => renameSync(`${dir}/from_vm`, `${dir}/policy_slot`)],
  [
    'a policy that is of another type',
    (dir) => pinMap(`${dir}/policy`, 'type', 'percpu_array', ...ARRAY(128).slice(2)),
  ],
  ['a program that is a map', (dir) => renameSync(`${dir}/counters`, `${dir}/from_vm`)],
  [
    'a map that is a folder',
    (dir) => {
      rmSync(`${dir}/counters`);
      mkdirSync(`${dir}/counters`);
    },
  ],
  [
    'more names, and folders in folders',
    async (dir) => {
      mkdirSync(`${dir}/v9/maps`, { recursive: true });
      await pinMap(`${dir}/v9/maps/verdicts`, ...ARRAY(8));
      await pinMap(`${dir}/verdicts`, ...ARRAY(8));
    },
  ],
  [
    'everything in a folder of a version',
    (dir) => {
      const names = readdirSync(dir);
      mkdirSync(`${dir}/v9`);
      for (const name of names) renameSync(`${dir}/${name}`, `${dir}/v9/${name}`);
    },
  ],
  [
    'everything half moved to a folder beside it',
    (dir) => {
      const names = readdirSync(dir);
      mkdirSync(`${dir}_next/v9`, { recursive: true });
      for (const name of names) renameSync(`${dir}/${name}`, `${dir}_next/v9/${name}`);
    },
  ],
];

describeHooks('pins of a layout yet to come', (hook) => {
  const passes = async (): Promise<boolean> => {
    const before = await held.passed(STRANGER.address);
    held.send(forbidden);
    return (await held.passed(STRANGER.address)) > before;
  };

  const replaceLink = async (dir: string): Promise<void> => {
    await pinMap(`${dir}/link_from_vm`, ...ARRAY(8));
    // The kernel ends a link some time after its pin (an RCU grace period): looked at before, it would seem to stay.
    await poll('the end of the link', passes);
  };
  const HOOKS: typeof ODD =
    hook.kind === 'tcx'
      ? [['a link that is a map', replaceLink]]
      : [
          ['a record of another shape', (dir) => pinMap(`${dir}/hook`, ...ARRAY(8))],
          ['a record that is a program', (dir) => renameSync(`${dir}/to_vm`, `${dir}/hook`)],
        ];

  test.each([...ODD, ...HOOKS])('%s', async (_, makeOdd) => {
    for (const again of ['replace', 'attach'] as const) {
      attachFilter(held.pinDir, held.ifindex, hook.options);
      writePolicy(held.pinDir, policy);
      // Without a program the frame passes: what detaches one here is the oddness itself, and no fault.
      await makeOdd(held.pinDir);
      const isOpen = await passes();
      expect(() => readBack(held.pinDir)).not.toThrow();
      const before = await held.passed(STRANGER.address);
      const flood = await Flood.start(held.fd, [forbidden]);
      const done =
        again === 'replace'
          ? replaceFilter(held.pinDir, held.ifindex, policy, hook.options)
          : attachFilter(held.pinDir, held.ifindex, hook.options);
      const after = await held.passed(STRANGER.address);
      await flood.stop();
      expect(done).toMatchObject({
        ...hook.here(held),
        policyHash: again === 'replace' ? policyHash(policy) : null,
        policyState: again === 'replace' ? 'set' : 'empty',
      });
      if (!isOpen) expect(after - before).toBe(0);
      expect(await passes()).toBe(false);
      // Nothing else is left, neither pinned nor attached.
      const policyPin = again === 'replace' ? ['policy'] : [];
      expect(readdirSync(held.pinDir).sort()).toEqual([...hook.pins, ...policyPin].sort());
      expect(readdirSync(held.root).filter((name) => name.startsWith(held.name))).toEqual([held.name]);
      removePins(held.pinDir, { attachedToo: true });
      await poll('a frame to pass', passes);
    }
  });

  test('an attached filter under unknown names is not given up for the asking', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    mkdirSync(`${held.pinDir}/v9`);
    for (const name of hook.pins) renameSync(`${held.pinDir}/${name}`, `${held.pinDir}/v9/${name}`);
    if (hook.kind === 'tcx') {
      const refusal = expect.objectContaining({
        code: 'VMN_BPF_ATTACH',
        message: expect.stringContaining('busy'),
      });
      expect(() => removePins(held.pinDir)).toThrow(refusal);
      expect(() => replaceFilter(held.pinDir, 4711, null, hook.options)).toThrow(refusal);
    }
    expect(readdirSync(`${held.pinDir}/v9`).sort()).toEqual(hook.pins);
    // Or the interface would keep the tc filters.
    expect(attachFilter(held.pinDir, held.ifindex, hook.options).policyState).toBe('empty');
  });
});

test('a buffer of events that is none gives way to one, which the filters after it share', async () => {
  await pinMap(`${held.root}/events`, ...ARRAY(8));
  attachFilter(held.pinDir, held.ifindex);
  expect(await held.host.run(['bpftool', 'map', 'show', 'pinned', `${held.root}/events`])).toContain(
    'ringbuf',
  );
  expect(readdirSync(held.root).sort()).toEqual(['events', held.name]);
});
