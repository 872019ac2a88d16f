/** What a guest is made of. */
export interface Distribution {
  readonly name: string;
  /** Of the mirrors that mmdebstrap takes for Debian. */
  readonly suite: string;
  /** What its own cloud images have that concerns us, and what a tester needs. */
  readonly packages: readonly string[];
}

const EVERYWHERE = [
  ...['systemd-sysv', 'udev', 'dbus', 'kmod', 'procps', 'cloud-init'],
  ...['wireguard-tools', 'nftables', 'iproute2', 'iputils-ping'],
];

export const DEBIAN_12: Distribution = {
  name: 'debian',
  suite: 'bookworm',
  packages: [...EVERYWHERE, 'isc-dhcp-client', 'iputils-arping', 'nmap'],
};

/**
 * Another systemd, cloud-init and nft; and netplan, as Debian's and Ubuntu's own cloud images have it. What cloud-init calls and does not
 * find is an error to this one: resize2fs and ssh-keygen.
 */
export const DEBIAN_13: Distribution = {
  name: 'trixie',
  suite: 'trixie',
  packages: [...EVERYWHERE, 'netplan.io', 'e2fsprogs', 'openssh-client'],
};
