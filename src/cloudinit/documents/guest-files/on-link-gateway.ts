import type { Guest } from '../guest.ts';
import { CARD } from '../interfaces.ts';
import type { GuestFile } from './guest-file.ts';

/**
 * The gateway is on the link without being in the network of the guest's address. netplan is told so by network-config, and
 * NetworkManager adds the route by itself. What cloud-init renders for systemd-networkd and ifupdown loses it, and with it
 * that the card is to keep silent.
 */
export function onLinkGateway({ card }: Guest): readonly GuestFile[] {
  return [
    {
      path: `/etc/systemd/network/10-cloud-init-${CARD}.network.d/50-vmnetwork.conf`,
      mode: '0644',
      content: `[Network]
LinkLocalAddressing=no
IPv6AcceptRA=no
LLDP=no
EmitLLDP=no

[Route]
Destination=${card.gateway}/32
Scope=link
`,
    },
    {
      path: '/etc/network/if-up.d/vmnetwork',
      mode: '0755',
      content: `#!/bin/sh
[ "$IFACE" = ${CARD} ] || exit 0
ip route replace ${card.gateway}/32 dev ${CARD} scope link
ip route replace default via ${card.gateway} dev ${CARD}
`,
    },
  ];
}
