import { escapeText } from '../terminal/escape.ts';
import { type PeerConfig, titleOf } from './peer-config.ts';

/** Stands where the consumer's private key goes. wg refuses it, so that it is not forgotten. */
export const PRIVATE_KEY_PLACEHOLDER = 'YOUR_OWN_PRIVATE_KEY';

/**
 * wg-quick(8). A name in it is data of others: everything after a `#` is escaped onto its line. What is no comment was
 * checked for its form where it came in.
 * @param comments false for a QR code, where each byte costs
 */
export function wgQuickText(config: PeerConfig, comments = true): string {
  const blocks = [interfaceLines(config), ...config.peers.map((peer) => peerLines(config, peer))];
  const text = blocks.map((lines) => lines.join('\n')).join('\n\n');
  const whole = comments ? [...heading(config), text].join('\n') : text.replace(/^#.*\n?/gm, '');
  return `${whole}\n`;
}

/** One line, whatever is in it. */
function comment(text: string): string {
  return `# ${escapeText(text, 1000)}`;
}

function heading({ network, endpoint, problems }: PeerConfig): string[] {
  return [
    comment(
      `VMNetwork ${network.namespace}/${network.name}: the consumer's end of the tunnel, for wg-quick.`,
    ),
    comment(`The VMs call ${endpoint.address}:${endpoint.port} over UDP; let it through to this machine.`),
    ...problems.map((problem) => comment(`Not whole: ${problem}`)),
    '',
  ];
}

function interfaceLines({ interface: own }: PeerConfig): string[] {
  return [
    '[Interface]',
    comment('Your own private key, which nobody here knows. Its public key has to be'),
    comment(`${own.publicKey} (spec.wireGuard.peerPublicKey).`),
    `PrivateKey = ${PRIVATE_KEY_PLACEHOLDER}`,
    `ListenPort = ${own.listenPort}`,
    ...(own.addresses.length === 0
      ? [
          comment(
            `Address = your own; the VMs may reach ${own.reachableByVms.join(', ')} through the tunnel.`,
          ),
        ]
      : [`Address = ${own.addresses.join(', ')}`]),
    `MTU = ${own.mtu}`,
  ];
}

function peerLines(
  { presharedKeySecretRef: secret }: PeerConfig,
  peer: PeerConfig['peers'][number],
): string[] {
  return [
    '[Peer]',
    comment(titleOf(peer)),
    `PublicKey = ${peer.publicKey}`,
    ...(secret === null
      ? []
      : [
          comment(
            `PresharedKey = entry ${secret.key} of Secret ${secret.namespace}/${secret.name}; no handshake without it`,
          ),
        ]),
    ...(peer.nextPublicKey === undefined
      ? []
      : [comment(`From the VM's next start: PublicKey = ${peer.nextPublicKey}`)]),
    ...(peer.allowedIPs.length === 0
      ? [comment('AllowedIPs: none is left for it, see above')]
      : [`AllowedIPs = ${peer.allowedIPs.join(', ')}`]),
  ];
}
