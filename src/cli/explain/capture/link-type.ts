import { InputError } from '../../input-error.ts';

/** https://www.tcpdump.org/linktypes.html */
export const LINKTYPE_ETHERNET = 1;

const RAW_IP = 'raw IP';
const COOKED = 'Linux "cooked"';
const LOOPBACK = 'BSD loopback';
const WIFI = '802.11';

const NAMES: Readonly<Record<number, string>> = {
  0: LOOPBACK,
  9: 'PPP',
  12: RAW_IP,
  14: RAW_IP,
  101: RAW_IP,
  105: WIFI,
  108: LOOPBACK,
  113: COOKED,
  127: WIFI,
  228: RAW_IP,
  229: RAW_IP,
  276: COOKED,
};

const ON_THE_TAP = 'Capture on the tap of the VM: tcpdump -i vmn-… -w FILE';

const REMEDIES: Readonly<Record<string, string>> = {
  [RAW_IP]: `The MACs are missing (a tunnel such as wg0 or tun0 has none). ${ON_THE_TAP}`,
  [COOKED]: `The MACs are missing, as always on "any". ${ON_THE_TAP}`,
};

/** Throws InputError, unless frames of this link type begin with an Ethernet header. */
export function demandEthernet(linkType: number, name: string, where = ''): void {
  if (linkType === LINKTYPE_ETHERNET) return;
  const known = NAMES[linkType];
  const what = known === undefined ? `link type ${linkType}` : `${known} (link type ${linkType})`;
  const remedy = REMEDIES[known ?? ''] ?? ON_THE_TAP;
  throw new InputError(name, `${where}${what} instead of Ethernet (link type 1)`, remedy);
}
