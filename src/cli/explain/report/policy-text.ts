import { escapeText } from '../../terminal/escape.ts';
import type { ExplainedPolicy } from '../policy/explained-policy.ts';

/** One line for the person at the terminal: what the frames are judged against. */
export function describePolicy({ object, vm, guest, intent }: ExplainedPolicy): string {
  const who = `${vm} ${guest.guestMac} ${guest.guestAddress}`;
  const target = intent === null ? 'nothing' : `${intent.endpoint.address}:${intent.endpoint.port}`;
  const traits =
    intent === null
      ? ['denied']
      : [
          intent.mode === 'Sampled' ? `Sampled ${intent.samplePerMillion} per million` : intent.mode,
          intent.strictWireGuard ? 'strict' : 'any UDP',
          ...(intent.audit ? ['audit'] : []),
          ...(intent.quarantined ? ['quarantined'] : []),
        ];
  return escapeText(`${object}: ${who} → ${target} (${traits.join(', ')})`);
}

/** What was taken for granted, and what makes the answer less than it looks: for standard error, whatever the format. */
export function caveats({ guest, intent, denied }: ExplainedPolicy): string[] {
  const lines: string[] = [];
  if (intent === null) lines.push(`the VM is denied: ${denied}`);
  if (guest.guestAddressFrom === 'assumed') {
    const why = 'for this host has no record of the VM';
    lines.push(`the guest address ${guest.guestAddress} is assumed, ${why}; give --guest-address`);
  }
  return lines.map((line) => escapeText(line, 1000));
}
