import { mkdirSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  counters,
  readBack,
  replaceFilter,
  violations,
  writePolicy,
} from '../../src/native/filter-engine.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { fileURLToPath } from 'node:url';

/* What an upgrade of the agent meets: maps that another version pinned, and the second object for older kernels. */
const policy = policyBytes({ ...PINNED, violation: { threshold: 1, windowMs: 60_000 } });
const forbidden = fromGuest(CAST, { ip: { destination: STRANGER.address } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('versions');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);
beforeEach(() => {
  attachFilter(held.pinDir, held.ifindex);
  writePolicy(held.pinDir, policy);
  held.send(forbidden);
});
afterEach(() => {
  removePins(held.pinDir, { attachedToo: true });
});

/** Pins a map as another version might have, in place of ours. */
async function pinOther(name: string, type: string, valueBytes: number, entries: number): Promise<void> {
  const path = `${held.pinDir}/${name}`;
  rmSync(path);
  const sizes = ['key', '4', 'value', String(valueBytes), 'entries', String(entries)];
  await held.host.run(['bpftool', 'map', 'create', path, 'type', type, ...sizes, 'name', name]);
}

describe('maps that another version pinned', () => {
  test('of the same layout are gone on with', () => {
    expect(replaceFilter(held.pinDir, held.ifindex, policy).policyState).toBe('set');
    expect(counters(held.pinDir)).toMatchObject([{ packets: 1n }]);
    expect(violations(held.pinDir)).toEqual({ crossings: 1n });
  });

  test.each([
    ['counters with more in each entry', 'counters', 'percpu_array', 24, 256],
    ['fewer counters', 'counters', 'percpu_array', 16, 128],
    ['counters of another type', 'counters', 'array', 16, 256],
    ['a larger state', 'state', 'array', 128, 1],
    ['a state of the same size without its lock', 'state', 'array', 64, 1],
  ])(
    'such as %s do not fit: the filter is replaced all the same, and starts them afresh',
    async (_, ...other) => {
      await pinOther(...other);
      expect(replaceFilter(held.pinDir, held.ifindex, policy)).toMatchObject({
        fromVm: { ifindex: held.ifindex, first: true },
        policyState: 'set',
      });
      held.send(forbidden);
      const counted = counters(held.pinDir)[0]?.packets;
      expect(other[0] === 'counters' ? counted : violations(held.pinDir).crossings).toBe(1n);
    },
  );

  test('are not read as ours: what is in them is said to be of another version', async () => {
    await pinOther('counters', 'percpu_array', 24, 128);
    await pinOther('state', 'array', 56, 1);
    const other = { code: 'VMN_BPF_MAP', remedy: expect.stringContaining('another version') };
    expect(() => counters(held.pinDir)).toThrow(expect.objectContaining(other));
    expect(() => violations(held.pinDir)).toThrow(expect.objectContaining(other));
    expect(readBack(held.pinDir).policyState).toBe('set');
  });
});

describe('the objects of the filter', () => {
  const built = fileURLToPath(new URL('../../build/native/bpf/', import.meta.url));
  const programs = `/sys/fs/bpf/vmn-objects-${String(process.pid)}`;
  afterEach(() => {
    rmSync(programs, { recursive: true, force: true });
  });

  test.each(['vmn_filter', 'vmn_filter_probe'])('%s is taken by this kernel', async (name) => {
    mkdirSync(programs);
    await held.host.run(['bpftool', 'prog', 'loadall', `${built}${name}.bpf.o`, programs]);
  });

  test('the second asks for no function of the kernel, so that older ones take it', async () => {
    const names = async (object: string): Promise<string> =>
      held.host.run(['bpftool', 'btf', 'dump', 'file', `${built}${object}.bpf.o`]);
    expect(await names('vmn_filter')).toContain('bpf_cast_to_kern_ctx');
    expect(await names('vmn_filter_probe')).not.toContain('bpf_cast_to_kern_ctx');
  });
});
