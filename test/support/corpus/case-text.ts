/** The other way round: a judged frame as a case file, for saving a packet that made engines differ to `found/`. */
import type { CorpusCase } from './case-file.ts';

/** The text of a case file; parseCase reads it back. `note` becomes a second comment line. */
export function caseText(corpusCase: Omit<CorpusCase, 'file'>, note = ''): string {
  const { title, direction, meta, expect, frame } = corpusCase;
  const expected = `${expect.verdict} ${expect.reason}${expect.audited ? ' audited' : ''}`;
  return [
    `# ${title}`,
    ...(note === '' ? [] : [`# ${note}`]),
    `direction: ${direction}`,
    `policy: ${policyWords(corpusCase.policy)}`,
    ...(meta.vlan ? ['vlan: yes'] : []),
    ...(meta.answer ? ['answer: yes'] : []),
    ...(meta.checksumAt === null ? [] : [`checksum-at: ${meta.checksumAt}`]),
    ...(meta.superFrame?.kind === 'udp' ? [`segments: ${meta.superFrame.segmentBytes}`] : []),
    ...(meta.superFrame?.kind === 'tcp' ? [`tcp-segments: ${meta.superFrame.segmentBytes}`] : []),
    ...(meta.superFrame?.kind === 'other' ? ['super-frame: other'] : []),
    `expect: ${expected}`,
    'frame:',
    ...hexLines(frame),
    '',
  ].join('\n');
}

function policyWords(policy: CorpusCase['policy']): string {
  if (policy === null) return 'none';
  const mode = policy.mode === 'Sampled' ? `sampled=${policy.samplePerMillion}` : policy.mode.toLowerCase();
  return [
    mode,
    ...(policy.strict ? ['strict'] : []),
    ...(policy.quarantined ? ['quarantined'] : []),
    ...(policy.audit ? ['audit'] : []),
    ...(policy.foreign ? ['foreign'] : []),
    ...(policy.previous === 'none' ? [] : [`previous=${policy.previous}`]),
    ...(policy.maxPacketBytes === 0 ? [] : [`max-packet=${policy.maxPacketBytes}`]),
  ].join(' ');
}

/** Addresses and type, then 32 bytes a line. */
function hexLines(frame: Uint8Array): string[] {
  const hex = Buffer.from(frame).toString('hex');
  const head = [hex.slice(0, 12), hex.slice(12, 24), hex.slice(24, 28)]
    .filter((part) => part !== '')
    .join(' ');
  return [head, ...(hex.slice(28).match(/.{1,64}/g) ?? [])].map((line) => `  ${line}`);
}
