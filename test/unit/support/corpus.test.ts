import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { caseText } from '../../support/corpus/case-text.ts';
import {
  corpusFolder,
  CorpusError,
  loadCorpus,
  parseCase,
  reasonNumbers,
} from '../../support/corpus/load-corpus.ts';

const REASONS = reasonNumbers();

/** `make acceptance` takes an id in brackets, in any string of a test, for a promise to prove it. */
const id = (name: string): string => `[${name}]`;

/** A case that is right, as lines to be bent. */
const RIGHT = [
  `# ${id('SB-2')} A tiny case. RFC 791 3.2.`,
  'direction: from-vm',
  'policy: filtered',
  'expect: drop IpFragment',
  'frame:',
  '  02766d6e0001 0276aabbccdd 0800',
  '  4500',
];

const parse = (lines: readonly string[]) => parseCase('cases/tiny.case', lines.join('\n'), REASONS);
const bent = (line: number, ...by: string[]) => RIGHT.toSpliced(line - 1, 1, ...by);

describe('one case', () => {
  test('is parsed into policy, circumstances, expectation and bytes', () => {
    const lines = [
      `# ${id('SB-5')} ${id('FS-4')} All keys. RFC 768.`,
      '# a second comment',
      '',
      'policy: sampled=1000000 strict quarantined audit foreign previous=alive max-packet=1500',
      'vlan: yes',
      'answer: yes',
      'checksum-at: 40',
      'segments: 32',
      'direction: to-vm',
      'expect: allow NotWireGuard audited',
      'frame:',
      ' 00 01',
      '',
      '  feff',
    ];
    expect(parse(lines)).toEqual({
      file: 'cases/tiny.case',
      title: `${id('SB-5')} ${id('FS-4')} All keys. RFC 768.`,
      direction: 'to-vm',
      policy: {
        mode: 'Sampled',
        samplePerMillion: 1_000_000,
        strict: true,
        quarantined: true,
        audit: true,
        foreign: true,
        previous: 'alive',
        maxPacketBytes: 1500,
      },
      meta: { vlan: true, answer: true, checksumAt: 40, superFrame: { kind: 'udp', segmentBytes: 32 } },
      expect: { verdict: 'allow', reason: 'NotWireGuard', reasonCode: 44, audited: true },
      frame: Uint8Array.of(0, 1, 0xfe, 0xff),
    });
  });

  test('needs no more than direction, policy, expectation and frame', () => {
    const { policy, meta } = parse(bent(3, 'policy: strict'));
    expect(policy).toMatchObject({ mode: 'Filtered', samplePerMillion: 0, strict: true, previous: 'none' });
    expect(meta).toEqual({ vlan: false, answer: false, checksumAt: null, superFrame: null });
    expect(parse(bent(3, 'policy: none')).policy).toBeNull();
    expect(parse(bent(3, 'policy: none', 'super-frame: other')).meta.superFrame).toEqual({ kind: 'other' });
  });

  test('does not change under who shares it', () => {
    const { policy, meta, expect: expected } = parse(RIGHT);
    expect([policy, meta, expected].every(Object.isFrozen)).toBe(true);
  });
});

describe('what is no case is refused with file, line and remedy', () => {
  test.each([
    ['no title', bent(1), 1, `begin with "# ${id('SB-2')}`],
    ['a title without an id', bent(1, '# A tiny case.'), 1, `begin with "# ${id('SB-2')}`],
    ['no direction', bent(2), 4, 'write a line "direction: …"'],
    ['an unknown direction', bent(2, 'direction: out'), 2, 'write from-vm or to-vm'],
    ['no policy', bent(3), 4, 'write a line "policy: …"'],
    ['an unknown policy word', bent(3, 'policy: filtered lenient'), 3, 'write none, or words of'],
    ['an empty policy word', bent(3, 'policy: filtered  strict'), 3, 'write none, or words of'],
    ['none with words', bent(3, 'policy: none strict'), 3, 'write none, or words of'],
    ['two modes', bent(3, 'policy: filtered conntrack'), 3, 'keep one of them'],
    ['two settings of one word', bent(3, 'policy: max-packet=1 max-packet=2'), 3, 'keep one of them'],
    ['sampled without a rate', bent(3, 'policy: sampled'), 3, 'write none, or words of'],
    ['a rate above a million', bent(3, 'policy: sampled=1000001'), 3, 'a whole number from 0 to 1000000'],
    ['a number with a sign', bent(3, 'policy: max-packet=+5'), 3, 'a whole number from 0 to 65535'],
    ['an unknown key', bent(3, 'policy: none', 'vlans: yes'), 4, 'known are direction, policy'],
    ['a key twice', bent(3, 'policy: none', 'policy: none'), 4, 'keep one of the two lines'],
    ['a key without a value', bent(3, 'policy:'), 3, 'write "key: value"'],
    ['a key behind spaces', bent(3, ' policy: none'), 3, 'write "key: value"'],
    ['no instead of yes', bent(3, 'policy: none', 'vlan: no'), 4, 'write yes, or leave the line out'],
    ['a checksum nowhere', bent(3, 'policy: none', 'checksum-at: -1'), 4, 'a whole number from 0 to 65535'],
    ['an unknown super-frame', bent(3, 'policy: none', 'super-frame: udp'), 4, '"segments: N"'],
    ['two kinds of super-frame', bent(3, 'segments: 1', 'super-frame: other', 'policy: none'), 3, 'keep one'],
    ['no expectation', bent(4), 4, 'write a line "expect: …"'],
    ['an unknown verdict', bent(4, 'expect: pass Allowed'), 4, 'write "allow NAME"'],
    [
      'an unknown reason',
      bent(4, 'expect: drop IpFragments'),
      4,
      'take a name of native/include/vmn/reason.h',
    ],
    ['drop for a reason that allows', bent(4, 'expect: drop Allowed'), 4, 'Allowed is a reason to allow'],
    [
      'allow for a reason that drops',
      bent(4, 'expect: allow IpFragment'),
      4,
      'IpFragment is a reason to drop',
    ],
    ['audited under no Audit', bent(4, 'expect: allow Protocol audited'), 4, 'add audit to the policy'],
    ['a drop that is audited', bent(4, 'expect: drop Protocol audited'), 4, 'audited goes with allow'],
    ['a reply that is none', bent(4, 'expect: reply Allowed'), 4, 'from the VM ArpAnswered is a reply'],
    ['an allowed request', bent(4, 'expect: allow ArpAnswered'), 4, 'from the VM ArpAnswered is a reply'],
    ['no frame', RIGHT.slice(0, 4), 4, 'end with a line "frame:"'],
    ['an empty frame', RIGHT.slice(0, 5), 5, 'write at least one byte'],
    ['half a byte', bent(7, '  450'), 5, 'every byte with two digits'],
    ['capital digits', bent(7, '  450A'), 7, 'write lower-case hex digits'],
    ['a comment in the frame', bent(7, '  4500 # version'), 7, 'write lower-case hex digits'],
    ['a key behind the frame', [...RIGHT, 'vlan: yes'], 8, 'write lower-case hex digits'],
    ['lines that end as on another system', bent(2, 'direction: from-vm\r'), 2, 'write "key: value"'],
    ['a frame of a megabyte', bent(7, '00'.repeat(1_000_000)), 5, 'no frame is over'],
  ])('%s', (_what, lines, line, remedy) => {
    let error: unknown;
    try {
      parse(lines);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(CorpusError);
    expect((error as CorpusError).message).toContain(`cases/tiny.case:${line}: `);
    expect((error as CorpusError).message).toContain(remedy);
  });
});

describe('a folder of cases', () => {
  let folder: string;
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmn-corpus-'));
    mkdirSync(join(folder, 'cases'));
    mkdirSync(join(folder, 'found'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is read in order, found packets last; a missing, misnamed or broken one is an error', () => {
    expect(() => loadCorpus(folder)).toThrow('no cases; run python3 generate.py cases');
    put('found/b.case', RIGHT.join('\n'));
    put('found/README.md', '# found');
    expect(() => loadCorpus(folder)).toThrow('no cases');
    put('cases/b-2.case', RIGHT.join('\n'));
    put('cases/a-1.case', RIGHT.join('\n'));
    const files = loadCorpus(folder).map(({ file }) => file);
    expect(files).toEqual(['cases/a-1.case', 'cases/b-2.case', 'found/b.case']);
    put('found/B.cases', RIGHT.join('\n'));
    expect(() => loadCorpus(folder)).toThrow('found/B.cases:0: not the name of a case');
    rmSync(join(folder, 'found/B.cases'));
    put('found/c.case', bent(2, 'direction: out').join('\n'));
    expect(() => loadCorpus(folder)).toThrow('found/c.case:2: direction "out"');
  });
});

describe('the corpus', () => {
  const corpus = loadCorpus();

  test('[EB-2] has a case for every reason in every direction where one frame can reach it', () => {
    const needsMoreFrames = ['AllowedFlow', 'BitRate', 'PacketRate'];
    const onlyFromVm = ['ArpMalformed', 'ArpSpoofed', 'ArpNotGateway', 'IcmpToEndpoint'];
    const onlyToVm = ['ArpFromHost'];
    // A case has no words for denied ranges: native/test/cases.c has theirs, and test/kernel/direct.test.ts on a tap.
    const ofDirect = ['AllowedDirect', 'DeniedNetwork'];
    const missing = [...REASONS.keys()]
      .filter((reason) => !needsMoreFrames.includes(reason) && !ofDirect.includes(reason))
      .flatMap((reason) => [`from-vm ${reason}`, `to-vm ${reason}`])
      .filter((row) => !onlyFromVm.includes(row.replace('to-vm ', '')))
      .filter((row) => !onlyToVm.includes(row.replace('from-vm ', '')))
      .filter((row) => !corpus.some(({ direction, expect: { reason } }) => `${direction} ${reason}` === row));
    expect(missing).toEqual([]);
    const impossible = corpus.filter(({ direction, expect: { reason } }) =>
      [...needsMoreFrames, ...(direction === 'to-vm' ? onlyFromVm : onlyToVm)].includes(reason),
    );
    expect(impossible.map(({ file }) => file)).toEqual([]);
  });

  test('serves every row that one frame can try', () => {
    const rows = ['AL-1', 'AL-2', 'EB-2', 'FS-2', 'FS-3', 'FS-4'];
    rows.push(...Array.from({ length: 10 }, (_, index) => `SB-${index + 1}`));
    expect(rows.filter((row) => !corpus.some(({ title }) => title.includes(`[${row}]`)))).toEqual([]);
  });

  test('names where it is written what a case tries', () => {
    const source = /RFC \d+|IEEE (802|1588)|WireGuard 5\.4|virtio 1\.2|UPnP 1\.1/;
    expect(corpus.filter(({ title }) => !source.test(title)).map(({ file }) => file)).toEqual([]);
  });

  test('leaves nothing to chance: a frame is drawn always or never', () => {
    const rates = corpus.map(({ policy }) => policy?.samplePerMillion ?? 0);
    expect([...new Set(rates)].sort()).toEqual([0, 1_000_000]);
  });

  test('is written back as it was read', () => {
    for (const corpusCase of corpus) expect(again(corpusCase)).toEqual(corpusCase);
    function again(corpusCase: (typeof corpus)[number]) {
      return parseCase(corpusCase.file, caseText(corpusCase, 'noted'), REASONS);
    }
  });

  test('has the bytes that stand in its files', () => {
    const request = corpus.find(({ file }) => file === 'cases/arp-request.case');
    const text = readFileSync(`${corpusFolder}/cases/arp-request.case`, 'utf8');
    const hex = text.slice(text.indexOf('frame:') + 6).replaceAll(/\s/g, '');
    expect(Buffer.from(request!.frame).toString('hex')).toBe(hex);
    expect(request!.expect).toEqual({
      verdict: 'reply',
      reason: 'ArpAnswered',
      reasonCode: 2,
      audited: false,
    });
  });
});
