/** What a guest is made of. */
export interface Distribution {
  readonly name: string;
  /** Of the mirrors that mmdebstrap takes for Debian. */
  readonly suite: string;
  /** What its own cloud images have that concerns us, and what a tester needs. */
  readonly packages: readonly string[];
  /** What brings up its card. */
  readonly networkUnit: string;
}

const EVERYWHERE = [
  ...['systemd-sysv', 'udev', 'dbus', 'kmod', 'procps', 'cloud-init'],
  ...['wireguard-tools', 'nftables', 'iproute2', 'iputils-ping'],
];

export const DEBIAN_12: Distribution = {
  name: 'debian',
  suite: 'bookworm',
  packages: [...EVERYWHERE, 'isc-dhcp-client', 'iputils-arping', 'nmap'],
  networkUnit: 'systemd-networkd',
};

/** Another systemd, cloud-init and nft; and ifupdown, whose configuration cloud-init writes in other words. */
export const DEBIAN_13: Distribution = {
  name: 'trixie',
  suite: 'trixie',
  packages: [...EVERYWHERE, 'ifupdown'],
  networkUnit: 'networking',
};
