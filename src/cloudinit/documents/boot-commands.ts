import type { GuestFile } from './guest-files/guest-file.ts';
import { FOLDER } from './guest-files/guest-file.ts';
import { NETWORK_UNITS } from './guest-files/systemd.ts';

/** One entry of `bootcmd`: text is shell, a list is one command whose words cloud-init quotes. */
export type BootCommand = string | readonly string[];

/**
 * What cloud-init runs at every boot, before it touches anything else: the files are written, and the firewall is loaded.
 *
 * All entries become one shell script, so what the first defines the others can call: a file is given as three words to a
 * function of the shell. No program is started with a key among its words, and nothing is quoted by us.
 *
 * `write_files` would be the usual way, but it runs after `bootcmd` and once per instance only.
 */
export function bootCommands(files: readonly GuestFile[]): readonly BootCommand[] {
  return [
    DEFINITIONS,
    ...files.map(({ path, mode, content }) => ['vmnet_place', path, mode, content]),
    `[ -z "$vmnet_failed" ] && sh ${FOLDER}/start-all $vmnet_changed || vmnet_hold`,
  ];
}

/**
 * A file appears whole and with its mode, or not at all; one that is as it should be is left alone. If any cannot be written,
 * or the firewall does not load, the cards stay down and what would bring them up is masked until the next boot.
 */
const DEFINITIONS = `vmnet_failed= vmnet_changed=
vmnet_place() {
	[ "$(cat "$1" 2>/dev/null; echo .)" = "$3." ] && chmod "$2" "$1" && return
	vmnet_changed=changed
	( umask 022 && mkdir -p "\${1%/*}" && umask 077 && printf %s "$3" >"$1.vmnet" && chmod "$2" "$1.vmnet" && mv -f "$1.vmnet" "$1" ) ||
		vmnet_failed=failed
}
vmnet_hold() {
	echo 'vmnetwork: the guest firewall is not in force; the network stays down' >&2
	if [ -d /run/systemd/system ]; then
		systemctl --runtime --no-block --now mask ${NETWORK_UNITS.filter((unit) => !unit.includes('@')).join(' ')}
	fi
	for vmnet_card in /sys/class/net/*; do
		[ ! -e "$vmnet_card/device" ] || ip link set dev "\${vmnet_card##*/}" down
	done
}
`;
