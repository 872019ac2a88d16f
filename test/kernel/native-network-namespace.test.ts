import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { inNetworkNamespace, ownNetworkNamespace } from '../../src/native/network-namespace.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { Lab, type Namespace } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** The main thread's visits to another network namespace. */
let lab: Lab;
let host: Namespace;
let far: Namespace;
let farFd: number;
let home: string;
let away: string;
let leave: () => void;
beforeAll(async () => {
  lab = await Lab.create('visit');
  host = await lab.namespace('host');
  far = await lab.namespace('far');
  await far.run(['ip', 'link', 'add', 'far-only', 'type', 'bridge']);
  farFd = openSync(far.path, 'r');
  leave = moveInto(host);
  home = (await host.run(['readlink', '/proc/self/ns/net'])).trim();
  away = (await far.run(['readlink', '/proc/self/ns/net'])).trim();
}, 30_000);
afterAll(async () => {
  if (farFd !== undefined) closeSync(farFd);
  leave?.();
  await lab?.close();
}, 30_000);

const MODULE = JSON.stringify(new URL('../../src/native/network-namespace.ts', import.meta.url).href);

test('what is done there is done there, and its result comes back with the thread', () => {
  expect(inNetworkNamespace(farFd, () => [ownNetworkNamespace(), linkByName('far-only')?.name])).toEqual([
    away,
    'far-only',
  ]);
  expect([ownNetworkNamespace(), linkByName('far-only')]).toEqual([home, null]);
});

test('what is thrown there is thrown here as it is, and the thread is at home', () => {
  // Of the shape that failures of the addon have, too.
  const thrown = Object.assign(new Error('by the work'), { code: 'EPERM', errno: -1, syscall: 'open' });
  const failing = (): never => {
    throw thrown;
  };
  expect(() => inNetworkNamespace(farFd, failing)).toThrow(thrown);
  expect(ownNetworkNamespace()).toBe(home);
});

test('a visit within a visit ends where it began', () => {
  const homeFd = openSync('/proc/thread-self/ns/net', 'r');
  const seen = inNetworkNamespace(farFd, () => {
    const inner = inNetworkNamespace(homeFd, ownNetworkNamespace);
    return [inner, ownNetworkNamespace()];
  });
  closeSync(homeFd);
  expect(seen).toEqual([home, away]);
  expect(ownNetworkNamespace()).toBe(home);
});

test('what cannot be entered is an error, asynchronous work too, and nobody has left', () => {
  const notOne = openSync('/dev/null', 'r');
  const work = { done: false };
  expect(() => inNetworkNamespace(notOne, () => (work.done = true))).toThrow(
    expect.objectContaining({ code: 'VMN_NETLINK', attempted: 'enter a network namespace' }),
  );
  closeSync(notOne);
  expect(work.done).toBe(false);
  expect(() => inNetworkNamespace(farFd, () => Promise.resolve())).toThrow(TypeError);
  expect(ownNetworkNamespace()).toBe(home);
});

test('timers and asynchronous work never see the other namespace while it is visited 1,000 times', async () => {
  const seen = new Set<string>();
  let over = false;
  let looks = 0;
  const look = async (): Promise<void> => {
    while (!over) {
      seen.add(ownNetworkNamespace());
      // On a thread of the pool, while this one visits.
      seen.add(await readlink('/proc/thread-self/ns/net'));
      await new Promise((resolve) => setTimeout(resolve));
      looks += 1;
    }
  };
  const looking = [look(), look(), look()];
  const pool = await readlink('/proc/thread-self/ns/net');
  for (let i = 0; i < 1000; i++) {
    expect(inNetworkNamespace(farFd, ownNetworkNamespace)).toBe(away);
    if (i % 5 === 0) await new Promise(setImmediate);
  }
  over = true;
  await Promise.all(looking);
  expect(looks).toBeGreaterThan(3);
  expect(away).not.toBe(pool);
  // The threads of the pool were started before this test moved into its namespace.
  expect([...seen].sort()).toEqual([...new Set([home, pool])].sort());
});

test('1,000 visits leave no descriptor and no thread, failing ones neither', () => {
  const count = (): number[] => ['fd', 'task'].map((what) => readdirSync(`/proc/self/${what}`).length);
  const notOne = openSync('/dev/null', 'r');
  const before = count();
  for (let i = 0; i < 1000; i++) {
    inNetworkNamespace(farFd, () => undefined);
    expect(() => inNetworkNamespace(notOne, () => undefined)).toThrow();
  }
  expect(count()).toEqual(before);
  closeSync(notOne);
});

test('a way back that fails ends the process before anything else runs', async () => {
  const code = `
    const { inNetworkNamespace } = await import(${MODULE});
    const { openSync } = await import('node:fs');
    setImmediate(() => console.log('the loop went on'));
    const far = openSync(${JSON.stringify(far.path)}, 'r');
    try {
      // Who is no longer root may not enter any namespace, the own one neither.
      inNetworkNamespace(far, () => process.seteuid(65534));
    } finally {
      console.log('JavaScript went on');
    }`;
  const {
    stdout,
    stderr,
    code: exit,
  } = await host.exec([process.execPath, '--input-type=module-typescript', '-e', code]);
  expect(exit).toBe(-1);
  expect(stderr).toContain('no way back to our own network namespace');
  expect(stdout).toBe('');
});

test('libuv’s threads are of our own namespace, wherever the first that needs one is', async () => {
  const child = startChild(
    host,
    `
    const { inNetworkNamespace, startThreadsHere } = await import(${MODULE});
    const { openSync, readdirSync, readlinkSync, stat } = await import('node:fs');
    const far = openSync(${JSON.stringify(far.path)}, 'r');
    startThreadsHere();
    inNetworkNamespace(far, () => stat('/', () => undefined));
    const threads = readdirSync('/proc/self/task');
    say([...new Set(threads.map((id) => readlinkSync('/proc/self/task/' + id + '/ns/net')))]);
    `,
  );
  expect(await child.next()).toEqual([home]);
  expect(await child.end()).toBe(0);
}, 20_000);

test('without CAP_SYS_ADMIN the error says so, and what to do', async () => {
  const child = startChild(
    host,
    `
    const { inNetworkNamespace } = await import(${MODULE});
    const { openSync } = await import('node:fs');
    const far = openSync(${JSON.stringify(far.path)}, 'r');
    say(caught(() => inNetworkNamespace(far, () => 'inside')));
    `,
    ['setpriv', '--bounding-set', '-sys_admin'],
  );
  expect(await child.next()).toMatchObject({
    code: 'VMN_CAPABILITY',
    remedy: expect.stringContaining('CAP_SYS_ADMIN'),
  });
  expect(await child.end()).toBe(0);
  expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
}, 20_000);
