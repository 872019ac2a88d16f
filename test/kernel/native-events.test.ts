import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  openEvents,
  testRun,
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
/** The kernel sends at most one event in this time, for each reason, direction and CPU. */
const INTERVAL_MS = 100;

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
  await poll('an event', () => {
    held.send(forbidden);
    return seen.length > 0;
  });
  events.close();
  const [event] = seen;
  expect(event).toMatchObject({
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
  await poll('a call', () => {
    held.send(forbidden);
    return calls > 0;
  });
  events.close();
  for (let i = 0; i < 10; i++) testRun(held.pinDir, 'from-vm', forbidden);
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
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
      setInterval(() => engine.testRun(${JSON.stringify(held.pinDir)}, 'from-vm', new Uint8Array(60)), 20);
    `,
  );
  expect(await throwing.next()).toBe('mine');
  expect(await throwing.end()).toBe(4);
}, 30_000);

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
