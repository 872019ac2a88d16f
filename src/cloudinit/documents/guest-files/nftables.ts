import type { Guest } from '../guest.ts';
import { TUNNEL } from '../interfaces.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';

/** Only ours: tables of the tenant are neither read nor written, and none of theirs opens what this one drops. */
export const GUEST_TABLE = 'vmnet_guest';

/**
 * The guest's own firewall for nft, replaced as a whole in one transaction. No card is named: one by whatever name that is
 * neither `lo` nor the tunnel carries the flow to the endpoint and nothing else, IPv6 included. ARP is not of this family; the
 * kernel asks only for the gateway, since nothing leaves for anywhere else.
 *
 * What is forwarded goes into the tunnel, or comes from it as an answer or because the tenant's own rules send it on
 * (a published port of a container). Anything else that came out of the tunnel could leave by the card.
 */
export function nftablesRules({ card, endpoint }: Guest): GuestFile {
  const { address, port } = endpoint;
  const content = `#!/usr/sbin/nft -f
table inet ${GUEST_TABLE}
delete table inet ${GUEST_TABLE}
table inet ${GUEST_TABLE} {
	chain in {
		type filter hook input priority filter; policy drop;
		iifname { "lo", "${TUNNEL}" } accept
		ip saddr ${address} ip daddr ${card.address} udp sport ${port} accept
	}
	chain out {
		type filter hook output priority filter; policy drop;
		oifname { "lo", "${TUNNEL}" } accept
		ip saddr ${card.address} ip daddr ${address} udp dport ${port} accept
	}
	chain through {
		type filter hook forward priority filter; policy drop;
		oifname "${TUNNEL}" accept
		iifname "${TUNNEL}" ct state established,related accept
		iifname "${TUNNEL}" ct status dnat accept
	}
}
`;
  return { path: `${FOLDER}/guest-firewall.nft`, mode: '0600', content };
}
