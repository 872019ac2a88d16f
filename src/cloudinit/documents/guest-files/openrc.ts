import { TUNNEL } from '../interfaces.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';

/**
 * Services, by their names in /etc/init.d. None may be called like a unit of ours: `systemctl enable` hands a unit that has a script of
 * its name there to update-rc.d too, which knows no runlevel for it and fails, and with it the firewall.
 */
export const FIREWALL_SERVICE = 'vmnet-firewall';
export const TUNNEL_SERVICE = 'vmnet-tunnel';

/** The firewall of guests with OpenRC (Alpine); openrc-run(8). */
export const openRcFirewall: GuestFile = {
  path: `/etc/init.d/${FIREWALL_SERVICE}`,
  mode: '0755',
  content: `#!/sbin/openrc-run
description="Guest firewall: nothing but the tunnel"

depend() {
	need localmount
	after modules nftables iptables ip6tables
	before net
}

start() {
	ebegin "Loading the guest firewall"
	/bin/sh ${FOLDER}/load-firewall
	eend $?
}

# Standing rules: stopping removes nothing.
stop() {
	return 0
}
`,
};

export const openRcTunnel: GuestFile = {
  path: `/etc/init.d/${TUNNEL_SERVICE}`,
  mode: '0755',
  content: `#!/sbin/openrc-run
description="The WireGuard tunnel"

depend() {
	need net ${FIREWALL_SERVICE}
}

start() {
	ebegin "Starting the tunnel"
	wg-quick up ${TUNNEL}
	eend $?
}

stop() {
	ebegin "Stopping the tunnel"
	wg-quick down ${TUNNEL}
	eend $?
}
`,
};

/** What brings the card up there. They have no drop-ins; what /etc/conf.d adds is added by the boot script. */
export const NETWORK_SERVICES: readonly string[] = ['networking', 'dhcpcd', 'NetworkManager', 'connman'];
