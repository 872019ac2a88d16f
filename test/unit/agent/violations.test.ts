import { beforeEach, describe, expect, test } from '@jest/globals';
import { answerViolations } from '../../../src/agent/attachment/violations.ts';
import type { AttachmentResult } from '../../../src/agent/attachment/rounds.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import type { RecordedViolations } from '../../../src/agent/wiring/record.ts';
import type { PolicyIntent } from '../../../src/controller/vmnetwork/plan.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { manifests, ModelHost, resultOf, violate } from './support/model-host.ts';
import type { SpecInput } from './support/model-host.ts';

const NOW = '2026-01-31T12:00:00.000Z';
const A = identityOf('vm-a').tap;
/** Who it is is noted, it is ended, and that is noted. */
const ENDED = ['note-violations', 'end-vm', 'note-violations'];
const recorded = (answered: number, over: Partial<RecordedViolations> = {}): RecordedViolations => ({
  answered,
  quarantinedAt: null,
  toEnd: false,
  ...over,
});

describe('the answer to violations', () => {
  const intent = (action: 'Drop' | 'Quarantine' | 'Terminate', quarantined = false) =>
    ({ quarantined, violation: { action, threshold: 1, windowSeconds: 10 } }) as PolicyIntent;
  const standing = recorded(3, { quarantinedAt: 'then' });

  test.each<[string, PolicyIntent | null, RecordedViolations | null, number | null, boolean, unknown]>([
    ['Drop: whatever was counted, nothing', intent('Drop'), null, 7, false, null],
    [
      'what was counted before the action began is settled',
      intent('Quarantine'),
      null,
      7,
      false,
      recorded(7),
    ],
    ['no crossing since: nothing', intent('Quarantine'), recorded(7), 7, false, recorded(7)],
    ['a crossing', intent('Quarantine'), recorded(7), 8, true, recorded(8, { quarantinedAt: NOW })],
    [
      'a crossing, Terminate',
      intent('Terminate'),
      recorded(0),
      1,
      true,
      recorded(1, { quarantinedAt: NOW, toEnd: true }),
    ],
    ['a count that began anew', intent('Quarantine'), recorded(7), 0, false, recorded(0)],
    ['and crossed again', intent('Quarantine'), recorded(7), 2, true, recorded(2, { quarantinedAt: NOW })],
    ['quarantined, it stays so', intent('Quarantine'), standing, 3, true, standing],
    ['also when the count begins anew', intent('Quarantine'), standing, 0, true, standing],
    ['also when the spec says Drop by now', intent('Drop'), standing, 3, true, standing],
    ['also while nobody can tell', intent('Quarantine'), standing, null, true, standing],
    ['also while the VM is denied', null, standing, 9, true, standing],
    ['the kill switch takes over', intent('Quarantine', true), standing, 4, false, recorded(4)],
    ['the kill switch takes over, with Drop', intent('Drop', true), standing, 4, false, null],
    [
      'behind the kill switch nothing is answered',
      intent('Terminate', true),
      recorded(3),
      4,
      false,
      recorded(4),
    ],
    ['not known: nothing yet', intent('Quarantine'), recorded(3), null, false, recorded(3)],
  ])('%s', (_what, wanted, before, crossings, quarantined, after) => {
    expect(answerViolations(wanted, before, crossings, NOW)).toEqual({ quarantined, recorded: after });
  });
});

describe('[FS-4] an agent whose VM reached its threshold', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });

  const set = (spec: SpecInput = {}) =>
    manifests({ 'vm-a': { violation: { action: 'Quarantine' }, ...spec }, 'vm-b': {} });
  const pass = async (spec?: SpecInput): Promise<AttachmentResult> =>
    resultOf(await host.pass(set(spec)), 'vm-a');
  const kinds = (): string[] => host.changes.splice(0).map((change) => change.split(' ')[0] ?? '');
  const inForce = () => {
    const { policy } = host.kernel.pins.get(`/bpf/${A}`)?.slot ?? { policy: null };
    return policy === null ? 'deny-all' : (policy[4] ?? 0) & 1 ? 'quarantined' : 'open';
  };
  const noted = () => {
    const found = host.records.states.get(A);
    return found?.state === 'ok' ? found.record.violations : undefined;
  };

  test('with Drop does nothing, and writes nothing', async () => {
    await pass({ violation: { action: 'Drop' } });
    kinds();
    violate(host, 'vm-a');
    const { observed, verified } = await pass({ violation: { action: 'Drop' } });
    expect([kinds(), inForce(), observed?.crossings, verified]).toEqual([[], 'open', 1, true]);
  });

  test('with Quarantine closes it by one write, notes it, and leaves the other VM alone', async () => {
    await pass();
    kinds();
    violate(host, 'vm-a');
    expect((await pass()).verified).toBe(true);
    expect([kinds(), inForce()]).toEqual([['write-policy', 'note-violations'], 'quarantined']);
    expect(noted()).toMatchObject({ answered: 1, quarantinedAt: expect.any(String) });
    // It lasts, without a further write, over restarts and over whatever else is edited.
    host.restart();
    await pass();
    await pass({ consumerEndpoint: { address: '203.0.113.11', port: 7 } });
    await pass({ violation: { action: 'Drop' }, mode: 'Conntrack' });
    expect(inForce()).toBe('quarantined');
  });

  test('answers what happened while it was away', async () => {
    await pass();
    violate(host, 'vm-a');
    host.restart();
    await pass();
    expect(inForce()).toBe('quarantined');
  });

  test('releases it when the kill switch was set and cleared, and answers the next crossing again', async () => {
    await pass();
    violate(host, 'vm-a');
    await pass();
    await pass({ desiredState: 'Quarantined' });
    expect([inForce(), noted()?.quarantinedAt]).toEqual(['quarantined', null]);
    await pass();
    expect(inForce()).toBe('open');
    violate(host, 'vm-a');
    await pass();
    expect(inForce()).toBe('quarantined');
  });

  test('does not count what happened before the action was declared', async () => {
    await pass({ violation: { action: 'Drop' } });
    violate(host, 'vm-a');
    kinds();
    await pass();
    expect([inForce(), noted()]).toEqual(['open', recorded(1)]);
    // With a new generation, which arms the threshold again for a VM that never stopped.
    expect(kinds()).toEqual(['write-policy', 'note-violations']);
    await pass({ violation: { action: 'Drop' } });
    expect(noted()).toBeUndefined();
  });

  test('keeps it closed when the note cannot be written, or the policy cannot', async () => {
    await pass();
    violate(host, 'vm-a');
    const write = host.records.write.bind(host.records);
    host.records.write = () => {
      throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'write the record' });
    };
    expect((await pass()).error?.code).toBe('VMN_STATE_UNREADABLE');
    expect(inForce()).toBe('quarantined');
    host.records.write = write;
    host.advance(1000);
    expect((await pass()).verified).toBe(true);

    host = new ModelHost();
    await pass();
    violate(host, 'vm-a');
    const writePolicy = host.kernel.writePolicy.bind(host.kernel);
    host.kernel.writePolicy = (pinDir, policy) => {
      if (policy !== null) throw new VmnError('VMN_BPF_MAP', { attempted: 'write the policy' });
      writePolicy(pinDir, policy);
    };
    expect((await pass()).error?.code).toBe('VMN_BPF_MAP');
    expect(inForce()).toBe('deny-all');
  });

  test('closes it even while its retries are held back', async () => {
    await pass();
    const addRoute = host.kernel.addRoute.bind(host.kernel);
    host.kernel.routeTable.splice(0);
    host.kernel.addRoute = () => {
      throw new VmnError('VMN_NETLINK', { attempted: 'add route' });
    };
    await pass();
    violate(host, 'vm-a');
    expect((await pass()).error?.code).toBe('VMN_NETLINK');
    expect(inForce()).toBe('quarantined');
    host.kernel.addRoute = addRoute;
    host.advance(1000);
    expect((await pass()).verified).toBe(true);
    expect(noted()?.quarantinedAt).not.toBeNull();
  });

  test('a crossing is not lost when the programs are replaced, or were taken away, at the same time', async () => {
    for (const meddle of [() => (host.kernel.tag = 'bbbb'), () => host.kernel.rob(A, 'to')]) {
      host = new ModelHost();
      await pass();
      violate(host, 'vm-a');
      meddle();
      await pass();
      expect([inForce(), noted()?.quarantinedAt]).toEqual(['quarantined', expect.any(String)]);
    }
  });

  test('what counts the violations cannot be read: not verified', async () => {
    await pass();
    host.kernel.violations = () => {
      throw new VmnError('VMN_BPF_MAP', { attempted: 'read the violations' });
    };
    expect(await pass()).toMatchObject({ verified: false, error: { code: 'VMN_BPF_MAP' } });
  });

  describe('with Terminate', () => {
    const TERMINATE: SpecInput = { violation: { action: 'Terminate' } };
    const holder = { pid: 77, startTicks: '1234' };
    const hold = (...holders: (typeof holder)[]): void => {
      host.kernel.holders.set(A, holders);
      const link = host.kernel.byName(A);
      if (link !== undefined) link.heldByQemu = true;
    };
    beforeEach(async () => {
      await pass(TERMINATE);
      kinds();
    });

    test('closes it, and ends the process that holds its tap, once', async () => {
      hold(holder);
      violate(host, 'vm-a');
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect(kinds()).toEqual(['write-policy', 'note-violations', ...ENDED]);
      expect([inForce(), host.kernel.holders.has(A)]).toEqual(['quarantined', false]);
      expect(noted()).toEqual(recorded(1, { quarantinedAt: expect.any(String) as unknown as string }));
      // Started anew it stays closed, and is not ended again.
      hold({ pid: 78, startTicks: '1' });
      await pass(TERMINATE);
      expect([inForce(), host.kernel.holders.has(A)]).toEqual(['quarantined', true]);
    });

    test('that stopped meanwhile: there is nobody to end', async () => {
      violate(host, 'vm-a');
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect([kinds(), noted()?.toEnd]).toEqual([
        ['write-policy', 'note-violations', 'note-violations'],
        false,
      ]);
    });

    test.each([
      ['two processes hold the tap', [holder, { pid: 78, startTicks: '1' }], '2 processes (77, 78)'],
      ['nobody can be seen to hold it', [], 'a process that cannot be seen'],
    ])('%s: nobody is ended, it is said, and the VM stays closed', async (_what, holders, message) => {
      hold(...holders);
      violate(host, 'vm-a');
      const result = await pass(TERMINATE);
      expect(result.error).toMatchObject({
        code: 'VMN_TAP_IN_USE',
        message: expect.stringContaining(message),
        remedy: expect.stringContaining('by hand'),
      });
      expect([inForce(), kinds()]).toEqual(['quarantined', ['write-policy', 'note-violations']]);
      // One of them lets go.
      hold(holder);
      expect((await pass(TERMINATE)).verified).toBe(true);
    });

    test('while it is being ended passes have nothing to do, and the record says who it is', async () => {
      host.endings.slow = true;
      hold(holder);
      violate(host, 'vm-a');
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect(kinds()).toEqual(['write-policy', 'note-violations', 'note-violations', 'end-vm']);
      expect(noted()).toMatchObject({ toEnd: true, holder });
      host.endings.finish();
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect([kinds(), noted()?.toEnd, host.endings.begun]).toEqual([['note-violations'], false, [holder]]);
    });

    test('an agent that dies meanwhile begins again with the same process', async () => {
      host.endings.slow = true;
      hold(holder);
      violate(host, 'vm-a');
      await pass(TERMINATE);
      host.restart();
      await pass(TERMINATE);
      expect(host.endings.begun).toEqual([holder, holder]);
      expect(noted()).toMatchObject({ toEnd: true, holder });
    });

    test.each([
      ['while no agent ran', () => host.restart()],
      ['before a pass saw the end', () => undefined],
    ])('a VM that was started anew %s is quarantined and not ended', async (_when, between) => {
      host.endings.slow = true;
      hold(holder);
      violate(host, 'vm-a');
      await pass(TERMINATE);
      host.endings.finish();
      between();
      // Also one of the same pid.
      hold({ pid: 77, startTicks: '99999' });
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect([inForce(), noted()?.toEnd, noted()?.holder]).toEqual(['quarantined', false, undefined]);
      expect([host.endings.begun.length, host.kernel.holders.has(A)]).toEqual([1, true]);
    });

    test('it has ended, but somebody who cannot be seen holds its tap: that is said', async () => {
      host.endings.slow = true;
      hold(holder);
      violate(host, 'vm-a');
      await pass(TERMINATE);
      host.endings.finish();
      const link = host.kernel.byName(A);
      if (link !== undefined) link.heldByQemu = true;
      expect((await pass(TERMINATE)).error).toMatchObject({
        code: 'VMN_TAP_IN_USE',
        message: expect.stringContaining('cannot be seen'),
      });
      expect([inForce(), noted()?.toEnd]).toEqual(['quarantined', true]);
    });

    test('a death at any step ends in "again" or "done", never in "forgotten", and ends no VM that was started anew', async () => {
      const dies = async (step: number): Promise<boolean> => {
        host.kernel.crashIn(step);
        await pass(TERMINATE).catch((error: unknown) => {
          if (!host.kernel.dead) throw error;
        });
        const { dead } = host.kernel;
        host.restart();
        return dead;
      };
      let [again, done] = [0, 0];
      for (let step = 1; ; step += 1) {
        host = new ModelHost();
        await pass(TERMINATE);
        hold(holder);
        violate(host, 'vm-a');
        if (!(await dies(step))) break;
        const gone = !host.kernel.holders.has(A);
        if (gone) hold({ pid: 78, startTicks: '5678' });
        expect((await pass(TERMINATE)).verified).toBe(true);
        expect(new Set(host.endings.begun.map(({ pid }) => pid))).toEqual(new Set([holder.pid]));
        expect([inForce(), noted()?.toEnd, noted()?.holder]).toEqual(['quarantined', false, undefined]);
        expect(host.kernel.holders.get(A)).toEqual(gone ? [{ pid: 78, startTicks: '5678' }] : undefined);
        if (gone) done += 1;
        else again += 1;
      }
      expect([again > 5, done > 2]).toEqual([true, true]);
    });

    test('an end that fails is told, and tried again', async () => {
      hold(holder);
      violate(host, 'vm-a');
      host.endings.failure = new VmnError('VMN_CAPABILITY', { attempted: 'end the VM' });
      expect((await pass(TERMINATE)).error?.code).toBe('VMN_CAPABILITY');
      expect([inForce(), host.kernel.holders.has(A)]).toEqual(['quarantined', true]);
      host.endings.failure = null;
      host.advance(1000);
      expect((await pass(TERMINATE)).verified).toBe(true);
      expect(host.kernel.holders.has(A)).toBe(false);
    });

    test('whom to end is noted before anything is done to it', async () => {
      hold(holder);
      violate(host, 'vm-a');
      const write = host.records.write.bind(host.records);
      host.records.write = (record) => {
        if (record.violations?.holder !== undefined)
          throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'write the record' });
        write(record);
      };
      expect((await pass(TERMINATE)).error?.code).toBe('VMN_STATE_UNREADABLE');
      expect(host.endings.begun).toEqual([]);
    });
  });
});
