import { FOLDER, type GuestFile } from './guest-file.ts';
import { GUEST_TABLE } from './nftables.ts';

/** Loads the firewall, by nft or else by iptables. Exits with 0 only when it is in force. */
export const loadFirewall: GuestFile = {
  path: `${FOLDER}/load-firewall`,
  mode: '0755',
  content: `#!/bin/sh
# Puts the guest firewall in force; run at boot before any network, and again whenever its rules change.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd ${FOLDER} || exit 1

with_nft() {
	nft -f guest-firewall.nft
}

# Closed first: the policies are DROP before anything is accepted.
with_iptables() {
	iptables-restore --noflush <guest-firewall.iptables && in_front iptables || return 1
	[ ! -e /proc/net/if_inet6 ] && return 0
	ip6tables-restore --noflush <guest-firewall.ip6tables && in_front ip6tables
}

in_front() {
	for pair in INPUT:VMNETWORK-IN OUTPUT:VMNETWORK-OUT FORWARD:VMNETWORK-THROUGH; do
		"$1" -C "\${pair%:*}" -j "\${pair#*:}" 2>/dev/null || "$1" -I "\${pair%:*}" 1 -j "\${pair#*:}" || return 1
	done
}

if command -v nft >/dev/null; then
	with_nft && exit 0
	# What did not load changed nothing: older rules of ours still hold.
	nft list table inet ${GUEST_TABLE} >/dev/null 2>&1 && exit 1
elif command -v iptables-restore >/dev/null; then
	with_iptables && exit 0
else
	echo 'guest firewall: neither nft nor iptables is installed' >&2
fi

echo 'guest firewall: not loaded; the network stays down' >&2
read -r mac <card-mac
for card in /sys/class/net/*; do
	[ "$(cat "$card/address" 2>/dev/null)" = "$mac" ] && ip link set dev "\${card##*/}" down
done
exit 1
`,
};
