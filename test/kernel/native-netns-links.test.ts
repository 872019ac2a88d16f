import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { linksIn, watchLinksIn } from '../../src/native/netns-links.ts';
import { linkByName, links } from '../../src/native/rtnetlink.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** What is seen of another network namespace from this one, held against what `ip` says there. */
let lab: Lab;
let host: Namespace;
let far: Namespace;
let farFd: number;
let leave: () => void;
beforeAll(async () => {
  lab = await Lab.create('nsl');
  host = await lab.namespace('host');
  far = await lab.namespace('far');
  await far.run(['ip', 'link', 'add', 'far-only', 'type', 'bridge']);
  farFd = openSync(far.path, 'r');
  leave = moveInto(host);
}, 30_000);
afterAll(async () => {
  if (farFd !== undefined) closeSync(farFd);
  leave?.();
  await lab?.close();
}, 30_000);

test('the links of another namespace are listed, and those of our own with null', async () => {
  const shown = JSON.parse(await far.run(['ip', '-json', 'link'])) as { ifname: string; ifindex: number }[];
  expect(linksIn(farFd).map(({ name, ifindex }) => [name, ifindex])).toEqual(
    shown.map(({ ifname, ifindex }) => [ifname, ifindex]),
  );
  expect(linksIn(null)).toEqual(links());
  expect(linkByName('far-only')).toBeNull();
});

test('this thread stays where it is, whatever happens in between', () => {
  const home = readlinkSync('/proc/thread-self/ns/net');
  linksIn(farFd);
  const notOne = openSync('/dev/null', 'r');
  expect(() => linksIn(notOne)).toThrow(expect.objectContaining({ code: 'VMN_NETLINK' }));
  expect(() => watchLinksIn(notOne, () => undefined)).toThrow(
    expect.objectContaining({ code: 'VMN_NETLINK' }),
  );
  closeSync(notOne);
  expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
});

test('a watch calls back for links of its namespace, not for those of another, nor for routes, nor when closed', async () => {
  let calls = { far: 0, own: 0 };
  const watches = [
    watchLinksIn(farFd, () => void (calls.far += 1)),
    watchLinksIn(null, () => void (calls.own += 1)),
  ];
  await far.run(['ip', 'link', 'add', 'seen', 'type', 'bridge']);
  await poll('a call', () => calls.far > 0);
  expect(calls.own).toBe(0);
  await host.run(['ip', 'link', 'add', 'seen', 'type', 'bridge']);
  await poll('a call', () => calls.own > 0);
  await poll('quiet', async () => {
    calls = { far: 0, own: 0 };
    await far.run(['ip', 'route', 'add', 'unreachable', '100.64.9.9/32']);
    await far.run(['ip', 'route', 'del', 'unreachable', '100.64.9.9/32']);
    return calls.far === 0 && calls.own === 0;
  });
  for (const watch of watches) watch.close();
  calls = { far: 0, own: 0 };
  await far.run(['ip', 'link', 'del', 'seen']);
  await host.run(['ip', 'link', 'del', 'seen']);
  await new Promise(setImmediate);
  expect(calls).toEqual({ far: 0, own: 0 });
});

test('looking and watching leave nothing open', async () => {
  linksIn(farFd);
  await new Promise(setImmediate);
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const threads = (): number => readdirSync('/proc/self/task').length;
  const before = [descriptors(), threads()];
  for (let i = 0; i < 300; i++) {
    linksIn(farFd);
    watchLinksIn(farFd, () => undefined).close();
    if (i % 100 === 0) await new Promise(setImmediate);
  }
  await poll('all to be closed', () => descriptors() <= before[0]! && threads() <= before[1]!);
});

test('without CAP_SYS_ADMIN another namespace is refused with what to do, and our own is not', async () => {
  const child = startChild(
    host,
    `
    const { linksIn, watchLinksIn } = await import(${JSON.stringify(new URL('../../src/native/netns-links.ts', import.meta.url).href)});
    const { openSync } = await import('node:fs');
    const fd = openSync(${JSON.stringify(far.path)}, 'r');
    say(caught(() => linksIn(fd)));
    say(caught(() => watchLinksIn(fd, () => undefined)));
    say(caught(() => linksIn(null).length > 0));
    `,
    ['setpriv', '--bounding-set', '-sys_admin'],
  );
  const refused = expect.objectContaining({
    code: 'VMN_CAPABILITY',
    remedy: expect.stringContaining('CAP_SYS_ADMIN'),
  });
  expect(await child.next()).toEqual(refused);
  expect(await child.next()).toEqual(refused);
  expect(await child.next()).toEqual({ value: true });
  expect(await child.end()).toBe(0);
}, 20_000);
