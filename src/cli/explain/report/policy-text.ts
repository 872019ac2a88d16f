import { DEFAULT_POOL } from '../../../agent/wiring/identity.ts';
import type { Policy } from '../../../native/policy-abi.ts';
import { escapeText } from '../../terminal/escape.ts';
import type { ExplainedPolicy } from '../policy/explained-policy.ts';

/** One line for the person at the terminal: what the frames are judged against. */
export function describePolicy({ object, vm, guest, intent }: ExplainedPolicy): string {
  const who = `${vm} ${guest.guestMac} ${guest.guestAddress}`;
  const target = intent === null ? 'nothing' : targetOf(intent.endpoint);
  const traits = intent === null ? ['denied'] : traitsOf(intent);
  return escapeText(`${object}: ${who} → ${target} (${traits.join(', ')})`);
}

/** Whom the guest may talk to. */
export function targetOf(endpoint: Policy['endpoint']): string {
  return endpoint === null ? 'all but the denied networks' : `${endpoint.address}:${endpoint.port}`;
}

/** What a policy is like, in a few words. */
export function traitsOf({ mode, samplePerMillion, strictWireGuard, audit, quarantined }: Traits): string[] {
  return [
    mode === 'Sampled' ? `Sampled ${samplePerMillion} per million` : mode,
    ...(mode === 'Direct' ? [] : [strictWireGuard ? 'strict' : 'any UDP']),
    ...(audit ? ['audit'] : []),
    ...(quarantined ? ['quarantined'] : []),
  ];
}

type Traits = Pick<Policy, 'mode' | 'samplePerMillion'> & Policy['flags'];

/** What was taken for granted, and what makes the answer less than it looks: for standard error, whatever the format. */
export function caveats({ guest, intent, denied }: ExplainedPolicy): string[] {
  const lines: string[] = [];
  if (intent === null) lines.push(`the VM is denied: ${denied}`);
  if (intent?.mode === 'Direct') {
    const known = `what the class in the file denies, and the guest addresses ${DEFAULT_POOL}`;
    lines.push(
      `mode Direct: denied is ${known}; a host denies its own addresses too, a cluster its ranges, and --pool moves the others`,
    );
  }
  if (guest.guestAddressFrom === 'assumed') {
    const why = 'for this host has no record of the VM';
    lines.push(`the guest address ${guest.guestAddress} is assumed, ${why}; give --guest-address`);
  }
  return lines.map((line) => escapeText(line, 1000));
}
