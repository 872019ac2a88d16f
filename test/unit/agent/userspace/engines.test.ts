import { beforeEach, describe, expect, test } from '@jest/globals';
import { CONTROL_SOCKET, GUEST_SOCKET } from '../../../../src/agent/userspace/engine-place.ts';
import type { EngineMachine } from '../../../../src/agent/userspace/engine-machine.ts';
import type { EngineView } from '../../../../src/agent/userspace/engine-view.ts';
import { Engines } from '../../../../src/agent/userspace/engines.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import type { UnixSocket } from '../../../../src/native/foreign-process.ts';
import type { NatControl } from '../../../../src/native/nat-control.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { engineRecord, ModelEngine } from '../support/model-engines.ts';
import { PATHS } from '../support/model-host.ts';

const { tap, guestMac } = identityOf('vm-a');
const OWN_PID = 100;
const QEMU = { pid: 9, startTicks: 'qemu' };
const record = engineRecord('vm-a', { pid: 7, startTicks: 'run' });

const socket = (path: string, peerPid: number, listening = false): UnixSocket => ({
  path,
  peerPid,
  listening,
});

/** One engine as it is asked over a machine that can be anything. */
describe('a look at an engine', () => {
  let engine: ModelEngine;
  let clock: FakeClock;
  let starts: Map<number, string>;
  let sockets: UnixSocket[];
  let changes: number;
  let connections: number;
  let lose: () => void;
  let ends: Map<number, () => void>;
  let ask: () => Promise<void>;
  let engines: Engines;

  beforeEach(() => {
    engine = new ModelEngine();
    clock = new FakeClock();
    starts = new Map([
      [8, 'engine'],
      [QEMU.pid, QEMU.startTicks],
    ]);
    sockets = [
      socket(CONTROL_SOCKET, 1, true),
      socket(CONTROL_SOCKET, OWN_PID),
      socket(GUEST_SOCKET, QEMU.pid),
    ];
    [changes, connections] = [0, 0];
    ends = new Map();
    ask = () => Promise.resolve();
    const uids = Array.from({ length: 4 }, () => String(record.engine?.uid)).join('\t');
    const machine: EngineMachine = {
      pid: OWN_PID,
      connect: () => {
        connections += 1;
        return Promise.resolve(control());
      },
      startOf: (pid) => starts.get(pid) ?? null,
      statusOf: () =>
        `Uid:\t${uids}\nGid:\t${uids}\nGroups:\t \nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapAmb:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n`,
      socketsOf: () => sockets,
      watchEnd: (pid, callback) => {
        ends.set(pid, callback);
        return { close: () => ends.delete(pid) };
      },
      hold: () => null,
    };
    engines = new Engines({
      machine,
      clock,
      paths: PATHS,
      onChange: () => (changes += 1),
      onEvent: () => undefined,
    });
  });

  function control(): NatControl {
    const one: Pick<NatControl, 'status' | 'readPolicy' | 'onLost' | 'subscribe' | 'close'> = {
      status: () => ask().then(() => engine.status()),
      readPolicy: () =>
        engine.policy === null
          ? Promise.reject(new VmnError('VMN_NAT_REFUSED', { attempted: 'read' }))
          : Promise.resolve(engine.policy),
      onLost: (callback) => (lose = callback),
      subscribe: () => Promise.resolve(),
      close: () => undefined,
    };
    return one as NatControl;
  }

  const look = async (): Promise<EngineView | undefined> => (await engines.look([record])).get(tap);

  test('that answers: its policy, its confinement, and who is at its other end', async () => {
    expect(await look()).toMatchObject({ state: 'answers', policy: null, fault: null, guests: [QEMU] });
    expect([...engines.served]).toEqual([`${guestMac} 9 qemu`]);
    await look();
    expect(connections).toBe(1);
  });

  test('whose pid is another process by now has ended', async () => {
    starts.set(8, 'later');
    expect(await look()).toEqual({ state: 'ended' });
    expect(connections).toBe(0);
  });

  test.each([
    ['nobody', []],
    ['somebody else', [socket(CONTROL_SOCKET, OWN_PID + 1)]],
    ['only its listener', [socket(CONTROL_SOCKET, OWN_PID, true)]],
    ['us, at another socket', [socket(GUEST_SOCKET, OWN_PID)]],
  ])('whose process accepted %s is not the one that answers', async (_who, accepted) => {
    sockets = accepted;
    expect(await look()).toMatchObject({ state: 'silent', why: expect.stringContaining('another process') });
    expect(() => engines.control(tap)).toThrow('userspace engine');
  });

  test('whose policy is written by somebody else meanwhile is not known', async () => {
    let asked = 0;
    ask = () => {
      asked += 1;
      engine.echo = BigInt(asked);
      return Promise.resolve();
    };
    expect(await look()).toMatchObject({ state: 'silent', why: expect.stringContaining('changed') });
  });

  test('that lets an answer wait is left alone for a while, so that others have their turn', async () => {
    ask = async () => {
      await clock.advance(2000);
      throw new VmnError('VMN_NAT_UNREACHABLE', { attempted: 'ask' });
    };
    expect(await look()).toMatchObject({ state: 'silent' });
    const before = connections;
    ask = () => Promise.resolve();
    expect(await look()).toMatchObject({ state: 'silent' });
    expect(connections).toBe(before);
    await clock.advance(5000);
    expect(await look()).toMatchObject({ state: 'answers' });
  });

  test('its end, and that of the VM at its other end, are told', async () => {
    await look();
    lose();
    expect(changes).toBe(1);
    expect(() => engines.control(tap)).toThrow();
    ends.get(QEMU.pid)?.();
    expect(changes).toBe(2);
    sockets = sockets.filter(({ path }) => path !== GUEST_SOCKET);
    await look();
    expect([engines.served.size, ends.size]).toEqual([0, 0]);
  });
});
