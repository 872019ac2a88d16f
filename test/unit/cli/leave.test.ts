import { beforeEach, describe, expect, test } from '@jest/globals';
import { ensureClosedTap } from '../../../src/agent/wiring/closed-tap.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { readGuard } from '../../../src/agent/wiring/nft-table.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { putGuard } from '../../../src/cli/guard/standing-guard.ts';
import { drain, type Drained } from '../../../src/cli/leave/drain.ts';
import type { TapInUse } from '../../../src/cli/leave/in-use.ts';
import { drainTable, inUseTable, removedTable } from '../../../src/cli/leave/leave-text.ts';
import { uninstall, type Uninstalled, type UninstallPorts } from '../../../src/cli/leave/uninstall.ts';
import { ModelNft, ModelRecords, modelUplinks, PATHS } from '../agent/support/model-host.ts';
import { ModelKernel } from '../agent/support/model-kernel.ts';
import { invoke } from './invoke.ts';

/* What leaving a host decides; with traffic, and killed at each step, on a real kernel: test/kernel/uninstall.test.ts. */

const POLICY = new Uint8Array(128).fill(1);
const one = identityOf('one');
const pinsOf = (name: string): string => `${PATHS.bpffs}/${name}`;

let kernel: ModelKernel;
let records: ModelRecords;
let ports: UninstallPorts;
let files: Set<string>;
beforeEach(() => {
  kernel = new ModelKernel();
  records = new ModelRecords(kernel);
  files = new Set(['/state/sealing-key', '/state/pulled-cables.json']);
  ports = {
    kernel,
    records,
    nft: new ModelNft(kernel),
    uplinks: modelUplinks(kernel),
    detach: (pinDir) => void kernel.pins.delete(pinDir),
    removeFile: (path) => files.delete(path),
  };
});

/** As `vmnetctl run` makes it; `claim` is that of a process. */
function makeOwn(claim: { pid: number; startTicks: string } | null = null): void {
  ensureClosedTap('one', PATHS, { kernel, records, withStateLock: (body) => body() }, claim);
}
const allow = (name: string): void => kernel.writePolicy(pinsOf(name), POLICY);
const hold = (name: string): void => void Object.assign(kernel.byName(name) ?? {}, { heldByQemu: true });
const guard = async (...patterns: string[]): Promise<unknown> =>
  putGuard({ ...ports, pool: PATHS.pool, bpffs: PATHS.bpffs }, patterns, false);
const closeAll = async (): Promise<Drained[]> =>
  drain(ports, PATHS, (await readGuard(ports.nft))?.managed ?? { patterns: [], links: [] });
const leave = (leaveClosed = false): Promise<Uninstalled> =>
  uninstall(ports, PATHS, {
    leaveClosed,
    files: { always: ['/state/sealing-key'], atLast: ['/state/pulled-cables.json'] },
  });
const policyOf = (name: string): string => kernel.readBack(pinsOf(name)).policyState;

describe('drain', () => {
  test('closes what passes something, attaches what has no program, and leaves the rest alone', async () => {
    makeOwn();
    allow(one.tap);
    await guard('vnet*');
    const bare = kernel.addForeignTap('vnet0');
    kernel.addForeignTap('other0');
    expect(await closeAll()).toEqual([
      expect.objectContaining({ tap: 'vnet0', vm: null, outcome: 'closed', error: null }),
      expect.objectContaining({ tap: one.tap, vm: 'one', outcome: 'closed', error: null }),
    ]);
    expect([policyOf(one.tap), policyOf(`if-0-${String(bare)}`)]).toEqual(['empty', 'empty']);
    const steps = kernel.steps;
    const again = await closeAll();
    expect(again.map(({ outcome }) => outcome)).toEqual(['was-closed', 'was-closed']);
    expect(kernel.steps).toBeGreaterThan(steps);
  });

  test('one that was robbed of a program is down before it gets another', async () => {
    makeOwn();
    allow(one.tap);
    const link = kernel.byName(one.tap)!;
    link.up = true;
    kernel.rob(one.tap, 'from');
    kernel.check = () => {
      const { from } = kernel.attached(link.ifindex);
      if (kernel.pins.get(pinsOf(one.tap))?.staged === true && from === null) expect(link.up).toBe(false);
    };
    expect((await closeAll())[0]).toMatchObject({ outcome: 'closed' });
    expect(kernel.attached(link.ifindex).from).not.toBeNull();
  });

  test('one in another namespace is closed by its pins', async () => {
    makeOwn();
    allow(one.tap);
    kernel.moveAway(kernel.byName(one.tap)!.ifindex);
    expect(await closeAll()).toEqual([
      expect.objectContaining({ tap: one.tap, vm: 'one', outcome: 'closed' }),
    ]);
    expect(policyOf(one.tap)).toBe('empty');
  });

  test('a failure is told of that tap, and the others are closed', async () => {
    makeOwn();
    allow(one.tap);
    await guard('vnet*');
    kernel.addForeignTap('vnet0');
    kernel.writePolicy = () => {
      throw new VmnError('VMN_BPF_MAP', { attempted: 'empty the policy' });
    };
    expect(await closeAll()).toEqual([
      expect.objectContaining({ tap: 'vnet0', outcome: 'closed' }),
      expect.objectContaining({
        tap: one.tap,
        outcome: 'failed',
        error: expect.objectContaining({ code: 'VMN_BPF_MAP' }),
      }),
    ]);
  });
});

describe('uninstall', () => {
  const refusedWith = async (why: RegExp, leaveClosed = false): Promise<TapInUse> => {
    const pins = JSON.stringify([...kernel.pins.keys()]);
    const result = await leave(leaveClosed);
    expect(result).toMatchObject({ done: false, removed: [], inUse: [{ why: expect.stringMatching(why) }] });
    expect([JSON.stringify([...kernel.pins.keys()]), files.size]).toEqual([pins, 2]);
    return result.inUse[0]!;
  };

  test('of nothing does nothing', async () => {
    files.clear();
    expect(await leave()).toEqual({ done: true, removed: [], inUse: [] });
  });

  test('takes everything, taps first and the guard last but for files', async () => {
    makeOwn();
    allow(one.tap);
    await guard('vnet*');
    const idle = kernel.addForeignTap('vnet0');
    await closeAll();
    Object.assign(kernel.byName('vnet0') ?? {}, { heldByQemu: false });
    const { done, removed } = await leave();
    expect([done, removed]).toEqual([
      true,
      [
        { what: 'tap', on: one.tap },
        { what: 'filter', on: 'vnet0' },
        { what: 'guard', on: 'nftables' },
        { what: 'file', on: '/state/sealing-key' },
        { what: 'file', on: '/state/pulled-cables.json' },
      ],
    ]);
    expect([kernel.byName(one.tap), kernel.pins.size, records.states.size]).toEqual([undefined, 0, 0]);
    expect(kernel.modelLinks.get(idle)?.name).toBe('vnet0');
    expect(await readGuard(ports.nft)).toBeNull();
  });

  test('is refused while a VM holds a tap, and with --leave-closed while it is open', async () => {
    makeOwn();
    allow(one.tap);
    hold(one.tap);
    expect(await refusedWith(/is held/)).toMatchObject({ vm: 'one', closed: false });
    expect(await refusedWith(/is held/, true)).toMatchObject({ closed: false });
    await closeAll();
    expect(await refusedWith(/is held/)).toMatchObject({ closed: true });
    const { done, inUse } = await leave(true);
    expect([done, inUse.length, files]).toEqual([true, 1, new Set(['/state/pulled-cables.json'])]);
    expect([policyOf(one.tap), records.states.has(one.tap)]).toEqual(['empty', true]);
    expect(await readGuard(ports.nft)).not.toBeNull();
  });

  test('is refused while a VM is about to start', async () => {
    kernel.processes.set(77, '5');
    makeOwn({ pid: 77, startTicks: '5' });
    expect(await refusedWith(/about to be used/)).toMatchObject({ pids: [77] });
    kernel.removeForeign(kernel.byName(one.tap)!.ifindex);
    expect(await refusedWith(/about to be used/)).toMatchObject({ vm: 'one' });
    kernel.processes.clear();
    expect(await leave()).toMatchObject({ done: true });
  });

  test('is refused where it cannot be told who has a tap', async () => {
    makeOwn();
    const error = new VmnError('VMN_STATE_UNREADABLE', { attempted: 'read the record' });
    records.states.set(one.tap, { state: 'unreadable', error });
    await refusedWith(/read the record/);
    records.states.delete(one.tap);
    await refusedWith(/no record under --state-dir/);
    kernel.moveAway(kernel.byName(one.tap)!.ifindex);
    await refusedWith(/another network namespace/);
  });

  test('leaves the guard to a VM that was started meanwhile', async () => {
    await guard('vnet*');
    kernel.sharedPins = true;
    records.states.set('card-0123456789', { state: 'absent' });
    records.remove = () => void kernel.addForeignTap('vnet1');
    await expect(leave()).rejects.toMatchObject({ code: 'VMN_TAP_IN_USE', on: 'vnet1' });
    expect(await readGuard(ports.nft)).not.toBeNull();
    expect(kernel.sharedPins).toBe(true);
  });
});

describe('what is printed', () => {
  const plain = { paint: (_: string, text: string) => text };

  test('escapes what tenants and guests name', () => {
    const tap = { tap: 'vnet0', vm: 'a\u001b[31m', pins: 'if-0-3' };
    const error = { code: 'VMN_READ_BACK', message: 'it is not so.', remedy: 'Do this.' };
    const drained = drainTable(
      [
        { ...tap, outcome: 'failed', error },
        { ...tap, vm: null, outcome: 'was-closed', error: null },
      ],
      plain,
    );
    expect(drained).not.toContain('\u001b');
    expect(drained.split('\n').map((line) => line.split(/ {2,}/))).toMatchObject([
      ['VM', 'INTERFACE', 'OUTCOME', 'WHY'],
      [expect.any(String), 'vnet0', 'FAILED', 'it is not so. Do this.'],
      ['-', 'vnet0', 'was closed', '-'],
      [''],
    ]);
    const inUse = inUseTable([{ ...tap, vm: 'b', closed: false, pids: [4, 5], why: 'is held' }], plain);
    expect(inUse).toContain('b   vnet0      no      4, 5  is held');
    expect(removedTable([{ what: 'tap', on: 'vmn-x' }])).toBe('REMOVED  WHAT\ntap      vmn-x\n');
  });

  test.each([
    [['drain', 'vm-1'], /too many arguments/],
    [['drain', '--leave-closed'], /unknown option '--leave-closed'/],
    [['uninstall', '--force'], /unknown option '--force'/],
    [['uninstall', '--pool', 'x'], /Give a network/],
    [['uninstall', '-o', 'yaml'], /Allowed choices are json, table/],
  ])('%j is a usage error', async (argv, message) => {
    const { code, stdout, stderr } = await invoke(argv);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});
