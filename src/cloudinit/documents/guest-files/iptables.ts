import type { Guest } from '../guest.ts';
import { TUNNEL } from '../interfaces.ts';
import { FOLDER, type GuestFile } from './guest-file.ts';

const IN = 'VMNETWORK-IN';
const OUT = 'VMNETWORK-OUT';
const THROUGH = 'VMNETWORK-THROUGH';

/**
 * The same as nftables.ts for guests that have iptables only, as input of `iptables-restore --noflush`: the policies and our
 * own chains in one transaction, rules of others left alone. The loader puts the chains in front.
 */
export function iptablesRules({ card, endpoint }: Guest): readonly GuestFile[] {
  const { address, port } = endpoint;
  return [
    rules('guest-firewall.iptables', [
      `-A ${IN} -s ${address} -d ${card.address} -p udp -m udp --sport ${port} -j ACCEPT`,
      `-A ${OUT} -s ${card.address} -d ${address} -p udp -m udp --dport ${port} -j ACCEPT`,
    ]),
    rules('guest-firewall.ip6tables', []),
  ];
}

function rules(name: string, flow: readonly string[]): GuestFile {
  const lines = [
    '*filter',
    ...['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => `:${chain} DROP [0:0]`),
    ...[IN, OUT, THROUGH].map((chain) => `:${chain} - [0:0]`),
    ...['lo', TUNNEL].map((interfaceName) => `-A ${IN} -i ${interfaceName} -j ACCEPT`),
    ...['lo', TUNNEL].map((interfaceName) => `-A ${OUT} -o ${interfaceName} -j ACCEPT`),
    ...flow,
    `-A ${THROUGH} -o ${TUNNEL} -j ACCEPT`,
    `-A ${THROUGH} -i ${TUNNEL} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
    `-A ${THROUGH} -i ${TUNNEL} -m conntrack --ctstate DNAT -j ACCEPT`,
    ...[IN, OUT, THROUGH].map((chain) => `-A ${chain} -j DROP`),
    'COMMIT',
    '',
  ];
  return { path: `${FOLDER}/${name}`, mode: '0600', content: lines.join('\n') };
}
