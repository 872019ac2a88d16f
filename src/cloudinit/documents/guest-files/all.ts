import type { Guest } from '../guest.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';
import { iptablesRules } from './iptables.ts';
import { loadFirewall } from './load-firewall.ts';
import { nftablesRules } from './nftables.ts';
import { onLinkGateway } from './on-link-gateway.ts';
import { openRcFirewall, openRcTunnel } from './openrc.ts';
import { startAll } from './start-all.ts';
import { afterFlush, firewallUnit, requirements } from './systemd.ts';
import { tunnelDns, wireGuardConf } from './wireguard-conf.ts';

/**
 * Every file of the guest, whatever it runs: nft or iptables, systemd or OpenRC, and any of the usual network managers. Which
 * of them there are is found out in the guest. What ties the network to the firewall comes first.
 */
export function guestFiles(guest: Guest): readonly GuestFile[] {
  return [
    ...requirements,
    firewallUnit,
    afterFlush,
    openRcFirewall,
    { path: `${FOLDER}/card-mac`, mode: '0644', content: `${guest.card.mac}\n` },
    nftablesRules(guest),
    ...iptablesRules(guest),
    loadFirewall,
    ...onLinkGateway(guest),
    ...tunnelFiles(guest),
    startAll(guest),
  ];
}

/** None without a tunnel of ours: a wg0 of the tenant's own is left alone, and passes the firewall. */
function tunnelFiles({ tunnel, endpoint }: Guest): readonly GuestFile[] {
  return tunnel === undefined ? [] : [tunnelDns, wireGuardConf(tunnel, endpoint), openRcTunnel];
}
