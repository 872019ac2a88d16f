import type { Guest } from '../guest.ts';
import { TUNNEL } from '../interfaces.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';
import { FIREWALL_SERVICE, NETWORK_SERVICES, TUNNEL_SERVICE } from './openrc.ts';
import { FIREWALL_UNIT } from './systemd.ts';

/**
 * Run at every boot, before the network, once the files are there: makes the init system know them and loads the firewall.
 * The tunnel is only asked for; it starts when the network is up. Exits with 0 only when the firewall is in force.
 */
export function startAll({ tunnel }: Guest): GuestFile {
  const content = script(tunnel === undefined ? NO_TUNNEL : STARTED_TUNNEL);
  return { path: `${FOLDER}/start-all`, mode: '0755', content };
}

interface TunnelStart {
  /** Lines of the script, each with its end. */
  readonly systemd: string;
  readonly openRc: string;
}

const NO_TUNNEL: TunnelStart = { systemd: '', openRc: '' };

const STARTED_TUNNEL: TunnelStart = {
  systemd: `	if command -v wg-quick >/dev/null; then
		systemctl --quiet is-enabled wg-quick@${TUNNEL}.service || systemctl --quiet enable wg-quick@${TUNNEL}.service
		systemctl start --no-block wg-quick@${TUNNEL}.service
	else
		echo 'tunnel: there is no wg-quick; install wireguard-tools in the image' >&2
	fi
`,
  openRc: `	rc-update -q add ${TUNNEL_SERVICE} default || return 1
`,
};

const script = (tunnel: TunnelStart): string => `#!/bin/sh
# start-all [changed]: what is to be done once the files are there; changed when one of them is new.
changed=\${1:-}

with_systemd() {
	[ -z "$changed" ] || systemctl daemon-reload
	systemctl --quiet is-enabled ${FIREWALL_UNIT} || systemctl --quiet enable ${FIREWALL_UNIT} || return 1
	# Whatever it would have to wait for must not hold up the boot for ever.
	timeout 60 systemctl start ${FIREWALL_UNIT} || return 1
	[ -z "$changed" ] || systemctl reload ${FIREWALL_UNIT} || return 1
${tunnel.systemd}	return 0
}

with_openrc() {
	for service in ${NETWORK_SERVICES.join(' ')}; do
		grep -qs ${FIREWALL_SERVICE} "/etc/conf.d/$service" || echo 'rc_need="${FIREWALL_SERVICE}"' >>"/etc/conf.d/$service"
	done
	rc-update -q add ${FIREWALL_SERVICE} boot || return 1
	rc-update -q -u
	# It may have been started before the files changed: then the rules are loaded anew.
	rc-service ${FIREWALL_SERVICE} start && sh ${FOLDER}/load-firewall || return 1
${tunnel.openRc}	return 0
}

if [ -d /run/systemd/system ]; then
	with_systemd || exit 1
elif command -v openrc-run >/dev/null; then
	with_openrc || exit 1
else
	sh ${FOLDER}/load-firewall || exit 1
fi
exit 0
`;
