import { rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  counters,
  eventLoss,
  openEvents,
  replaceFilter,
  testRun,
  violations,
  writePolicy,
  type FilterEvent,
} from '../../src/native/filter-engine.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { poll } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { HeldTap } from '../support/native/held-tap.ts';

const forbidden = fromGuest(CAST, { ip: { destination: STRANGER.address } });
/** Every frame of these is the first of its kind: the guest's port and the stranger's differ. */
let nextPort = 1024;
const unheardOf = (): Uint8Array => {
  nextPort += 1;
  return fromGuest(CAST, { ip: { destination: STRANGER.address }, udp: { sourcePort: nextPort } });
};

/** Source port of the frame. The ring may still hold events of what was sent before. */
const port = (event: FilterEvent): number => Buffer.from(event.head).readUInt16BE(34);

let held: HeldTap;
const open: { close(): void }[] = [];
afterEach(() => {
  for (const events of open.splice(0)) events.close();
});
beforeAll(async () => {
  held = await HeldTap.open('events');
}, 30_000);
afterAll(async () => {
  if (held !== undefined) removePins(held.pinDir, { attachedToo: true });
  await held?.close();
}, 30_000);
beforeEach(() => {
  // Afresh each time: what was told is not told again for ten seconds.
  removePins(held.pinDir, { attachedToo: true });
  attachFilter(held.pinDir, held.ifindex);
  writePolicy(held.pinDir, policyBytes({ ...PINNED, generation: 42n }));
});

test('before any filter was attached are an error that says so', () => {
  expect(() => openEvents(`${held.root}/nowhere`, () => undefined)).toThrow(
    expect.objectContaining({ code: 'VMN_BPF_MAP', remedy: expect.stringContaining('first filter') }),
  );
});

test('tell of a dropped frame: when, where, why, by which policy, and its first bytes', async () => {
  const seen: FilterEvent[] = [];
  const events = openEvents(held.root, (event) => seen.push(event));
  open.push(events);
  const before = process.hrtime.bigint();
  held.send(forbidden);
  await poll('an event', () => seen.length > 0);
  events.close();
  const [event] = seen;
  expect(event).toMatchObject({
    kind: 'drop',
    audited: false,
    generation: 42n,
    ifindex: held.ifindex,
    frameBytes: forbidden.length,
    direction: 'from-vm',
  });
  expect(symbolOf(event?.reason ?? 0)).toBe('DESTINATION_ADDRESS');
  expect(Buffer.from(event?.head ?? [])).toEqual(Buffer.from(forbidden.subarray(0, 64)));
  expect(event?.timeNs).toBeGreaterThan(before);
  expect(event?.timeNs).toBeLessThan(process.hrtime.bigint());
});

test('may be closed from within the callback, and twice; afterwards nothing is called', async () => {
  let calls = 0;
  const events = openEvents(held.root, () => {
    calls += 1;
    events.close();
  });
  open.push(events);
  held.send(unheardOf());
  await poll('a call', () => calls > 0);
  events.close();
  for (let i = 0; i < 10; i++) testRun(held.pinDir, 'from-vm', unheardOf());
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(calls).toBe(1);
});

test('keep a process alive while open, and no longer; what a callback throws ends it', async () => {
  const root = JSON.stringify(held.root);
  const closing = startChild(
    held.host,
    `
      const events = engine.openEvents(${root}, () => undefined);
      const watch = rtnetlink.watchLinks(() => undefined);
      setTimeout(() => { events.close(); watch.close(); say('closed'); }, 50);
    `,
  );
  expect(await closing.next()).toBe('closed');
  expect(await closing.end()).toBe(0);
  const leaving = startChild(
    held.host,
    `engine.openEvents(${root}, () => undefined); rtnetlink.watchLinks(() => undefined); process.exit(3);`,
  );
  expect(await leaving.end()).toBe(3);
  const throwing = startChild(
    held.host,
    `
      process.on('uncaughtException', (error) => { say(error.message); process.exit(4); });
      engine.openEvents(${root}, () => { throw new Error('mine'); });
      let length = 60;
      setInterval(() => engine.testRun(${JSON.stringify(held.pinDir)}, 'from-vm', new Uint8Array(60).fill(length++)), 20);
    `,
  );
  expect(await throwing.next()).toBe('mine');
  expect(await throwing.end()).toBe(4);
}, 30_000);

test('tell the first frame of each kind once, however many follow', async () => {
  const seen: FilterEvent[] = [];
  open.push(openEvents(held.root, (event) => seen.push(event)));
  const frame = unheardOf();
  const last = unheardOf();
  // Each CPU remembers for itself what it has told; this thread may be moved to another one.
  for (let i = 0; i < 2000; i++) held.send(frame);
  held.send(last);
  await poll('the last event', () => seen.some((event) => port(event) === nextPort));
  expect(seen.filter((event) => port(event) === nextPort - 1).length).toBeLessThanOrEqual(cpus().length);
  expect(counters(held.pinDir)[0]?.packets).toBe(2001n);
});

test('beyond 32 a second for each CPU are not told, but counted as such; no frame is left out of both', async () => {
  const seen: FilterEvent[] = [];
  const first = nextPort + 1;
  open.push(openEvents(held.root, (event) => port(event) >= first && seen.push(event)));
  const before = process.hrtime.bigint();
  for (let i = 0; i < 1000; i++) held.send(unheardOf());
  const seconds = Math.ceil(Number(process.hrtime.bigint() - before) / 1e9) + 1;
  const { suppressed, lost } = eventLoss(held.pinDir);
  expect(lost).toBe(0n);
  expect(suppressed).toBeGreaterThanOrEqual(BigInt(1000 - 32 * seconds * cpus().length));
  await poll('the events that were told', () => seen.length === 1000 - Number(suppressed));
  // They are no reasons: the counters of frames do not show them.
  expect(counters(held.pinDir)).toHaveLength(1);
});

test('that find the ring full are counted as lost, and their frames are dropped and counted all the same', async () => {
  removePins(held.pinDir, { attachedToo: true });
  rmSync(`${held.root}/events`);
  // Room for 39 events; nobody reads it.
  const tiny = [
    'bpftool',
    'map',
    'create',
    `${held.root}/events`,
    'type',
    'ringbuf',
    'key',
    '0',
    'value',
    '0',
  ];
  await held.host.run([...tiny, 'entries', '4096', 'name', 'events']);
  attachFilter(held.pinDir, held.ifindex);
  let sent = 0;
  await poll(
    'a lost event',
    () => {
      for (let i = 0; i < 40; i++, sent++) held.send(unheardOf());
      return eventLoss(held.pinDir).lost > 0n;
    },
    { deadlineMs: 20_000 },
  );
  expect(counters(held.pinDir)[0]?.packets).toBe(BigInt(sent));
  removePins(held.pinDir, { attachedToo: true });
  rmSync(`${held.root}/events`);
}, 30_000);

test('violations that reach the threshold are an event of their own, and counted across a replacement', async () => {
  const seen: FilterEvent[] = [];
  const policy = policyBytes({ ...PINNED, generation: 42n, violation: { threshold: 5, windowMs: 60_000 } });
  writePolicy(held.pinDir, policy);
  open.push(openEvents(held.root, (event) => seen.push(event)));
  const crossed = (): number => seen.filter(({ kind }) => kind === 'violations').length;
  for (let i = 0; i < 4; i++) held.send(unheardOf());
  expect(violations(held.pinDir)).toEqual({ crossings: 0n });
  held.send(forbidden);
  expect(violations(held.pinDir)).toEqual({ crossings: 1n });
  await poll('the event', () => crossed() === 1);
  const [event] = seen.filter(({ kind }) => kind === 'violations');
  expect(event).toMatchObject({ direction: 'from-vm', generation: 42n, audited: false });
  expect(Buffer.from(event?.head ?? [])).toEqual(Buffer.from(forbidden.subarray(0, 64)));
  // As long as it does not calm down it is told once.
  replaceFilter(held.pinDir, held.ifindex, policy);
  for (let i = 0; i < 20; i++) held.send(forbidden);
  expect(violations(held.pinDir)).toEqual({ crossings: 1n });
  expect(crossed()).toBe(1);
});

test('of a policy that counts and does not enforce say that the frame passed', async () => {
  const seen: FilterEvent[] = [];
  writePolicy(held.pinDir, policyBytes({ ...PINNED, audit: true }));
  open.push(openEvents(held.root, (event) => seen.push(event)));
  const before = await held.passed(STRANGER.address);
  held.send(unheardOf());
  const told = (): FilterEvent | undefined => seen.find((event) => port(event) === nextPort);
  await poll('the event', () => told() !== undefined);
  expect(told()).toMatchObject({ kind: 'drop', audited: true });
  expect(await held.passed(STRANGER.address)).toBe(before + 1);
  const [line] = counters(held.pinDir);
  expect({ ...line, reason: symbolOf(line?.reason ?? 0) }).toMatchObject({
    direction: 'from-vm',
    reason: 'DESTINATION_ADDRESS',
    audited: true,
    packets: 1n,
  });
});

test('wait without a busy loop', async () => {
  const idle = startChild(
    held.host,
    `
      const events = engine.openEvents(${JSON.stringify(held.root)}, () => undefined);
      const before = process.cpuUsage();
      setTimeout(() => { const { user, system } = process.cpuUsage(before); say(user + system); events.close(); }, 1000);
    `,
  );
  expect(await idle.next<number>()).toBeLessThan(200_000);
  await idle.end();
}, 30_000);
