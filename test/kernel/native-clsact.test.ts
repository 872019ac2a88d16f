import { closeSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, readBack, replaceFilter, writePolicy } from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest, PINNED } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { poll } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { tcFilters } from '../support/native/hooks.ts';
import { executable, kernel, optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/* What only tc filters can come to: others on the same qdisc, filters that outlive their pins, two of ours. */
const CLSACT = { hook: 'clsact' } as const;
const HANDLE = '0x564d4e31';
const policy = policyBytes({ ...PINNED, generation: 1n });
const allowed = fromGuest(CAST);

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('clsact');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);
afterEach(async () => {
  removePins(held.pinDir, { attachedToo: true });
  await held.host.exec(['tc', 'qdisc', 'del', 'dev', held.name, 'clsact']);
});

async function tc(...args: string[]): Promise<void> {
  await held.host.run(['tc', ...args]);
}

/** A filter of somebody else, which lets everything go on: our own program, without a name or a pin of ours. */
async function addForeign(pref: number, handle = '7'): Promise<void> {
  const dir = `${held.root}/foreign`;
  attachFilter(dir, createdTap.ifindex, CLSACT);
  const where = ['dev', held.name, 'ingress', 'prio', String(pref), 'handle', handle];
  await tc('filter', 'add', ...where, 'bpf', 'da', 'object-pinned', `${dir}/from_vm`);
}
let createdTap: { fd: number; ifindex: number };
beforeAll(() => {
  createdTap = createTap('vmn-foreign');
});
afterAll(() => closeSync(createdTap.fd));
afterEach(() => {
  removePins(`${held.root}/foreign`, { attachedToo: true });
});

const here = (first = true): object => ({ ifindex: held.ifindex, first });

async function passes(): Promise<number> {
  const before = await held.passed(CAST.endpoint.address);
  held.send(allowed);
  return (await held.passed(CAST.endpoint.address)) - before;
}

test('our filter without direct action lets everything pass: noticed, and replaced', async () => {
  attachFilter(held.pinDir, held.ifindex, CLSACT);
  const where = ['dev', held.name, 'ingress', 'prio', '1', 'handle', HANDLE, 'protocol', 'all'];
  await tc('filter', 'replace', ...where, 'bpf', 'object-pinned', `${held.pinDir}/from_vm`);
  expect(readBack(held.pinDir).fromVm).toMatchObject(here(false));
  expect(replaceFilter(held.pinDir, held.ifindex, policy).fromVm).toMatchObject(here(true));
  expect(await tcFilters(held, 'ingress')).toHaveLength(1);
});

describe('a clsact qdisc of somebody else', () => {
  test('[EB-1] is used, with what is on it; removing our filter leaves both', async () => {
    await tc('qdisc', 'add', 'dev', held.name, 'clsact');
    await addForeign(9);
    const foreign = await tcFilters(held, 'ingress');
    expect(attachFilter(held.pinDir, held.ifindex, CLSACT)).toMatchObject({ fromVm: here(), toVm: here() });
    expect((await tcFilters(held, 'ingress')).map(({ pref }) => pref)).toEqual([1, 9]);
    removePins(held.pinDir, { attachedToo: true });
    expect(await tcFilters(held, 'ingress')).toEqual(foreign);
    expect(await held.host.run(['tc', 'qdisc', 'show', 'dev', held.name])).toContain('clsact');
  });

  test('that is an `ingress` qdisc, which has no egress, is refused with a remedy; nothing stays', async () => {
    await tc('qdisc', 'add', 'dev', held.name, 'ingress');
    expect(() => attachFilter(held.pinDir, held.ifindex, CLSACT)).toThrow(
      expect.objectContaining({
        code: 'VMN_BPF_ATTACH',
        message: expect.stringContaining('qdisc "ingress" where clsact belongs'),
        remedy: expect.stringContaining('tc qdisc del'),
      }),
    );
    expect(existsSync(held.pinDir)).toBe(false);
    expect(await tcFilters(held, 'ingress')).toEqual([]);
    await tc('qdisc', 'del', 'dev', held.name, 'ingress');
  });

  test('with another kind of filter at our priority is refused with a remedy; nothing stays', async () => {
    await tc('qdisc', 'add', 'dev', held.name, 'clsact');
    const u32 = ['u32', 'match', 'u32', '0', '0', 'classid', '1:1'];
    await tc('filter', 'add', 'dev', held.name, 'egress', 'prio', '1', 'protocol', 'ip', ...u32);
    expect(() => attachFilter(held.pinDir, held.ifindex, CLSACT)).toThrow(
      expect.objectContaining({
        code: 'VMN_BPF_ATTACH',
        remedy: expect.stringContaining('priority 1'),
      }),
    );
    // The from-VM filter was there already, and is taken away again.
    expect(await tcFilters(held, 'ingress')).toEqual([]);
    expect(existsSync(held.pinDir)).toBe(false);
  });

  test('[EB-5] that was taken away with our filters reads back as attached to nothing, and is put back', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    await tc('qdisc', 'del', 'dev', held.name, 'clsact');
    const nothing = { ifindex: 0, first: false, programId: 0 };
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: nothing, toVm: nothing });
    const restored = replaceFilter(held.pinDir, held.ifindex, policy, CLSACT);
    expect(restored).toMatchObject({ fromVm: here(), toVm: here(), policyHash: policyHash(policy) });
  });
});

describe('a filter of somebody else', () => {
  test('at the same priority, added later, runs before ours until the filter is replaced', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    await addForeign(1);
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: here(false), toVm: here() });
    expect(replaceFilter(held.pinDir, held.ifindex, policy, CLSACT)).toMatchObject({
      fromVm: here(),
      toVm: here(),
      policyState: 'set',
    });
    expect((await tcFilters(held, 'ingress')).map(({ handle }) => handle)).toEqual(['0x564d4e32', '0x7']);
  });

  test('behind ours is no reason to move', async () => {
    await tc('qdisc', 'add', 'dev', held.name, 'clsact');
    await addForeign(1);
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    expect(replaceFilter(held.pinDir, held.ifindex, policy, CLSACT)).toMatchObject({ fromVm: here() });
    expect((await tcFilters(held, 'ingress')).map(({ handle }) => handle)).toEqual([HANDLE, '0x7']);
  });

  requires(kernel(6, 6)).test('attached by tcx runs before any tc filter, and is told', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    const other = `${held.root}/other`;
    attachFilter(other, held.ifindex, { hook: 'tcx' });
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: here(false), toVm: here(false) });
    removePins(other, { attachedToo: true });
    // The kernel lets go of a link a little later.
    await poll('the links to go', () => readBack(held.pinDir).fromVm?.first === true);
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: here(), toVm: here() });
  });
});

describe('filters of ours', () => {
  test('of which a crash left two are an unknown policy; both judge, and replacing leaves one', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    writePolicy(held.pinDir, policy);
    expect(await passes()).toBe(1);
    const where = ['dev', held.name, 'ingress', 'prio', '1', 'handle', '0x564d4e35'];
    await tc('filter', 'add', ...where, 'bpf', 'da', 'object-pinned', `${held.pinDir}/from_vm`);
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: here(), policyState: 'unknown' });
    expect(() => {
      writePolicy(held.pinDir, policy);
    }).toThrow(expect.objectContaining({ code: 'VMN_READ_BACK' }));
    expect(replaceFilter(held.pinDir, held.ifindex, policy, CLSACT)).toMatchObject({ policyState: 'set' });
    expect(await tcFilters(held, 'ingress')).toHaveLength(1);
  });

  test('that lost all their pins still judge, are known by their name, and are given other programs in place', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    writePolicy(held.pinDir, policy);
    rmSync(held.pinDir, { recursive: true });
    expect(await passes()).toBe(1);
    expect(attachFilter(held.pinDir, held.ifindex, CLSACT)).toMatchObject({
      fromVm: here(),
      toVm: here(),
      policyState: 'empty',
    });
    expect((await tcFilters(held, 'ingress')).map(({ handle }) => handle)).toEqual([HANDLE]);
    expect(await passes()).toBe(0);
  });

  test('that stood there before an attempt that failed stay, closed: what was guarded is never opened', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    writePolicy(held.pinDir, policy);
    rmSync(held.pinDir, { recursive: true });
    await tc('filter', 'del', 'dev', held.name, 'egress');
    const u32 = ['u32', 'match', 'u32', '0', '0', 'classid', '1:1'];
    await tc('filter', 'add', 'dev', held.name, 'egress', 'prio', '1', 'protocol', 'ip', ...u32);
    expect(() => attachFilter(held.pinDir, held.ifindex, CLSACT)).toThrow(
      expect.objectContaining({ code: 'VMN_BPF_ATTACH' }),
    );
    expect(await tcFilters(held, 'ingress')).toHaveLength(1);
    expect(await passes()).toBe(0);
  });

  test('for two folders of pins stand one behind the other, as with tcx, and both must let a frame pass', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    writePolicy(held.pinDir, policy);
    const other = `${held.root}/other`;
    attachFilter(other, held.ifindex, CLSACT);
    expect(await passes()).toBe(0);
    writePolicy(other, policy);
    expect(await passes()).toBe(1);
    removePins(other, { attachedToo: true });
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: here(), toVm: here(), policyState: 'set' });
  });
});

describe('pins of another network namespace', () => {
  test('are not given up, since nobody can see from here what they guard; removing them leaves it closed', async () => {
    attachFilter(held.pinDir, held.ifindex, CLSACT);
    const elsewhere = await held.lab.namespace('elsewhere');
    const dir = JSON.stringify(held.pinDir);
    const child = startChild(
      elsewhere,
      `
        const { ifindex } = tap.createTap('vmn-x');
        say({
          seen: engine.readBack(${dir}),
          replaced: caught(() => engine.replaceFilter(${dir}, ifindex, null)),
          attached: caught(() => engine.attachFilter(${dir}, ${String(held.ifindex)})),
          removed: caught(() => engine.removePins(${dir})),
          closed: caught(() => engine.writePolicy(${dir}, null)),
          removedAll: caught(() => engine.removePins(${dir}, { attachedToo: true })),
        });
      `,
    );
    const said = await child.next<Record<string, { code?: string; message?: string }>>();
    await child.end();
    const busy = { code: 'VMN_BPF_ATTACH', message: expect.stringContaining('another network namespace') };
    const unseen = { ifindex: 0, first: false };
    expect(said).toMatchObject({
      seen: { fromVm: unseen, toVm: unseen, policyState: 'unknown' },
      replaced: busy,
      attached: busy,
      removed: busy,
      closed: { code: 'VMN_READ_BACK' },
    });
    expect(said['removedAll']?.code).toBeUndefined();
    expect(existsSync(held.pinDir)).toBe(false);
    expect(await tcFilters(held, 'ingress')).toHaveLength(1);
    expect(await passes()).toBe(0);
    attachFilter(held.pinDir, held.ifindex, CLSACT);
  }, 30_000);
});

describe('a kernel without tcx', () => {
  requires(optional(executable('strace'))).test(
    'gets clsact by itself',
    async () => {
      const code = `
      engine.attachFilter(${JSON.stringify(held.pinDir)}, ${String(held.ifindex)});
      const { fromVm, toVm } = engine.readBack(${JSON.stringify(held.pinDir)});
      say([fromVm, toVm].map(({ attachPoint, first }) => ({ attachPoint, first })));
    `;
      // Such a kernel says EINVAL to the question, which comes before anything is pinned.
      const wrap = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=bpf'];
      for (let nth = 1; nth < 20; nth += 1) {
        removePins(held.pinDir, { attachedToo: true });
        const inject = ['-e', `inject=bpf:error=EINVAL:when=${String(nth)}`];
        const child = startChild(held.host, `try { ${code} } catch ({ code }) { say(code); }`, [
          ...wrap,
          ...inject,
        ]);
        const said = await child.next();
        await child.end();
        if (!Array.isArray(said)) continue;
        if (JSON.stringify(said).includes('tcx')) continue;
        expect(said).toEqual([
          { attachPoint: 'clsact/ingress', first: true },
          { attachPoint: 'clsact/egress', first: true },
        ]);
        expect(readdirSync(held.pinDir)).toContain('hook');
        return;
      }
      throw new Error('tcx was never asked for');
    },
    60_000,
  );
});
