import { TUNNEL } from '../interfaces.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';

export const FIREWALL_UNIT = 'vmnet-guest-firewall.service';

/** Whatever could bring the card up; a guest has one or two of them. */
export const NETWORK_UNITS: readonly string[] = [
  'systemd-networkd.service',
  'NetworkManager.service',
  'networking.service',
  'ifup@.service',
  'network.service',
  'wicked.service',
  'connman.service',
  'dhcpcd.service',
];

/**
 * The firewall of guests with systemd. Without it no network: each unit of NETWORK_UNITS requires it, so none starts after it
 * failed, and all of them stop with it.
 */
export const firewallUnit: GuestFile = {
  path: `/etc/systemd/system/${FIREWALL_UNIT}`,
  mode: '0644',
  content: `# Standing rules, no process. Stopping it removes nothing.
[Unit]
Description=Guest firewall: nothing but the tunnel
DefaultDependencies=no
RequiresMountsFor=${FOLDER}
# The latter two replace all rules when they start. Nothing here may come after sysinit.target: at the first boot cloud-init,
# which is before that, waits for this unit.
After=systemd-modules-load.service nftables.service netfilter-persistent.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Wants=network-pre.target
Before=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${FOLDER}/load-firewall
ExecReload=/bin/sh ${FOLDER}/load-firewall
TimeoutStartSec=30

[Install]
WantedBy=sysinit.target
`,
};

/** The network, and the tunnel, only after the firewall. */
export const requirements: readonly GuestFile[] = [...NETWORK_UNITS, `wg-quick@${TUNNEL}.service`].map(
  (unit) => ({
    path: `/etc/systemd/system/${unit}.d/50-vmnetwork.conf`,
    mode: '0644',
    content: `[Unit]\nRequires=${FIREWALL_UNIT}\nAfter=${FIREWALL_UNIT}\n`,
  }),
);

/** nftables.service flushes all rules when it starts; the tenant may start it at any time. */
export const afterFlush: GuestFile = {
  path: '/etc/systemd/system/nftables.service.d/50-vmnetwork.conf',
  mode: '0644',
  content: `[Service]\nExecStartPost=/bin/sh ${FOLDER}/load-firewall\n`,
};
