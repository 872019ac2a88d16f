import { closeSync, existsSync, mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { listPins, removePins, removeRootIfEmpty } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  counters,
  programTags,
  readBack,
  replaceFilter,
  testRun,
  writePolicy,
} from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { setLink } from '../../src/native/rtnetlink.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks, tcFilters } from '../support/native/hooks.ts';

const policy = policyBytes({ ...PINNED, generation: 1n });
const allowed = fromGuest(CAST);
const forbidden = fromGuest(CAST, { ip: { destination: STRANGER.address } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('filter');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);
afterEach(() => {
  removePins(held.pinDir, { attachedToo: true });
});

async function bpftool(...args: string[]): Promise<{ id: number }[]> {
  return JSON.parse(await held.host.run(['bpftool', '-j', ...args])) as { id: number }[];
}

const ids = (objects: { id: number }[]): number[] => objects.map(({ id }) => id).sort((a, b) => a - b);

describeHooks('attaching', (hook) => {
  test('[EB-1] loads, attaches at both hooks and reads back what the kernel holds', async () => {
    const attached = attachFilter(held.pinDir, held.ifindex, hook.options);
    const tags = programTags();
    expect(attached).toMatchObject({
      fromVm: { ...hook.here(held).fromVm, programTag: tags.fromVm },
      toVm: { ...hook.here(held).toVm, programTag: tags.toVm },
      policyState: 'empty',
      policy: null,
    });
    expect(readdirSync(held.pinDir).sort()).toEqual(hook.pins);
    expect(listPins(held.root)).toEqual([held.name]);
    // The order on the interface by another tool than ours.
    const [shown] = JSON.parse(
      await held.host.run(['ip', '-json', '-details', 'link', 'show', held.name]),
    ) as {
      ifindex: number;
    }[];
    expect(shown?.ifindex).toBe(attached.fromVm?.ifindex);
    expect(ids(await bpftool('prog', 'show'))).toEqual(
      expect.arrayContaining([attached.fromVm?.programId, attached.toVm?.programId]),
    );
    if (hook.kind === 'tcx') {
      expect(ids(await bpftool('link', 'show'))).toEqual(
        expect.arrayContaining([attached.fromVm?.linkId, attached.toVm?.linkId]),
      );
      return;
    }
    const ours = { kind: 'bpf', pref: 1, handle: '0x564d4e31', name: `vmnetwork:${held.pinDir}` };
    expect(await tcFilters(held, 'ingress')).toEqual([{ ...ours, programId: attached.fromVm?.programId }]);
    expect(await tcFilters(held, 'egress')).toEqual([{ ...ours, programId: attached.toVm?.programId }]);
  });

  test('to an interface that does not exist is an error, and leaves nothing', () => {
    const before = readdirSync('/proc/self/fd').length;
    expect(() => attachFilter(held.pinDir, 4711, hook.options)).toThrow(
      expect.objectContaining({ code: 'VMN_BPF_ATTACH', on: `${held.name}, ifindex 4711` }),
    );
    // A program lives by a pin or a descriptor, or not at all.
    expect(existsSync(held.pinDir)).toBe(false);
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  test('where there is no BPF file system names the remedy, and leaves nothing', () => {
    expect(() => attachFilter('/tmp/vmn-no-bpffs/tap', held.ifindex, hook.options)).toThrow(
      expect.objectContaining({ code: 'VMN_BPFFS_MISSING', remedy: expect.stringContaining('mount -t bpf') }),
    );
    expect(existsSync('/tmp/vmn-no-bpffs')).toBe(false);
  });

  test('takes pins of an earlier interface away, since they hold on to nothing', () => {
    const earlier = createTap('vmn-earlier');
    attachFilter(held.pinDir, earlier.ifindex, hook.options);
    closeSync(earlier.fd);
    expect(readBack(held.pinDir).fromVm).toMatchObject({ ifindex: 0, first: false });
    expect(attachFilter(held.pinDir, held.ifindex, hook.options).fromVm).toMatchObject({
      ifindex: held.ifindex,
      first: true,
    });
  });

  test('takes half-made pins away', () => {
    mkdirSync(held.pinDir, { mode: 0o700 });
    expect(attachFilter(held.pinDir, held.ifindex, hook.options)).toMatchObject({ policyState: 'empty' });
  });

  test('again never detaches: what is attached stays, and deny-all is in force', async () => {
    const first = attachFilter(held.pinDir, held.ifindex, hook.options);
    writePolicy(held.pinDir, policy);
    const again = attachFilter(held.pinDir, held.ifindex, hook.options);
    expect(again.fromVm?.linkId).toBe(first.fromVm?.linkId);
    expect(again.toVm?.linkId).toBe(first.toVm?.linkId);
    expect(again).toMatchObject({ ...hook.here(held), policyState: 'empty' });
    if (hook.kind === 'clsact') expect(await tcFilters(held, 'ingress')).toHaveLength(1);
  });

  test('asked for the other kind keeps the one that is attached', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    const other = hook.kind === 'tcx' ? 'clsact' : 'tcx';
    expect(attachFilter(held.pinDir, held.ifindex, { hook: other })).toMatchObject(hook.here(held));
    expect(replaceFilter(held.pinDir, held.ifindex, policy, { hook: other })).toMatchObject(hook.here(held));
  });
});

describeHooks('policy', (hook) => {
  test('is empty, set, changed and emptied, each in one step, and read back as it is', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    const verdict = (frame: Uint8Array): string => symbolOf(testRun(held.pinDir, 'from-vm', frame).reason);
    expect(verdict(allowed)).toBe('NO_POLICY');
    writePolicy(held.pinDir, policy);
    expect(readBack(held.pinDir)).toMatchObject({ policyState: 'set', policyHash: policyHash(policy) });
    expect(verdict(allowed)).toBe('ALLOWED');
    const moved = { address: STRANGER.address, port: CAST.endpoint.port };
    writePolicy(held.pinDir, policyBytes({ ...PINNED, endpoint: moved, generation: 2n }));
    expect(verdict(allowed)).toBe('DESTINATION_ADDRESS');
    expect(verdict(forbidden)).toBe('ALLOWED');
    writePolicy(held.pinDir, null);
    writePolicy(held.pinDir, null);
    expect(verdict(forbidden)).toBe('NO_POLICY');
    expect(readBack(held.pinDir)).toMatchObject({ policyState: 'empty', policyHash: null });
    expect(readdirSync(held.pinDir).sort()).toEqual(hook.pins);
  });

  test('that an agent died over is known, whether its commit was reached or not', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    writePolicy(held.pinDir, policy);
    // After the commit, before the pin had its final name.
    renameSync(`${held.pinDir}/policy`, `${held.pinDir}/policy_next`);
    expect(readBack(held.pinDir)).toMatchObject({ policyState: 'set', policyHash: policyHash(policy) });
    const next = policyBytes({ ...PINNED, generation: 2n });
    writePolicy(held.pinDir, next);
    expect(readBack(held.pinDir).policyHash).toBe(policyHash(next));
    expect(readdirSync(held.pinDir).sort()).toEqual([...hook.pins, 'policy'].sort());
    // Before the commit: the pin of a policy that was never in force, here that of another VM's folder.
    const other = createTap('vmn-other');
    const otherDir = `${held.root}/vmn-other`;
    attachFilter(otherDir, other.ifindex, hook.options);
    writePolicy(otherDir, policy);
    writePolicy(held.pinDir, next);
    renameSync(`${otherDir}/policy`, `${held.pinDir}/policy_next`);
    expect(readBack(held.pinDir).policyHash).toBe(policyHash(next));
    writePolicy(held.pinDir, next);
    expect(existsSync(`${held.pinDir}/policy_next`)).toBe(false);
    closeSync(other.fd);
    removePins(otherDir);
  });

  test('that cannot be read is unknown, never taken for empty or for the one before', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    writePolicy(held.pinDir, policy);
    unlinkSync(`${held.pinDir}/policy`);
    expect(readBack(held.pinDir)).toMatchObject({ policyState: 'unknown', policy: null, policyHash: null });
    unlinkSync(`${held.pinDir}/policy_slot`);
    expect(readBack(held.pinDir).policyState).toBe('unknown');
    expect(() => {
      writePolicy(held.pinDir, null);
    }).toThrow(expect.objectContaining({ code: 'VMN_BPF_MAP' }));
  });

  test('of pins that the attached programs do not look into is unknown, and cannot be opened', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    const other = createTap('vmn-other');
    const otherDir = `${held.root}/vmn-other`;
    attachFilter(otherDir, other.ifindex, hook.options);
    for (const name of ['from_vm', 'policy_slot']) {
      unlinkSync(`${held.pinDir}/${name}`);
      renameSync(`${otherDir}/${name}`, `${held.pinDir}/${name}`);
    }
    expect(readBack(held.pinDir)).toMatchObject({ policyState: 'unknown', policy: null });
    expect(() => {
      writePolicy(held.pinDir, policy);
    }).toThrow(expect.objectContaining({ code: 'VMN_READ_BACK' }));
    expect(replaceFilter(held.pinDir, held.ifindex, policy, hook.options)).toMatchObject({
      policyState: 'set',
    });
    closeSync(other.fd);
    removePins(otherDir);
  });

  test('cannot be changed behind the filter’s back: the map in the slot is frozen', async () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    writePolicy(held.pinDir, policy);
    const bytes = Array.from(policy, (byte) => byte.toString());
    const update = [
      'bpftool',
      'map',
      'update',
      'pinned',
      `${held.pinDir}/policy`,
      'key',
      '0',
      '0',
      '0',
      '0',
      'value',
    ];
    const { code, stderr } = await held.host.exec([...update, ...bytes]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Operation not permitted');
  });
});

describe('counting', () => {
  test('real frames by direction and reason, with their bytes', () => {
    attachFilter(held.pinDir, held.ifindex);
    writePolicy(held.pinDir, policy);
    held.send(allowed);
    held.send(forbidden);
    held.send(forbidden);
    const seen = counters(held.pinDir).map((line) => ({ ...line, reason: symbolOf(line.reason) }));
    const fromVm = { direction: 'from-vm', audited: false };
    expect(seen).toEqual([
      { ...fromVm, reason: 'ALLOWED', packets: 1n, bytes: BigInt(allowed.length) },
      {
        ...fromVm,
        reason: 'DESTINATION_ADDRESS',
        packets: 2n,
        bytes: 2n * BigInt(forbidden.length),
      },
    ]);
  });

  test('of a filter that is not there is an error', () => {
    expect(() => counters(held.pinDir)).toThrow(expect.objectContaining({ code: 'VMN_BPF_MAP' }));
  });
});

describeHooks('removing', (hook) => {
  test('refuses while the filter is attached, since that would open the interface', () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    expect(() => {
      removePins(held.pinDir);
    }).toThrow(expect.objectContaining({ code: 'VMN_BPF_ATTACH' }));
    expect(readBack(held.pinDir).fromVm).toMatchObject({ ifindex: held.ifindex, first: true });
    expect(removeRootIfEmpty(held.root)).toBe(false);
  });

  test('takes the filter away when that is what was asked for', async () => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    const before = await held.passed(STRANGER.address);
    held.send(forbidden);
    expect(await held.passed(STRANGER.address)).toBe(before);
    removePins(held.pinDir, { attachedToo: true });
    expect(existsSync(held.pinDir)).toBe(false);
    held.send(forbidden);
    expect(await held.passed(STRANGER.address)).toBe(before + 1);
  });

  test('removes the whole folder, with what another version may have pinned there, and nothing beside it', async () => {
    const passing = createTap('vmn-passing');
    const dir = `${held.root}/vmn-passing`;
    attachFilter(dir, passing.ifindex, hook.options);
    const beside = `${held.root}/foreign`;
    for (const pin of [`${dir}/foreign`, beside]) {
      const foreign = ['bpftool', 'map', 'create', pin, 'type', 'array'];
      await held.host.run([...foreign, 'key', '4', 'value', '4', 'entries', '1', 'name', 'foreign']);
    }
    closeSync(passing.fd);
    removePins(dir);
    expect([existsSync(dir), existsSync(beside)]).toEqual([false, true]);
    unlinkSync(beside);
    removePins(dir);
  });
});

describe('removing', () => {
  test('by tcx takes the filter away at once, also while somebody else holds on to it', async () => {
    attachFilter(held.pinDir, held.ifindex, { hook: 'tcx' });
    const before = await held.passed(STRANGER.address);
    const theirs = `${held.root}/theirs`;
    await held.host.run(['bpftool', 'link', 'pin', 'pinned', `${held.pinDir}/link_from_vm`, theirs]);
    removePins(held.pinDir, { attachedToo: true });
    held.send(forbidden);
    unlinkSync(theirs);
    expect(await held.passed(STRANGER.address)).toBe(before + 1);
  });
});

describeHooks('an interface that is changed', (hook) => {
  test('by setLink keeps its filter', () => {
    const { fromVm, toVm } = attachFilter(held.pinDir, held.ifindex, hook.options);
    setLink(held.ifindex, { up: false, mtu: 1400 });
    setLink(held.ifindex, { up: true, mtu: 1500 });
    expect(readBack(held.pinDir)).toMatchObject({ fromVm, toVm });
  });
});
