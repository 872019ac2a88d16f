import { formedText } from './formed-text.ts';

/** An interface as its host calls it. */
export function interfaceName() {
  return formedText({
    pattern: /^[!-.0-~]+$/,
    maxLength: 64,
    form: 'must be the name of a network interface: printable ASCII without spaces and "/"',
    remedy: 'Write it as `ip link` shows it, for example vmn-1106a16619.',
  }).meta({ description: 'Interface on the host.', examples: ['vmn-1106a16619'] });
}
