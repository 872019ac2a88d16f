/** The tunnel inside the guest; wg-quick and its unit are called by it. */
export const TUNNEL = 'wg0';

/**
 * The guest's card, renamed by cloud-init. What cloud-init writes for systemd-networkd is called after the card, and we add
 * to it, so the name has to be known. The firewall does not rely on it.
 */
export const CARD = 'vmnet0';
