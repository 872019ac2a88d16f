import type { Guest } from '../guest.ts';
import { TUNNEL } from '../interfaces.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';

/** wg-quick(8). Read by root only: it holds the private key. */
export function wireGuardConf(tunnel: Tunnel, endpoint: Guest['endpoint']): GuestFile {
  const names = tunnel.dns.join(' ');
  const lines = [
    '[Interface]',
    `PrivateKey = ${tunnel.privateKey}`,
    ...tunnel.addresses.map((address) => `Address = ${address}`),
    `MTU = ${tunnel.mtu}`,
    // Not `DNS =`: wg-quick fails for it where there is no resolvconf.
    ...(names === ''
      ? []
      : [`PostUp = sh ${TUNNEL_DNS} up %i ${names}`, `PostDown = sh ${TUNNEL_DNS} down %i`]),
    '',
    '[Peer]',
    `PublicKey = ${tunnel.peerPublicKey}`,
    ...(tunnel.presharedKey === undefined ? [] : [`PresharedKey = ${tunnel.presharedKey}`]),
    `Endpoint = ${endpoint.address}:${endpoint.port}`,
    `AllowedIPs = ${tunnel.allowedIPs.join(', ')}`,
    `PersistentKeepalive = ${tunnel.persistentKeepaliveSeconds}`,
    '',
  ];
  return { path: `/etc/wireguard/${TUNNEL}.conf`, mode: '0600', content: lines.join('\n') };
}

type Tunnel = NonNullable<Guest['tunnel']>;

const TUNNEL_DNS = `${FOLDER}/tunnel-dns`;

/** Name servers by whatever the guest has for them. Never a reason for the tunnel to fail. */
export const tunnelDns: GuestFile = {
  path: TUNNEL_DNS,
  mode: '0755',
  content: `#!/bin/sh
# tunnel-dns up INTERFACE SERVER... | tunnel-dns down INTERFACE: called by wg-quick.
what=$1 interface=$2
shift 2
if command -v resolvectl >/dev/null && systemctl -q is-active systemd-resolved; then
	if [ "$what" = up ]; then
		resolvectl dns "$interface" "$@" && resolvectl domain "$interface" '~.'
	fi
elif command -v resolvconf >/dev/null; then
	case $what in
	up) printf 'nameserver %s\\n' "$@" | resolvconf -a "tun.$interface" ;;
	down) resolvconf -d "tun.$interface" ;;
	esac
elif [ "$what" = up ]; then
	# A link into a folder that nothing fills.
	[ -e /etc/resolv.conf ] || rm -f /etc/resolv.conf
	printf 'nameserver %s\\n' "$@" >/etc/resolv.conf
fi
exit 0
`,
};
