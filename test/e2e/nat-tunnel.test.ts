import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { GATEWAY_MAC } from '../../src/agent/wiring/identity.ts';
import { parseGuest } from '../../src/cloudinit/documents/guest.ts';
import { seedDocuments } from '../../src/cloudinit/documents/seed-documents.ts';
import { writeSeedImage } from '../../src/cloudinit/seed-image/image-file.ts';
import { noCloudFiles } from '../../src/cloudinit/seed-image/no-cloud.ts';
import type { NatControl } from '../../src/native/nat-control.ts';
import { bootDebian, booted, ownDevices } from '../support/debian-guest/boot.ts';
import { CONSUMER_INSIDE, keyPair } from '../support/debian-guest/consumer-tunnel.ts';
import { ensureDebianImage } from '../support/debian-guest/image.ts';
import { DebianStage, ENDPOINT, GATEWAY } from '../support/debian-guest/stage.ts';
import { mebibyteThroughTunnel } from '../support/debian-guest/tunnel-echo.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import type { Guest } from '../support/guest/index.ts';
import { Lab, poll } from '../support/lab/index.ts';
import { byReason } from '../support/nat/bed.ts';
import { Engine } from '../support/nat/engine.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// A real Debian whose WireGuard speaks through vmn-nat alone, which runs as a user without rights. QEMU, cables and the consumer's
// WireGuard are root's, as in provisioning.test.ts.

/** A cold cache, then a boot under emulation. */
const OPEN_TIMEOUT_MS = 600_000;
const VM = { mac: '02:76:00:00:de:03', address: '100.64.0.9', inside: '10.99.0.4' };

const tools = ['qemu-system-x86_64', 'apt-get', 'mmdebstrap', 'mkfs.ext4', 'wireguard-go', 'wg', 'setpriv'];
const { describe, test } = requires(root, ...tools.map(executable));

describe('a real Debian behind vmn-nat', () => {
  let lab: Lab;
  let stage: DebianStage;
  let engine: Engine;
  let control: NatControl;
  let guest: Guest;
  let publicKey: string;

  beforeAll(async () => {
    const image = await ensureDebianImage();
    lab = await Lab.create('nat-tunnel');
    stage = await DebianStage.open(lab);
    await stage.host.sysctl('net.ipv4.ip_forward', 0); // nothing but the engine carries
    const own = await keyPair(stage.host);
    publicKey = own.publicKey;
    await stage.tunnel.admit({ publicKey, address: VM.inside });
    engine = await Engine.start({
      wrapper: stage.host.enter(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']),
    });
    control = await engine.control();
    const gateway = { gatewayMac: GATEWAY_MAC, gatewayAddress: GATEWAY };
    const card = { guestMac: VM.mac, guestAddress: VM.address };
    await control.setPolicy(policyBytes({ ...card, ...gateway, endpoint: ENDPOINT, strict: true }));
    const documents = seedDocuments(
      parseGuest({
        vmName: 'tunnel',
        instance: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12',
        card: { mac: VM.mac, address: VM.address, gateway: GATEWAY, mtu: 1500 },
        endpoint: ENDPOINT,
        tunnel: {
          privateKey: own.privateKey,
          peerPublicKey: stage.tunnel.publicKey,
          addresses: [`${VM.inside}/32`],
        },
      }),
      { delivery: 'VendorData', userData: new Uint8Array() },
    );
    const seed = join(lab.scratch, 'tunnel.iso');
    await writeSeedImage(seed, noCloudFiles(documents));
    guest = await bootDebian({
      ...{ name: 'tunnel', image, scratch: lab.scratch },
      devices: ownDevices(seed, { tap: { stream: engine.guestPath }, mac: VM.mac }),
      spawn: (argv) => stage.host.spawn(argv, { stdio: ['ignore', 'pipe', 'pipe'] }),
    });
    await booted(guest);
  }, OPEN_TIMEOUT_MS);

  afterAll(async () => {
    await guest?.stop();
    await engine?.stop();
    await lab?.close();
  }, 60_000);

  test('[E2E-2] there is a handshake with the consumer, and data flows both ways through the tunnel', async () => {
    await poll('a handshake', async () => (await stage.tunnel.handshake(publicKey)) > 0, {
      deadlineMs: 60_000,
      detail: () => guest.diagnosis(),
    });
    await guest.must(`ping -n -c 1 -W 10 ${CONSUMER_INSIDE}`);
    await stage.consumer.run(['ping', '-n', '-c', '1', '-W', '10', VM.inside]);
    expect(await mebibyteThroughTunnel(stage.consumer, guest)).toBe('the same\n');
    const counted = byReason(await control.counters());
    expect(counted['from-vm Allowed']).toBeGreaterThan(500);
    expect(Object.keys(counted).filter((kind) => kind.startsWith('to-vm'))).toEqual(['to-vm Allowed']);
  }, 180_000);
});
