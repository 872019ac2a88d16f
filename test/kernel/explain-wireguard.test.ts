import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ADDON_PATH } from '../../src/native/addon.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { manifest } from '../unit/cli/manifest-text.ts';
import { explained, Recording, SCENE } from './explain-recording.ts';
import { newKeys, startPeer } from './wireguard-peer.ts';

const { describe } = requires(
  root,
  executable('wireguard-go'),
  executable('wg'),
  executable('ping'),
  file('/dev/net/tun', 'modprobe tun'),
  file(ADDON_PATH, 'make build'),
);

describe('explain, of a capture of a real WireGuard', () => {
  let lab: Lab;
  let pcap: string;

  beforeAll(async () => {
    lab = await Lab.create('explainwg');
    const { guest, world, record } = await open(lab);
    const [mine, theirs] = [await newKeys(guest), await newKeys(world)];
    pcap = await record(async () => {
      const own = ['listen-port', String(SCENE.port)];
      const peer = ['endpoint', `${SCENE.consumer}:${SCENE.port}`, 'persistent-keepalive', '25'];
      const [here, there] = [
        { own: mine.key, peer: theirs.pub },
        { own: theirs.key, peer: mine.pub },
      ];
      await startPeer(lab, world, 'w', { keys: there, address: '10.99.0.1/24', own });
      await startPeer(lab, guest, 'g', { keys: here, address: '10.99.0.2/24', peer });
      await poll(
        'a handshake',
        async () => !/\t0$/m.test(await guest.run(['wg', 'show', 'all', 'latest-handshakes'])),
      );
      // From nothing to the most that fits into the tunnel: WireGuard pads to 16 bytes, but not beyond the MTU.
      for (const bytes of [0, 56, 1000, 1392])
        await guest.run(['ping', '-n', '-c', '1', '-W', '5', '-s', String(bytes), '10.99.0.1']);
    });
  }, 60_000);
  afterAll(async () => {
    await lab?.close();
  }, 30_000);

  test('handshake, data and keepalives pass, both ways, by every engine and in every mode', async () => {
    for (const mode of ['Filtered', 'Conntrack', 'Sampled']) {
      const { rows, stderr, code } = await explained(pcap, policy(mode), '--engine', 'all');
      const messages = rows.filter(({ summary }) => summary.includes(`:${SCENE.port}`));
      expect(messages.filter(({ verdict }) => verdict !== 'allow')).toEqual([]);
      for (const message of ['handshake initiation', 'handshake response', 'transport data', 'keepalive'])
        expect(messages.map(({ summary }) => summary).join('\n')).toContain(`WireGuard ${message}`);
      expect(code).toBe(0);
      if (mode !== 'Sampled') expect(stderr).toBe('');
    }
  });

  test('Conntrack: all but the first message belongs to a known flow', async () => {
    const { rows } = await explained(pcap, policy('Conntrack'), '--engine', 'c');
    const reasons = rows.filter(({ verdict }) => verdict === 'allow').map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'Allowed')).toHaveLength(1);
    expect(reasons.filter((reason) => reason === 'AllowedFlow').length).toBeGreaterThan(5);
  });

  test('for the policy of another consumer it goes to the wrong address', async () => {
    const other = write(manifest({ endpoint: '203.0.113.11' }), 'other.yaml');
    const { rows } = await explained(pcap, other, '--engine', 'c,ts');
    const messages = rows.filter(({ summary }) => summary.includes('WireGuard'));
    expect(new Set(messages.map(({ direction, reason }) => `${direction} ${reason}`))).toEqual(
      new Set(['from-vm DestinationAddress', 'to-vm SourceAddress']),
    );
  });

  async function open(of: Lab): Promise<{ guest: Namespace; world: Namespace; record: Recording['record'] }> {
    const recording = await Recording.open(of);
    return { guest: recording.guest, world: recording.world, record: (act) => recording.record(act) };
  }

  function policy(mode: string): string {
    return write(manifest({ more: `  mode: ${mode}\n` }), `${mode}.yaml`);
  }

  function write(text: string, name: string): string {
    const path = join(lab.scratch, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
});
