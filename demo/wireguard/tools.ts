import type { Attacker, Attempt } from '../scenario/attempt.ts';
import { SCANNED } from '../scenario/guest-script.ts';
import { PLACES } from '../scenario/places.ts';
import { CARD } from './places.ts';

/** What Debian has for it, and everybody knows. */
export function toolAttempts({ otherVm, gatewayAddress }: Attacker): Attempt[] {
  const ports = SCANNED.last - SCANNED.first + 1;
  const range = `${String(SCANNED.first)}-${String(SCANNED.last)}`;
  const scan = (how: string, to: string): string => `nmap -n -Pn ${how} -p ${range} --max-retries 0 ${to}`;
  const tool = (title: string, script: string, drops: Attempt['drops']): Attempt => ({
    ...{ group: "Debian's tools", title, drops, repeats: true, reaches: 'host' },
    // What it makes of its failure is its own affair.
    script: `${script}; [ $? -ne 127 ]`,
  });
  return [
    tool('ping a name server', `ping -n -c 1 -W 1 ${PLACES.nameServer}`, { Protocol: 1 }),
    tool('ping the gateway', `ping -n -c 1 -W 1 ${gatewayAddress}`, { Protocol: 1 }),
    tool('nmap -sS, the host', scan('-sS', PLACES.host), { Protocol: ports }),
    tool('nmap -sU, the LAN neighbour', scan('-sU', PLACES.lanNeighbour), { DestinationAddress: ports }),
    tool('arping, the other VM', `arping -c 1 -w 1 -I ${CARD} ${otherVm}`, { ArpNotGateway: 1 }),
    tool('dhclient', `timeout 4 dhclient -1 -d -sf /bin/true -lf /dev/null -pf /dev/null ${CARD}`, {
      GroupMac: 1,
    }),
  ];
}
