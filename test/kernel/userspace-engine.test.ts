import { type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { engineUidOf, enginePlaceOf } from '../../src/agent/userspace/engine-place.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { NatControl } from '../../src/native/nat-control.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { GuestEnd } from '../support/nat/guest-end.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { type AgentProcess, attachmentOf, enforces, networkOf } from '../support/stage/agent-process.ts';
import type { Arrivals } from '../support/stage/arrivals.ts';
import { forbidden, idleQemu, runOnEngine } from '../support/stage/engine-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { vmnetctl } from '../unit/cli/vmnetctl.ts';

// A VM on vmn-nat, as `vmnetctl run` starts it and the real agent holds it: traffic in flight, counted in the kernel at every far end.
// In QEMU's place is a program that waits, and the test itself at the guest's end of the stream; the last tests have a real QEMU.

const VM = 'guest';
const { tap } = identityOf(VM);
const { a, b } = RentalLab;
const ECHO = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", ${String(a.port)}))
while True:
    data, who = s.recvfrom(2048)
    s.sendto(data, who)
`;

const { describe, test } = requires(root, executable('nft'), executable('qemu-system-x86_64'));

describe('a VM on the userspace engine', () => {
  let rental: RentalLab;
  let far: { a: Arrivals; b: Arrivals; x: Arrivals };
  let idle: string;
  let agent: AgentProcess;
  let run: ChildProcess;
  let guest: GuestEnd | undefined;

  beforeAll(async () => {
    rental = await RentalLab.open('userspace');
    rental.consumerA.spawn(['python3', '-c', ECHO], { stdio: 'ignore' });
    far = await rental.arrivals();
    idle = idleQemu(rental);
  }, 60_000);
  afterAll(async () => {
    await rental?.close();
  }, 30_000);

  beforeEach(() => {
    apply(rental.home, { name: VM, endpoint: a });
    agent = rental.home.start();
  });
  afterEach(async () => {
    guest?.close();
    guest = undefined;
    if (run?.exitCode === null && run.signalCode === null) run.kill('SIGTERM');
    withdraw(rental.home, VM);
    if (!agent.running) agent = rental.home.start();
    await agent.until('nothing of the VM', ({ attachments }) => attachments.length === 0);
    await agent.end('SIGTERM');
    expect(existsSync(place().dir)).toBe(false);
  }, 30_000);

  const place = () => enginePlaceOf(rental.home, tap);
  const start = (...command: string[]): void => {
    run = runOnEngine(rental, VM, command);
  };
  const isHeldTo = (endpoint: typeof a) => (status: AgentStatus) => enforces(status, VM, VM, endpoint);
  /** Held to consumer A, and somebody at the guest's end. */
  const running = async (): Promise<{ cast: RealCast; seen: AttachmentStatus; pid: number }> => {
    start(idle);
    const status = await agent.until('the policy in the engine', isServed);
    guest = await GuestEnd.connect(place().guest);
    const seen = attachmentOf(status, VM);
    const pid = seen?.enforced?.process?.pid;
    if (seen === undefined || pid === undefined) throw new Error('no engine in status');
    return { cast: castOf(status, VM, a), seen, pid };
  };
  const isServed = (status: AgentStatus): boolean =>
    isHeldTo(a)(status) && attachmentOf(status, VM)?.engine === 'userspace';
  const conditionOf = (status: AgentStatus, type: string) =>
    networkOf(status, VM)?.conditions.find((one) => one.type === type);
  const all = async (end: Arrivals): Promise<number> => (await end.seen()).get('all') ?? 0;
  const elsewhere = async (): Promise<number> => (await all(far.b)) + (await all(far.x));
  const answered = async (cast: RealCast): Promise<void> => {
    if (guest === undefined) throw new Error('nobody is at the guest');
    const before = guest.frames.length;
    guest.send(fromGuest(cast));
    await guest.frame(before);
  };
  const attack = (cast: RealCast): void => guest?.send(...forbidden(cast));

  test('closed at its start, then its endpoint and nothing else; a user of its own without rights, and no tap', async () => {
    await agent.end('SIGTERM');
    start(idle);
    const control = await poll('the engine', () => NatControl.connect(place().control).catch(() => null));
    expect(await control.status()).toMatchObject({ hasPolicy: false });
    control.close();
    agent = rental.home.start();
    const status = await agent.until('the policy in the engine', isServed);
    guest = await GuestEnd.connect(place().guest);
    const cast = castOf(status, VM, a);
    const before = { a: await all(far.a), elsewhere: await elsewhere() };
    attack(cast);
    await answered(cast);
    expect((await all(far.a)) - before.a).toBe(1);
    expect(await elsewhere()).toBe(before.elsewhere);

    const seen = attachmentOf(status, VM);
    expect(seen).toMatchObject({ engine: 'userspace', state: 'Enforced', ifindex: 0 });
    expect(conditionOf(status, 'Enforced')).toMatchObject({ status: 'True', reason: 'Verified' });
    const proc = readFileSync(`/proc/${String(seen?.enforced?.process?.pid)}/status`, 'utf8');
    expect(proc).toMatch(/Seccomp:\t2\n/);
    expect(proc).toMatch(/CapEff:\t0000000000000000\n/);
    expect(proc).toContain(`Uid:\t${String(engineUidOf(VM))}\t`); // nobody else's
    expect((await rental.host.exec(['ip', 'link', 'show', tap])).code).not.toBe(0);
  });

  test('[contract 1] [contract 2] kill -9 of the agent under traffic: what passes goes on, and the next agent adopts the same process', async () => {
    const { cast, seen, pid } = await running();
    const before = await elsewhere();
    await answered(cast);
    await agent.end('SIGKILL');
    attack(cast);
    await answered(cast);
    agent = rental.home.start();
    const status = await agent.until('Enforced again', isServed);
    attack(cast);
    await answered(cast);
    expect(attachmentOf(status, VM)?.enforced).toMatchObject({
      process: { pid },
      policyHash: seen.enforced?.policyHash,
      generation: seen.enforced?.generation,
    });
    expect(await elsewhere()).toBe(before);
  });

  test('[contract 8] another endpoint is one policy on; the kill switch lets nothing pass', async () => {
    const { cast, seen } = await running();
    apply(rental.home, { name: VM, endpoint: b });
    const moved = await agent.until('the other endpoint', isHeldTo(b));
    expect(attachmentOf(moved, VM)?.enforced?.generation).toBe((seen.enforced?.generation ?? 0) + 1);
    const before = { a: await all(far.a), b: await all(far.b) };
    guest?.send(fromGuest(cast), fromGuest({ ...cast, endpoint: b }));
    await poll('a datagram at B', async () => (await all(far.b)) > before.b);
    expect(await all(far.a)).toBe(before.a);

    apply(rental.home, { name: VM, endpoint: a, more: ['desiredState: Quarantined'] });
    await agent.until('quarantine', (status) => conditionOf(status, 'Enforced')?.reason === 'Quarantined');
    const closed = await all(far.a);
    guest?.send(fromGuest(cast), fromGuest({ ...cast, endpoint: b }));
    apply(rental.home, { name: VM, endpoint: a });
    await agent.until('released', (status) => conditionOf(status, 'Enforced')?.reason === 'Verified');
    await answered(cast);
    expect(await all(far.a)).toBe(closed + 1);
  });

  test('[contract 9] its network is withdrawn while it runs: denied, by the engine itself', async () => {
    const { cast } = await running();
    await answered(cast);
    withdraw(rental.home, VM);
    await agent.until('denied', (status) => attachmentOf(status, VM)?.state === 'Denied');
    const before = await all(far.a);
    const control = await NatControl.connect(place().control);
    expect(await control.status()).toMatchObject({ hasPolicy: false, guestConnected: true });
    guest?.send(fromGuest(cast));
    await poll('the frame judged', async () => (await control.status()).judged.fromVm > 0n);
    control.close();
    expect(await all(far.a)).toBe(before);
  });

  test('[contract 10] kill -9 of vmn-nat: EngineLost, nothing passes, and no other way opens; once the VM has ended it is forgotten', async () => {
    const { cast, pid } = await running();
    await answered(cast);
    const before = (await all(far.a)) + (await elsewhere());
    process.kill(pid, 'SIGKILL');
    const lost = await agent.until(
      'EngineLost',
      (status) => conditionOf(status, 'Enforced')?.status === 'False',
    );
    for (const type of ['Programmed', 'Enforced'])
      expect(conditionOf(lost, type)).toMatchObject({ status: 'False', reason: 'EngineLost' });
    expect(conditionOf(lost, 'Ready')).toMatchObject({ status: 'False' });
    expect(attachmentOf(lost, VM)).toMatchObject({ state: 'Error', engine: 'userspace', enforced: null });
    await guest?.ended();
    expect((await rental.host.exec(['ip', 'link', 'show', tap])).code).not.toBe(0);
    expect((await all(far.a)) + (await elsewhere())).toBe(before);
    run.kill('SIGTERM');
    await agent.until('a tap for the next start', (status) => attachmentOf(status, VM)?.engine === 'tcx');
  });

  test('an engine that is stopped is not said to enforce; when it goes on it is again', async () => {
    const { cast, pid } = await running();
    process.kill(pid, 'SIGSTOP');
    apply(rental.home, { name: VM, endpoint: a, more: ['endpointGraceSeconds: 1'] }); // a reason to look
    const lost = await agent.until(
      'EngineLost',
      (status) => conditionOf(status, 'Enforced')?.status === 'False',
    );
    expect(conditionOf(lost, 'Enforced')).toMatchObject({ reason: 'EngineLost' });
    process.kill(pid, 'SIGCONT');
    await agent.until('Enforced again', isServed);
    await answered(cast);
  });

  test('[contract 13] drain closes it and uninstall leaves it closed while its VM runs; once that has ended all of it goes', async () => {
    const { cast, pid } = await running();
    await answered(cast);
    await agent.end('SIGTERM');
    const ctl = (...words: string[]) =>
      vmnetctl([...words, ...rental.home.paths, '-o', 'json'], { prefix: rental.host.enter([]) });
    const refused = await ctl('uninstall');
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([
      1,
      { done: false, inUse: [{ tap, closed: false }] },
    ]);
    const drained = await ctl('drain');
    expect([drained.code, JSON.parse(drained.stdout)]).toMatchObject([
      0,
      { taps: [{ tap, outcome: 'closed' }] },
    ]);
    const before = await all(far.a);
    const control = await NatControl.connect(place().control);
    guest?.send(fromGuest(cast));
    await poll('the frame judged', async () => (await control.status()).judged.fromVm > 0n);
    control.close();
    expect(await all(far.a)).toBe(before);
    const again = await ctl('drain');
    expect(JSON.parse(again.stdout)).toMatchObject({ taps: [{ tap, outcome: 'was-closed' }] });
    const left = await ctl('uninstall', '--leave-closed');
    expect([left.code, JSON.parse(left.stdout)]).toMatchObject([
      0,
      { done: true, inUse: [{ tap, closed: true }] },
    ]);
    expect(existsSync(`/proc/${String(pid)}`)).toBe(true);

    run.kill('SIGKILL'); // the idle program stays, and is no VM
    guest?.close();
    const last = await poll('nobody at the engine', async () => {
      const { code, stdout } = await ctl('uninstall');
      return code === 0 ? stdout : null;
    });
    expect(JSON.parse(last)).toMatchObject({
      removed: expect.arrayContaining([
        { what: 'engine', on: tap },
        { what: 'record', on: tap },
      ]) as unknown,
    });
    expect(existsSync(`/proc/${String(pid)}`)).toBe(false);
    expect([rental.home.stateDir, rental.home.runDir].map((dir) => existsSync(dir))).toEqual([false, false]);
  });

  test('a real QEMU is known by its end of the stream, outlives who started it, and takes the engine with it', async () => {
    start('qemu-system-x86_64', '-S', '-nodefaults', '-display', 'none', '-m', '32');
    const status = await agent.until('Enforced', isServed);
    const pid = attachmentOf(status, VM)?.enforced?.process?.pid ?? 0;
    const qemu = await poll('QEMU', async () => {
      const { stdout } = await rental.host.exec(['pgrep', '-P', String(run.pid), 'qemu']);
      return Number(stdout.trim()) || null;
    });
    const control = await poll('QEMU at the engine', async () => {
      const one = await NatControl.connect(place().control);
      if ((await one.status()).guestConnected) return one;
      one.close();
      return null;
    });
    control.close();
    run.kill('SIGKILL');
    await agent.end('SIGKILL');
    agent = rental.home.start(); // it looks for all VMs at its start, and finds one without a tap
    apply(rental.home, { name: VM, endpoint: b });
    const held = await agent.until('the other endpoint', isHeldTo(b));
    expect(held.problems).toEqual([]);
    expect(conditionOf(held, 'Enforced')).toMatchObject({ status: 'True' });
    expect(attachmentOf(held, VM)?.enforced?.process?.pid).toBe(pid);
    process.kill(qemu, 'SIGKILL');
    await agent.until('a tap for the next start', (now) => attachmentOf(now, VM)?.engine === 'tcx');
    expect(existsSync(`/proc/${String(pid)}`)).toBe(false);
  });
});
