/** What the filter tells of a real tunnel: two WireGuards over a filtered link, and a guest that pretends to be one. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { tunnelSigns } from '../../src/agent/host/tunnel-signs.ts';
import { tunnelStatus } from '../../src/agent/status/tunnel.ts';
import { ADDON_PATH } from '../../src/native/addon.ts';
import { ensureBpffs, removePins, removeRootIfEmpty } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  replaceFilter,
  testRun,
  tunnelSeen,
  writePolicy,
  type Direction,
} from '../../src/native/filter-engine.ts';
import { decodePolicy } from '../../src/native/policy-abi.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import type { TunnelSeen } from '../../src/native/tunnel.ts';
import { CAST, fromGuest, toGuest } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { wireGuardMessage, type MessageFields } from '../support/frames/wireguard.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { Recording, SCENE } from './explain-recording.ts';
import { newKeys, startPeer } from './wireguard-peer.ts';

const { describe } = requires(
  root,
  executable('wireguard-go'),
  executable('wg'),
  executable('ping'),
  executable('python3'),
  file('/dev/net/tun', 'modprobe tun'),
  file(ADDON_PATH, 'make build'),
);

const GUEST_PORT = 40_000;
const SECOND_NS = 1_000_000_000n;
const policy = policyBytes({ ...SCENE, endpoint: { address: SCENE.consumer, port: SCENE.port } });

/** Answers each initiation that it hears by its index, with no key, and goes on as if there were a session. */
const FORGER = `
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', ${String(GUEST_PORT)}))
while True:
    said, sender = s.recvfrom(2048)
    if len(said) == 148:
        mine = os.urandom(4)
        s.sendto(b'\\2\\0\\0\\0' + mine + said[4:8] + os.urandom(80), sender)
        s.sendto(b'\\4\\0\\0\\0' + said[4:8] + bytes(24), sender)
`;

describe('the tunnel of a VM', () => {
  let lab: Lab;
  let guest: Namespace;
  let world: Namespace;
  let bpffs: string;
  let pinDir: string;
  let leave: () => void;

  beforeAll(async () => {
    lab = await Lab.create('tunnel');
    ({ guest, world } = await Recording.open(lab));
    const toGuest = [`${SCENE.guestAddress}/32`, 'dev', 'tap', 'src', SCENE.consumer];
    await world.run(['ip', 'route', 'replace', ...toGuest]);
    // The guest is not asked for its address: see ArpFromHost.
    const { guestAddress, guestMac } = SCENE;
    await world.run(['ip', 'neigh', 'replace', guestAddress, 'lladdr', guestMac, 'dev', 'tap']);
    bpffs = `/sys/fs/bpf/vmnet-n-${String(process.pid)}-tunnel`;
    pinDir = `${bpffs}/vmn-tunnel`;
    lab.undoLater(`rm -rf ${bpffs}`);
    ensureBpffs(bpffs);
    leave = moveInto(world);
  }, 60_000);
  beforeEach(() => {
    removePins(pinDir, { attachedToo: true });
    attachFilter(pinDir, ifindex());
    writePolicy(pinDir, policy);
  });
  afterAll(async () => {
    removePins(pinDir, { attachedToo: true });
    removeRootIfEmpty(bpffs);
    leave?.();
    await lab?.close();
  }, 30_000);

  const ifindex = (): number => linkByName('tap')?.ifindex ?? 0;
  const seen = (): TunnelSeen => {
    const told = tunnelSeen(pinDir);
    if (told === null) throw new Error('the filter does not look');
    return told;
  };
  const statusAfter = (passedNs: bigint): string => {
    const signs = tunnelSigns(seen(), process.hrtime.bigint() + passedNs);
    const { status, reason } = tunnelStatus(decodePolicy(policy), signs, new Date().toISOString());
    return `${status} ${reason}`;
  };

  test('answers that the guest makes up, without a key, are no handshake', async () => {
    const [mine, theirs] = [await newKeys(guest), await newKeys(world)];
    expect(statusAfter(0n)).toBe('False NoHandshake');
    const forger = guest.spawn(['python3', '-c', FORGER], { stdio: 'ignore' });
    const name = await startPeer(lab, world, 'f', {
      keys: { own: theirs.key, peer: mine.pub },
      address: '10.99.0.1/24',
      own: ['listen-port', String(SCENE.port)],
      peer: ['endpoint', `${SCENE.guestAddress}:${String(GUEST_PORT)}`, 'persistent-keepalive', '1'],
    });
    // The consumer asks again only when it took no answer, with an index that the first answer was not for.
    const first = await poll('a forged answer', () => seen().offered.timeNs !== 0n && seen());
    await poll(
      'the consumer to ask again',
      () => seen().askedByConsumer.sender !== first.askedByConsumer.sender,
      {
        deadlineMs: 20_000,
      },
    );
    expect(seen()).toMatchObject({ handshakes: 0n, session: { timeNs: 0n }, used: null });
    expect(statusAfter(0n)).toBe('False NoHandshake');
    forger.kill();
    await world.run(['ip', 'link', 'delete', name]);
  }, 60_000);

  test('is there after a real handshake, goes on in a filter that takes the place of this one, and ages', async () => {
    const [mine, theirs] = [await newKeys(guest), await newKeys(world)];
    await startPeer(lab, world, 'w', {
      keys: { own: theirs.key, peer: mine.pub },
      address: '10.99.0.1/24',
      own: ['listen-port', String(SCENE.port)],
    });
    await startPeer(lab, guest, 'g', {
      keys: { own: mine.key, peer: theirs.pub },
      address: '10.99.0.2/24',
      own: ['listen-port', String(GUEST_PORT)],
      peer: ['endpoint', `${SCENE.consumer}:${String(SCENE.port)}`, 'persistent-keepalive', '25'],
    });
    await guest.run(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', '10.99.0.1']);
    const found = await poll(
      'data both ways',
      () => seen().dataToVmNs !== 0n && seen().dataFromVmNs !== 0n && seen(),
    );
    expect(found).toMatchObject({ address: SCENE.consumer, port: SCENE.port, used: found.session.vmIndex });
    expect(await guest.run(['wg', 'show', 'all', 'latest-handshakes'])).not.toMatch(/\t0$/m);
    expect(statusAfter(0n)).toBe('True HandshakeSeen');
    expect(statusAfter(181n * SECOND_NS)).toBe('Unknown Idle');

    replaceFilter(pinDir, ifindex(), policy);
    expect(seen().session).toEqual(found.session);
    expect(statusAfter(0n)).toBe('True HandshakeSeen');
  }, 60_000);

  test('shows by data in the tick of a handshake, and of data the other way, which are looked at all the same', () => {
    const cast = { ...CAST, guestAddress: SCENE.guestAddress };
    const say = (direction: Direction, fields: MessageFields): void => {
      const twist = { udp: { payload: wireGuardMessage(fields) } };
      const frame = direction === 'from-vm' ? fromGuest(cast, twist) : toGuest(cast, twist);
      expect(symbolOf(testRun(pinDir, direction, frame).reason)).toBe('ALLOWED');
    };
    const [consumer, vm] = [21, 22];
    // All of it well within the 4 ms, or what a tick may be, in which data is looked at but once.
    say('to-vm', { type: 4, receiver: 7 });
    say('to-vm', { type: 1, sender: consumer });
    say('from-vm', { type: 2, sender: vm, receiver: consumer });
    say('to-vm', { type: 4, receiver: vm });
    say('from-vm', { type: 4, receiver: consumer });
    const first = seen();
    expect(first).toMatchObject({ handshakes: 1n, used: vm });
    expect(first.dataFromVmNs).toBeGreaterThan(first.session.timeNs);
    say('from-vm', { type: 1, sender: vm + 1 });
    say('from-vm', { type: 4, receiver: consumer });
    say('to-vm', { type: 4, receiver: vm });
    expect(seen().dataFromVmNs).toBeGreaterThan(first.dataFromVmNs);
    expect(seen().dataToVmNs).toBeGreaterThan(first.dataToVmNs);
  });

  test('is not known of a filter that does not look, until one that does takes its place', () => {
    rmSync(`${pinDir}/tunnel`);
    expect(tunnelSeen(pinDir)).toBeNull();
    replaceFilter(pinDir, ifindex(), policy);
    expect(seen()).toMatchObject({ address: '0.0.0.0', handshakes: 0n });
  });
});
