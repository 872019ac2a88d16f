import { beforeEach, describe, expect, test } from '@jest/globals';
import type { AttachmentResult } from '../../../../src/agent/attachment/rounds.ts';
import { attachmentStatus, nothingTold } from '../../../../src/agent/status/attachment-status.ts';
import { ensureClosedTap } from '../../../../src/agent/wiring/closed-tap.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import type { AttachmentRecord } from '../../../../src/agent/wiring/record.ts';
import { decodePolicy } from '../../../../src/native/policy-abi.ts';
import { engineRecord, type ModelEngine, putOnEngine } from '../support/model-engines.ts';
import { manifests, ModelHost, PATHS, resultOf } from '../support/model-host.ts';

const VM = 'vm-a';
const { tap, guestMac } = identityOf(VM);
const ONE = manifests({ [VM]: {} });
const NONE = manifests({});
const atPort = (port: number) => manifests({ [VM]: { consumerEndpoint: { address: '203.0.113.10', port } } });
const RUN = { pid: 7, startTicks: 'run' };
const QEMU = { pid: 9, startTicks: 'qemu' };

/** What one pass makes of a VM whose record says that it is on an engine. */
describe('a pass over a VM on a userspace engine', () => {
  let host: ModelHost;
  let engine: ModelEngine;
  beforeEach(() => {
    host = new ModelHost();
    engine = putOnEngine(host, VM, RUN);
  });

  const record = (changed: Partial<AttachmentRecord>): AttachmentRecord => ({
    ...engineRecord(VM, RUN),
    ...changed,
  });
  const recorded = (): AttachmentRecord | null => {
    const found = host.records.read(tap);
    return found.state === 'ok' ? found.record : null;
  };
  const pass = async (set = ONE): Promise<AttachmentResult> => resultOf(await host.pass(set), VM);
  const inForce = () => (engine.policy === null ? null : decodePolicy(engine.policy));
  const said = (result: AttachmentResult) => attachmentStatus(result, new Set(), 'now', nothingTold());
  const ended = (): void => void host.kernel.processes.delete(RUN.pid);

  test('the engine gets the policy, and no tap, guard or forwarding is made for it', async () => {
    const result = await pass();
    expect(result).toMatchObject({ verified: true, error: null });
    expect(inForce()).toMatchObject({ endpoint: { port: 51900 }, guestAddress: '100.64.0.9', guestMac });
    expect(recorded()?.network).toMatch(/vm-a$/);
    expect(host.kernel.byName(tap)).toBeUndefined();
    expect(host.nft.table).toBeNull();
    expect(host.changes).toHaveLength(2); // the policy and the note
    expect(said(result)).toMatchObject({
      state: 'Enforced',
      engine: 'userspace',
      enforced: { generation: 1, process: { pid: 8, startTicks: 'engine' } },
    });
  });

  test('nothing new is nothing done, by an agent of later too', async () => {
    await pass();
    const policy = engine.policy;
    host.restart();
    host.changes.splice(0);
    expect(await pass()).toMatchObject({ verified: true });
    expect(engine.policy).toBe(policy);
    expect(host.changes).toEqual([]);
  });

  test('another endpoint is one commit with the next generation', async () => {
    await pass();
    await pass(atPort(1234));
    expect(inForce()).toMatchObject({ endpoint: { port: 1234 }, generation: 2n });
  });

  test('not wanted any more, and in use: denied by the engine, which stays', async () => {
    await pass();
    expect(said(await pass(NONE))).toMatchObject({ state: 'Denied', enforced: null });
    expect([engine.policy, engine.state]).toEqual([null, 'answers']);
  });

  test('what the engine says is in force must be what it was given', async () => {
    engine.echo = 1n;
    const result = await pass();
    expect(result).toMatchObject({ verified: false, error: { code: 'VMN_READ_BACK' } });
    expect(said(result)).toMatchObject({ state: 'Error', enforced: null });
    // The first policy of this network: nothing was to pass before it, and nothing does.
    expect(engine.policy).toBeNull();
  });

  test('one that is not confined is ended', async () => {
    await pass();
    engine.fault = 'it is not under seccomp';
    const result = await pass();
    expect(engine.state).toBe('ended');
    expect(said(result)).toMatchObject({ state: 'Error', enforced: null, engineLost: true });
  });

  test('one that has ended while its VM runs is lost, and nothing is put in its place', async () => {
    await pass();
    engine.state = 'ended';
    const result = await pass();
    expect(said(result)).toMatchObject({ state: 'Error', enforced: null, engineLost: true, inUse: true });
    expect(host.kernel.byName(tap)).toBeUndefined();
    expect(recorded()?.engine).toBeDefined();
  });

  test('a silent one may go on by an older wish of its network, and is not said to enforce', async () => {
    await pass();
    engine.state = 'silent';
    expect(said(await pass(atPort(1234)))).toMatchObject({ engineLost: true, enforced: null });
    expect(engine.state).toBe('silent');
  });

  test.each([
    ['nobody wants it', NONE],
    ['the kill switch is set', manifests({ [VM]: { desiredState: 'Quarantined' } })],
  ])('a silent one is ended when %s', async (_why, set) => {
    await pass();
    engine.state = 'silent';
    await host.pass(set);
    expect(engine.state).toBe('ended');
  });

  test('a silent one of another network is ended', async () => {
    await pass();
    host.records.write(record({ network: 'tenant/other' }));
    engine.state = 'silent';
    await pass();
    expect(engine.state).toBe('ended');
  });

  test('once nobody has it, it ends and the record forgets it: then the VM is one of those on taps', async () => {
    await pass();
    ended();
    await pass();
    expect([engine.state, recorded()?.engine]).toEqual(['ended', undefined]);
    expect(await pass()).toMatchObject({ verified: true });
    expect(host.kernel.byName(tap)).toBeDefined();
  });

  test('it stays while a VM is at its other end, whoever started that', async () => {
    engine.guests = [QEMU];
    ended();
    expect(await pass()).toMatchObject({ verified: true, inUse: true });
    expect(recorded()?.engine).toBeDefined();
  });

  test('when nobody has a silent one is not known: it stays', async () => {
    await pass();
    ended();
    engine.state = 'silent';
    await pass();
    expect([engine.state, recorded()?.engine === undefined]).toEqual(['silent', false]);
  });

  test('one that was to be started, by somebody who died, is forgotten; else it is waited for', async () => {
    host.records.write(record({ engine: { uid: 1979711488, process: null } }));
    expect(said(await pass())).toMatchObject({ state: 'Error', enforced: null });
    expect([engine.policy, engine.state]).toEqual([null, 'answers']);
    ended();
    await pass();
    expect(recorded()?.engine).toBeUndefined();
  });

  test('a record that was claimed anew meanwhile is left alone', async () => {
    ended();
    const taken = { ...RUN, pid: 17 };
    const end = host.engines.end.bind(host.engines);
    host.engines.end = (one) => {
      host.kernel.processes.set(taken.pid, taken.startTicks);
      host.records.write(record({ claim: taken }));
      return end(one);
    };
    await pass();
    expect(recorded()).toMatchObject({ claim: taken, engine: { process: { pid: 8 } } });
  });

  test('a VM has the one or the other: no tap is made while the record names an engine', () => {
    const message = /on a userspace engine/;
    expect(() => ensureClosedTap(VM, PATHS, host.ports())).toThrow(message);
    expect(host.kernel.byName(tap)).toBeUndefined();
  });
});
