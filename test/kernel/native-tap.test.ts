import { closeSync, readSync, writeSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { deleteLink, linkByName, setLink } from '../../src/native/rtnetlink.ts';
import { createTap, openTap, persistTap } from '../../src/native/tap.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

const NAME = 'vmn-0123456789';

let lab: Lab;
let host: Namespace;
let leave: () => void;
beforeAll(async () => {
  lab = await Lab.create('tap');
  host = await lab.namespace('host');
  leave = moveInto(host);
}, 30_000);
afterAll(async () => {
  leave?.();
  await lab?.close();
}, 30_000);
afterEach(() => {
  const link = linkByName(NAME);
  if (link !== null) deleteLink(link.ifindex);
});

describe('a tap', () => {
  test('vanishes with its descriptor until it is made persistent', () => {
    const { fd, ifindex } = createTap(NAME);
    expect(linkByName(NAME)).toMatchObject({ ifindex, kind: 'tun', up: false, carrier: true, mtu: 1500 });
    closeSync(fd);
    expect(linkByName(NAME)).toBeNull();
    const again = createTap(NAME);
    persistTap(again.fd);
    closeSync(again.fd);
    expect(linkByName(NAME)).toMatchObject({ ifindex: again.ifindex, carrier: false });
  });

  test('is never taken from whoever has the name', () => {
    const { fd } = createTap(NAME);
    expect(() => createTap(NAME)).toThrow(expect.objectContaining({ code: 'VMN_TAP_IN_USE', on: NAME }));
    expect(() => createTap('lo')).toThrow(expect.objectContaining({ attempted: 'create the tap', on: 'lo' }));
    persistTap(fd);
    closeSync(fd);
    expect(() => createTap(NAME)).toThrow(expect.objectContaining({ code: 'VMN_TAP_IN_USE' }));
  });

  test('is opened by one at a time, and only if it exists', () => {
    expect(() => openTap(NAME)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining('no such tap') }),
    );
    expect(linkByName(NAME)).toBeNull();
    const { fd } = createTap(NAME);
    expect(() => openTap(NAME)).toThrow(expect.objectContaining({ code: 'VMN_TAP_IN_USE' }));
    persistTap(fd);
    closeSync(fd);
    const opened = openTap(NAME, { vnetHeader: true });
    expect(linkByName(NAME)?.carrier).toBe(true);
    closeSync(opened);
    closeSync(openTap(NAME));
  });

  test('carries whole frames both ways without blocking', async () => {
    const { fd, ifindex } = createTap(NAME);
    setLink(ifindex, { mac: CAST.gatewayMac, up: true });
    const buffer = new Uint8Array(2048);
    await poll('silence', () => {
      try {
        readSync(fd, buffer);
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'EAGAIN';
      }
    });
    expect(writeSync(fd, fromGuest(CAST))).toBe(fromGuest(CAST).length);
    closeSync(fd);
  });

  test.each(['', 'a-name-of-16-chars', 'vmn-%d'])('cannot be called %j', (name) => {
    expect(() => createTap(name)).toThrow(expect.objectContaining({ attempted: 'create the tap' }));
  });

  test('belongs to nobody else when it is to be opened by a user', async () => {
    const { fd } = createTap(NAME);
    persistTap(fd, 65534);
    closeSync(fd);
    const [shown] = JSON.parse(await host.run(['ip', '-json', '-details', 'link', 'show', NAME])) as {
      linkinfo: { info_data: { user: string; persist: boolean } };
    }[];
    expect(shown?.linkinfo.info_data).toMatchObject({ user: 'nobody', persist: true });
  });

  requires(executable('qemu-system-x86_64')).test(
    'made by us is opened by QEMU, which then is the only one',
    async () => {
      const { fd } = createTap(NAME);
      persistTap(fd);
      closeSync(fd);
      const qemu = host.spawn(
        [
          ...[
            'qemu-system-x86_64',
            '-S',
            '-machine',
            'pc,accel=tcg',
            '-m',
            '16',
            '-nodefaults',
            '-display',
            'none',
          ],
          ...['-netdev', `tap,id=vmn0,ifname=${NAME},script=no,downscript=no,vhost=off`],
          ...['-device', `virtio-net-pci,netdev=vmn0,mac=${CAST.guestMac}`],
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
      await poll('QEMU to open the tap', () => linkByName(NAME)?.carrier, { deadlineMs: 30_000 });
      expect(() => openTap(NAME)).toThrow(expect.objectContaining({ code: 'VMN_TAP_IN_USE' }));
      qemu.kill('SIGKILL');
      await poll('the tap to be free', () => linkByName(NAME)?.carrier === false);
      closeSync(openTap(NAME));
    },
    60_000,
  );
});
