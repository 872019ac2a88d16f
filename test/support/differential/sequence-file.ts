/** Sequences of frames as text: for a difference that one frame cannot show. `found/` beside this file holds them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PolicyFields } from '../frames/policy-bytes.ts';
import { inForce, type GeneratedPolicy } from '../frames-generator/policy.ts';
import type { Scenario } from '../frames-generator/scenario.ts';

export const foundSequencesFolder = fileURLToPath(new URL('found/', import.meta.url));

interface PolicyText {
  fields: PolicyFields;
  bytes: Uint8Array | null;
  inForce: 'none' | 'foreign' | 'fields';
}

interface SequenceText {
  note: string;
  policies: PolicyText[];
  steps: (Omit<Scenario, 'policy' | 'vm'> & { policy: number })[];
}

export function sequenceText(steps: readonly Scenario[], note: string): string {
  const policies = [...new Set(steps.map(({ policy }) => policy))];
  const said: SequenceText = {
    note,
    policies: policies.map(({ fields, bytes, inForce: told }) => ({
      fields,
      bytes,
      inForce: typeof told === 'string' ? told : 'fields',
    })),
    steps: steps.map(({ direction, policy, frame, circumstances, mutations }) => ({
      direction,
      policy: policies.indexOf(policy),
      frame,
      circumstances,
      mutations,
    })),
  };
  return `${JSON.stringify(said, toText, 1)}\n`;
}

export function parseSequence(text: string): Scenario[] {
  const { policies, steps } = JSON.parse(text, fromText) as SequenceText;
  const known = policies.map(({ fields, bytes, inForce: told }): GeneratedPolicy => {
    return { fields, bytes, inForce: told === 'fields' ? inForce(fields) : told };
  });
  return steps.map(({ policy, ...step }) => {
    const its = known[policy];
    if (its === undefined) throw new RangeError(`a step under policy ${policy} of ${known.length}`);
    return { ...step, vm: 0, policy: its };
  });
}

/** Every sequence that was found so far, by file name. */
export function foundSequences(): { file: string; steps: Scenario[] }[] {
  const files = existsSync(foundSequencesFolder) ? readdirSync(foundSequencesFolder).sort() : [];
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ file, steps: parseSequence(readFileSync(`${foundSequencesFolder}${file}`, 'utf8')) }));
}

/** JSON has neither bytes nor numbers of 64 bits. */
function toText(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value.toString()}n`;
  return value instanceof Uint8Array ? `0x${Buffer.from(value).toString('hex')}` : value;
}

function fromText(_: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (/^\d+n$/.test(value)) return BigInt(value.slice(0, -1));
  return /^0x([0-9a-f]{2})*$/.test(value) ? Uint8Array.from(Buffer.from(value.slice(2), 'hex')) : value;
}
