import type { Guest } from './guest.ts';
import { CARD } from './interfaces.ts';
import { yamlText } from './yaml-text.ts';

/**
 * Network configuration version 2, the language of netplan: one address, one gateway that is no neighbour by address, and
 * nothing that would send by itself: no DHCP, no router solicitation, no link-local address, no name server.
 *
 * `on-link` and `link-local` reach the guest where netplan renders; other renderers leave them out, and
 * guest-files/on-link-gateway.ts makes up for it. A route without `via` breaks the renderers for ifupdown and ifcfg.
 */
export function networkConfig({ card }: Guest): string {
  return yamlText({
    version: 2,
    ethernets: {
      [CARD]: {
        match: { macaddress: card.mac },
        'set-name': CARD,
        dhcp4: false,
        dhcp6: false,
        'accept-ra': false,
        'link-local': [],
        mtu: card.mtu,
        addresses: [`${card.address}/32`],
        routes: [{ to: '0.0.0.0/0', via: card.gateway, 'on-link': true }],
      },
    },
  });
}
