import { describe, expect, test } from '@jest/globals';
import { peerConfig } from '../../../../src/cli/peer-config/peer-config.ts';
import { PRIVATE_KEY_PLACEHOLDER, wgQuickText } from '../../../../src/cli/peer-config/wg-quick-text.ts';
import { cidrs, CONSUMER_KEY, networkFacts, vmFacts, VM_KEY } from './facts.ts';

const textOf = (...args: Parameters<typeof peerConfig>): string[] =>
  wgQuickText(peerConfig(...args)).split('\n');

describe('the file for wg-quick', () => {
  test('of one VM', () => {
    expect(textOf(networkFacts(), [vmFacts()])).toEqual([
      "# VMNetwork tenant-a/rental-7f3a: the consumer's end of the tunnel, for wg-quick.",
      '# The VMs call 203.0.113.10:51900 over UDP; let it through to this machine.',
      '',
      '[Interface]',
      '# Your own private key, which nobody here knows. Its public key has to be',
      `# ${CONSUMER_KEY} (spec.wireGuard.peerPublicKey).`,
      'PrivateKey = YOUR_OWN_PRIVATE_KEY',
      'ListenPort = 51900',
      '# Address = your own; the VMs may reach 0.0.0.0/0 through the tunnel.',
      'MTU = 1420',
      '',
      '[Peer]',
      '# VM rental-7f3a',
      `PublicKey = ${VM_KEY}`,
      'AllowedIPs = 10.99.0.2/32',
      '',
    ]);
  });

  test('tells where the pre-shared key is, and the address that is the only one the VMs reach', () => {
    const wireGuard = {
      presharedKeySecretRef: { name: 'psk', key: 'key' },
      allowedIPs: cidrs('10.99.0.1/32') as never,
    };
    const lines = textOf(networkFacts(wireGuard), [vmFacts({ attachment: 'rental-7f3a-0' })]);
    expect(lines).toContain('Address = 10.99.0.1/32');
    expect(lines).toContain('# VM rental-7f3a, attachment rental-7f3a-0');
    expect(lines).toContain('# PresharedKey = entry key of Secret tenant-a/psk; no handshake without it');
  });

  test('an address is one address, a whole network is routed to the VM', () => {
    const addresses = cidrs('10.99.0.2/24', '10.98.0.0/24');
    expect(textOf(networkFacts({ addresses }), [vmFacts()])).toContain(
      'AllowedIPs = 10.99.0.2/32, 10.98.0.0/24',
    );
  });

  test('a name cannot leave its comment', () => {
    const hostile = 'x\n[Peer]\nPublicKey = stolen\r\u2028\u001b[2J\u202e';
    const text = wgQuickText(
      peerConfig(networkFacts(), [vmFacts({ vm: hostile, attachment: hostile, publicKey: VM_KEY })]),
    );
    expect(text.match(/^\[Peer\]$/gm)).toHaveLength(1);
    expect(text).toContain(
      '# VM x\\x0a[Peer]\\x0aPublicKey = stolen\\x0d\\u{2028}\\x1b[2J\\u{202e}, attachment x',
    );
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  });

  test('without comments it is the same to wg', () => {
    const config = peerConfig(networkFacts(), [vmFacts()]);
    const meant = (text: string): string[] => text.split('\n').filter((line) => /^[^#]/.test(line));
    expect(wgQuickText(config, false)).not.toContain('#');
    expect(meant(wgQuickText(config, false))).toEqual(meant(wgQuickText(config)));
    expect(wgQuickText(config, false)).toContain(PRIVATE_KEY_PLACEHOLDER);
  });
});

describe('what is not whole is told', () => {
  test('two VMs of one address: the first keeps it, as WireGuard would not', () => {
    const other = vmFacts({ vm: 'other', publicKey: CONSUMER_KEY });
    const { peers, problems } = peerConfig(networkFacts(), [vmFacts(), other]);
    expect(peers.map(({ allowedIPs }) => allowedIPs)).toEqual([['10.99.0.2/32'], []]);
    expect(problems).toEqual([
      'VM other has 10.99.0.2/32 like VM rental-7f3a, and WireGuard gives an address to one peer only: give each VM a VMNetwork of its own.',
    ]);
  });

  test('a VM without a key, and one without an address', () => {
    const keyless = vmFacts({ vm: 'late', publicKey: null });
    const { peers, problems } = peerConfig(networkFacts({ addresses: [] }), [keyless, vmFacts()]);
    expect(peers).toHaveLength(1);
    expect(problems).toEqual([
      'VM late has no public key yet and is left out: ask again once it was provisioned.',
      'VM rental-7f3a has no address inside the tunnel: set spec.wireGuard.addresses.',
    ]);
  });

  test.each([
    ['no VM', networkFacts(), [], /^no VM with a public key is bound/],
    ['no key', networkFacts(), [vmFacts({ publicKey: null })], /^none of its VMs has .* \(VM rental-7f3a\)$/],
    ['no consumer', networkFacts({ peerPublicKey: undefined }), [vmFacts()], /^spec.wireGuard.peerPublicKey/],
    ['no endpoint', { ...networkFacts(), endpoint: undefined }, [vmFacts()], /^spec.consumerEndpoint/],
  ])('%s: refused', (_, network, vms, message) => {
    expect(() => peerConfig(network, vms)).toThrow(
      expect.objectContaining({
        fault: 'refused',
        on: 'VMNetwork tenant-a/rental-7f3a',
        message: expect.stringMatching(message) as unknown,
        remedy: expect.stringMatching(/\.$/) as unknown,
      }),
    );
  });
});
