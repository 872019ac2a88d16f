import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { guestFiles } from '../../../../src/cloudinit/documents/guest-files/all.ts';
import { FIREWALL_UNIT, NETWORK_UNITS } from '../../../../src/cloudinit/documents/guest-files/systemd.ts';
import { exampleGuest, guestInput, PRESHARED_KEY, PRIVATE_KEY } from '../../../support/cloud-init/guests.ts';
import { executable, optional } from '../../../support/requirement.ts';
import { requires } from '../../../support/skip.ts';

const files = guestFiles(exampleGuest());
const contentOf = (path: string): string => files.find((file) => file.path === path)?.content ?? '';

describe('the files of a guest', () => {
  test('that hold a key are read by root only, and there is one of them', () => {
    const secret = files.filter(
      ({ content }) => content.includes(PRIVATE_KEY) || content.includes(PRESHARED_KEY),
    );
    expect(secret).toMatchObject([{ path: '/etc/wireguard/wg0.conf', mode: '0600' }]);
  });

  test('give wg-quick the tunnel, line by line', () => {
    const { tunnel } = guestInput();
    expect(contentOf('/etc/wireguard/wg0.conf').trimEnd().split('\n')).toEqual([
      '[Interface]',
      `PrivateKey = ${tunnel.privateKey}`,
      'Address = 10.99.0.2/32',
      'MTU = 1420',
      'PostUp = sh /etc/vmnetwork/tunnel-dns up %i 10.99.0.1',
      'PostDown = sh /etc/vmnetwork/tunnel-dns down %i',
      '',
      '[Peer]',
      `PublicKey = ${tunnel.peerPublicKey}`,
      `PresharedKey = ${tunnel.presharedKey ?? ''}`,
      'Endpoint = 203.0.113.10:51900',
      'AllowedIPs = 0.0.0.0/0',
      'PersistentKeepalive = 25',
    ]);
  });

  test('make whatever could bring the card up require the firewall, and the tunnel too', () => {
    for (const unit of [...NETWORK_UNITS, 'wg-quick@wg0.service']) {
      const lines = contentOf(`/etc/systemd/system/${unit}.d/50-vmnetwork.conf`).split('\n');
      expect(lines).toContain(`Requires=${FIREWALL_UNIT}`);
      expect(lines).toContain(`After=${FIREWALL_UNIT}`);
    }
    const unit = contentOf(`/etc/systemd/system/${FIREWALL_UNIT}`).split('\n');
    expect(unit).toEqual(expect.arrayContaining(['Before=network-pre.target', 'Wants=network-pre.target']));
    // Only so can the first boot wait for it: cloud-init's first stage is before sysinit.target.
    expect(unit).toContain('DefaultDependencies=no');
  });
});

const verified = requires(optional(executable('systemd-analyze')));

verified.test('systemd understands every line of the units and of what is added to those of others', () => {
  const root = mkdtempSync(join(tmpdir(), 'vmnet-guest-units-'));
  const put = (path: string, content: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const complaints = (): string => {
    const units = [FIREWALL_UNIT, 'systemd-networkd.service', 'nftables.service'];
    const argv = ['verify', `--root=${root}`, '--man=no', ...units];
    try {
      return execFileSync('sh', ['-c', 'systemd-analyze "$@" 2>&1', 'sh', ...argv], { encoding: 'utf8' });
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout) || 'refused';
    }
  };
  try {
    for (const target of ['sysinit', 'basic', 'shutdown', 'network-pre'])
      put(`/etc/systemd/system/${target}.target`, `[Unit]\nDescription=${target}\n`);
    for (const unit of ['systemd-networkd', 'nftables'])
      put(`/etc/systemd/system/${unit}.service`, '[Service]\nType=oneshot\nExecStart=/bin/sh -c true\n');
    put('/bin/sh', '#!/bin/sh\n');
    chmodSync(join(root, 'bin/sh'), 0o755);
    for (const { path, content } of files.filter((file) => file.path.startsWith('/etc/systemd/system/')))
      put(path, content);
    expect(complaints()).toBe('');
    put(
      '/etc/systemd/system/nftables.service.d/50-vmnetwork.conf',
      contentOf('/etc/systemd/system/nftables.service.d/50-vmnetwork.conf').replace(
        'ExecStartPost',
        'ExecStartAfter',
      ),
    );
    expect(complaints()).toContain('ExecStartAfter');
  } finally {
    rmSync(root, { recursive: true });
  }
});
