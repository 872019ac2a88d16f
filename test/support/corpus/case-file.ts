/**
 * One case of the packet corpus: a frame, the circumstances it is judged in, and what has to come out. The format is
 * described in README.md; native/test/corpus.c reads the same files. Parsing is strict, because a case that is
 * misread is a hole that looks like a test.
 */

export interface CorpusPolicy {
  readonly mode: 'Filtered' | 'Conntrack' | 'Sampled';
  /** 0 unless the mode is Sampled; in the corpus 0 or 1_000_000, so that chance decides nothing. */
  readonly samplePerMillion: number;
  readonly strict: boolean;
  readonly quarantined: boolean;
  readonly audit: boolean;
  /** Written for another version of the filter. */
  readonly foreign: boolean;
  readonly previous: 'none' | 'alive' | 'expired';
  /** IPv4 total length of one packet; 0: no limit. */
  readonly maxPacketBytes: number;
}

/** What stands beside a frame. */
export interface CorpusMeta {
  /** A VLAN tag was taken out of the frame. */
  readonly vlan: boolean;
  /** Marked as the filter's own ARP answer. */
  readonly answer: boolean;
  /** Where in the frame a checksum is still to be written; null: nowhere. */
  readonly checksumAt: number | null;
  readonly superFrame:
    null | { readonly kind: 'udp' | 'tcp'; readonly segmentBytes: number } | { readonly kind: 'other' };
}

export interface CorpusExpectation {
  readonly verdict: 'allow' | 'drop' | 'reply';
  /** A name of native/include/vmn/reason.h. */
  readonly reason: string;
  readonly reasonCode: number;
  /** The rule is broken and the frame passes all the same. */
  readonly audited: boolean;
}

export interface CorpusCase {
  /** Relative to the corpus folder, e.g. `cases/arp-request.case`. */
  readonly file: string;
  /** Acceptance ids, what it tries, and where that is written. */
  readonly title: string;
  readonly direction: 'from-vm' | 'to-vm';
  /** Null: no policy is in force. */
  readonly policy: CorpusPolicy | null;
  readonly meta: CorpusMeta;
  readonly expect: CorpusExpectation;
  readonly frame: Uint8Array;
}

/** A case that is not of the format: file, line, what is wrong and what to do. */
export class CorpusError extends Error {
  override name = 'CorpusError';
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, what: string, remedy: string) {
    super(`${file}:${line}: ${what}; ${remedy}`);
    this.file = file;
    this.line = line;
  }
}

const FIRST_DROP = 16;
const MAX_FRAME_BYTES = 14 + 65_535 + 256;
const TITLE = /^# ((?:\[[A-Z0-9]{2,3}-\d+\] )+\S.*)$/;
const KEYS = [
  'direction',
  'policy',
  'vlan',
  'answer',
  'checksum-at',
  'segments',
  'tcp-segments',
  'super-frame',
  'expect',
] as const;

type Key = (typeof KEYS)[number];
type Fail = (what: string, remedy: string) => never;
interface Entry {
  value: string;
  line: number;
}

/** Parses a case file. `reasons` are the names of reason.h with their numbers; throws CorpusError. */
export function parseCase(file: string, text: string, reasons: ReadonlyMap<string, number>): CorpusCase {
  const failAt =
    (line: number): Fail =>
    (what, remedy) => {
      throw new CorpusError(file, line, what, remedy);
    };
  const lines = text.split('\n');
  const title = TITLE.exec(lines[0] ?? '')?.[1];
  if (title === undefined) failAt(1)('no title', 'begin with "# [SB-2] What it tries. RFC 791 3.2."');
  const entries = new Map<Key, Entry>();
  const hex: string[] = [];
  let frameLine = 0;
  lines.forEach((line, index) => {
    const fail = failAt(index + 1);
    if (frameLine > 0) hex.push(hexDigits(line, fail));
    else if (line === 'frame:') frameLine = index + 1;
    else if (line !== '' && !line.startsWith('#')) readEntry(line, index + 1, entries, fail);
  });
  if (frameLine === 0) failAt(lines.length)('no frame', 'end with a line "frame:" and the frame in hex');

  const atFrame = failAt(frameLine);
  const frame = Uint8Array.from(Buffer.from(hex.join(''), 'hex'));
  if (hex.join('').length % 2 !== 0) atFrame('half a byte', 'write every byte with two digits');
  if (frame.length === 0) atFrame('an empty frame', 'write at least one byte');
  if (frame.length > MAX_FRAME_BYTES) atFrame(`${frame.length} bytes`, `no frame is over ${MAX_FRAME_BYTES}`);

  const value = <T>(key: Key, parse: (text: string, fail: Fail) => T, missing?: T): T => {
    const entry = entries.get(key);
    if (entry !== undefined) return parse(entry.value, failAt(entry.line));
    if (missing !== undefined) return missing;
    return failAt(frameLine)(`no ${key}`, `write a line "${key}: …"`);
  };
  const direction = value('direction', parseDirection);
  const policy = value('policy', parsePolicy);
  const udp = entries.get('segments');
  const tcp = entries.get('tcp-segments');
  const segments = udp ?? tcp;
  if (segments !== undefined && (entries.has('super-frame') || segments !== (tcp ?? udp)))
    failAt(segments.line)('segments and super-frame', 'a super-frame is of one kind: keep one of them');
  const meta: CorpusMeta = {
    vlan: value('vlan', parseYes, false),
    answer: value('answer', parseYes, false),
    checksumAt: value<number | null>('checksum-at', (text, fail) => parseNumber(text, 65_535, fail), null),
    superFrame:
      segments === undefined
        ? value<CorpusMeta['superFrame']>('super-frame', parseOther, null)
        : {
            kind: tcp === undefined ? 'udp' : 'tcp',
            segmentBytes: parseNumber(segments.value, 65_535, failAt(segments.line)),
          },
  };
  const expect = value('expect', (text, fail) => parseExpect(text, direction, policy, reasons, fail));
  return Object.freeze({
    file,
    title: title ?? '',
    direction,
    policy,
    meta: Object.freeze(meta),
    expect,
    frame,
  });
}

function readEntry(line: string, number: number, entries: Map<Key, Entry>, fail: Fail): void {
  const [, name, value] = /^([a-z-]+): (\S(?:.*\S)?)$/.exec(line) ?? [];
  if (name === undefined || value === undefined)
    fail(`"${line}"`, 'write "key: value", a comment, or "frame:"');
  const key = KEYS.find((known) => known === name);
  if (key === undefined) return fail(`unknown key "${name}"`, `known are ${KEYS.join(', ')}`);
  if (entries.has(key)) fail(`${key} for the second time`, 'keep one of the two lines');
  entries.set(key, { value: value ?? '', line: number });
}

function hexDigits(line: string, fail: Fail): string {
  const digits = line.replaceAll(' ', '');
  if (!/^[0-9a-f]*$/.test(digits))
    fail(`"${line}" in the frame`, 'write lower-case hex digits and spaces only');
  return digits;
}

function parseDirection(text: string, fail: Fail): CorpusCase['direction'] {
  if (text === 'from-vm' || text === 'to-vm') return text;
  return fail(`direction "${text}"`, 'write from-vm or to-vm');
}

function parseYes(text: string, fail: Fail): boolean {
  return text === 'yes' || fail(`"${text}"`, 'write yes, or leave the line out');
}

function parseOther(text: string, fail: Fail): CorpusMeta['superFrame'] {
  if (text === 'other') return { kind: 'other' };
  return fail(`super-frame "${text}"`, 'write other; one of UDP segments is "segments: N"');
}

function parseNumber(text: string, max: number, fail: Fail): number {
  const number = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : NaN;
  if (number <= max) return number;
  return fail(`"${text}"`, `write a whole number from 0 to ${max}`);
}

const MODES = { filtered: 'Filtered', conntrack: 'Conntrack', sampled: 'Sampled' } as const;
const FLAGS = ['strict', 'quarantined', 'audit', 'foreign'] as const;

function parsePolicy(text: string, fail: Fail): CorpusPolicy | null {
  if (text === 'none') return null;
  const policy: { -readonly [K in keyof CorpusPolicy]: CorpusPolicy[K] } = {
    ...{
      mode: 'Filtered',
      samplePerMillion: 0,
      strict: false,
      quarantined: false,
      audit: false,
      foreign: false,
    },
    ...{ previous: 'none', maxPacketBytes: 0 },
  };
  const seen = new Set<string>();
  for (const word of text.split(' ')) {
    const [name = '', setting] = word.split('=', 2);
    const kind = name in MODES ? 'a mode' : name;
    if (seen.has(kind)) fail(`${kind} twice in "${text}"`, 'keep one of them');
    seen.add(kind);
    const flag = FLAGS.find((known) => known === word);
    if (flag !== undefined) policy[flag] = true;
    else if (word === 'filtered' || word === 'conntrack') policy.mode = MODES[word];
    else if (word === 'previous=alive') policy.previous = 'alive';
    else if (word === 'previous=expired') policy.previous = 'expired';
    else if (name === 'max-packet' && setting !== undefined)
      policy.maxPacketBytes = parseNumber(setting, 65_535, fail);
    else if (name === 'sampled' && setting !== undefined) {
      policy.mode = 'Sampled';
      policy.samplePerMillion = parseNumber(setting, 1_000_000, fail);
    } else
      fail(
        `policy word "${word}"`,
        `write none, or words of filtered, conntrack, sampled=N, ${FLAGS.join(', ')}, previous=alive, previous=expired, max-packet=N`,
      );
  }
  return Object.freeze(policy);
}

function parseExpect(
  text: string,
  direction: CorpusCase['direction'],
  policy: CorpusPolicy | null,
  reasons: ReadonlyMap<string, number>,
  fail: Fail,
): CorpusExpectation {
  const [, verdict, reason, passed] = /^(allow|drop|reply) ([A-Za-z0-9]+)( audited)?$/.exec(text) ?? [];
  if ((verdict !== 'allow' && verdict !== 'drop' && verdict !== 'reply') || reason === undefined)
    return fail(`"${text}"`, 'write "allow NAME", "drop NAME", "reply ArpAnswered" or "allow NAME audited"');
  const reasonCode = reasons.get(reason);
  if (reasonCode === undefined)
    return fail(`unknown reason "${reason}"`, 'take a name of native/include/vmn/reason.h');
  const audited = passed !== undefined;
  if (audited && (verdict !== 'allow' || reasonCode < FIRST_DROP))
    fail(`"${text}"`, 'audited goes with allow and a reason that drops otherwise');
  if (audited && policy?.audit !== true)
    fail('audited under a policy that is not', 'add audit to the policy');
  if (!audited && (verdict === 'drop') !== reasonCode >= FIRST_DROP)
    fail(`"${text}"`, `${reason} is a reason to ${reasonCode < FIRST_DROP ? 'allow' : 'drop'}`);
  if ((verdict === 'reply') !== (direction === 'from-vm' && reason === 'ArpAnswered'))
    fail(`"${text}" ${direction}`, 'from the VM ArpAnswered is a reply, and nothing else is one');
  return Object.freeze({ verdict, reason, reasonCode, audited });
}
