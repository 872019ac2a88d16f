import { describe, expect, test } from '@jest/globals';
import { findDuplicates, formatProblem, parseManifest } from '../../../src/api/manifest.ts';
import { networkWith } from '../../support/api-cases/network-cases.ts';

const HEAD = 'apiVersion: vmnetwork.io/v1alpha1\nkind: VMNetwork\n';
const SPEC = 'spec:\n  consumerEndpoint: {address: 203.0.113.10, port: 51900}\n  selector: {names: [vm1]}\n';
const network = (name: string, spec = SPEC) => `${HEAD}metadata: {name: ${name}}\n${spec}`;
const GOOD = network('good');

const names = (text: string) =>
  parseManifest(text, 'f.yaml').objects.map(({ object }) => object.metadata.name);
const problemsOf = (text: string) => parseManifest(text, 'f.yaml').problems;

describe('what is no manifest', () => {
  test.each([
    ['an empty file', '', 'VMN_MANIFEST_SYNTAX', /^is empty/],
    ['only blank lines', '\n\n  \n', 'VMN_MANIFEST_SYNTAX', /^is empty/],
    ['only a comment', '# later\n', 'VMN_MANIFEST_SYNTAX', /^is empty/],
    ['only document marks', '---\n---\n', 'VMN_MANIFEST_SYNTAX', /^is empty/],
    ['prose', 'hello world\n', 'VMN_MANIFEST_INVALID', /must be a mapping .* not "hello world"/],
    ['a list', '- a\n- b\n', 'VMN_MANIFEST_INVALID', /must be a mapping .* not a list of 2/],
    ['not YAML', '{ foo: [\n', 'VMN_MANIFEST_SYNTAX', /not valid YAML/],
    [
      'a shell script',
      '#!/bin/sh\nif [ -f x ]; then\n  echo "y"; fi\n',
      'VMN_MANIFEST_INVALID',
      /must be a mapping/,
    ],
    ['a binary file', 'ELF\u0000\u0001', 'VMN_MANIFEST_SYNTAX', /not a text file/],
    [
      'Latin-1 read as UTF-8',
      'a: \ufffd\n',
      'VMN_MANIFEST_SYNTAX',
      /not a text file in UTF-8: it holds an invalid byte/,
    ],
    ['tabs as indentation', `${HEAD}metadata:\n\tname: a\n${SPEC}`, 'VMN_MANIFEST_SYNTAX', /not valid YAML/],
    ['a key given twice', `${GOOD}  mode: Filtered\n  mode: Direct\n`, 'VMN_MANIFEST_SYNTAX', /given twice/],
    ['the spec given twice', `${GOOD}${SPEC}`, 'VMN_MANIFEST_SYNTAX', /given twice/],
    ['a number as key', `${GOOD}  1: x\n`, 'VMN_MANIFEST_SYNTAX', /key that is not text/],
    ['null as key', `${GOOD}  ~: x\n`, 'VMN_MANIFEST_SYNTAX', /key that is not text/],
    ['a list as key', `${GOOD}  ? [a]\n  : x\n`, 'VMN_MANIFEST_SYNTAX', /key that is not text/],
    [
      'an alias as key',
      `${GOOD}  className: &a b\n  *a : x\n`,
      'VMN_MANIFEST_SYNTAX',
      /key that is not text/,
    ],
    ['a JavaScript tag', `${GOOD}  className: !!js/function "x"\n`, 'VMN_MANIFEST_SYNTAX', /Unresolved tag/],
    ['a binary tag', `${GOOD}  className: !!binary "eA=="\n`, 'VMN_MANIFEST_SYNTAX', /Unresolved tag/],
    ['a tag of somebody', `${GOOD}  className: !secret x\n`, 'VMN_MANIFEST_SYNTAX', /Unresolved tag/],
    ['a set', `${GOOD}  className: !!set {a, b}\n`, 'VMN_MANIFEST_SYNTAX', /Unresolved tag/],
    ['YAML 1.1', `%YAML 1.1\n---\n${GOOD}`, 'VMN_MANIFEST_SYNTAX', /another version of YAML/],
    ['a merge key', `${GOOD}  <<: {mode: Direct}\n`, 'VMN_MANIFEST_INVALID', /not a known field/],
    [
      'an alias to nowhere',
      `${GOOD}  className: *nowhere\n`,
      'VMN_MANIFEST_SYNTAX',
      /alias \(\*nowhere\) to nothing/,
    ],
    ['an unknown kind', 'apiVersion: v1\nkind: Pod\n', 'VMN_MANIFEST_INVALID', /not a kind that is known/],
    [
      'a kind with a typo',
      GOOD.replace('VMNetwork', 'VMNetwrk'),
      'VMN_MANIFEST_INVALID',
      /not a kind that is known/,
    ],
    ['no kind', GOOD.replace('kind: VMNetwork\n', ''), 'VMN_MANIFEST_INVALID', /is required/],
    [
      'another version',
      GOOD.replace('v1alpha1', 'v1'),
      'VMN_MANIFEST_INVALID',
      /must be vmnetwork.io\/v1alpha1/,
    ],
    ['a status', `${GOOD}status: {}\n`, 'VMN_MANIFEST_INVALID', /does not belong into a manifest/],
  ])('%s is refused', (_, text, code, message) => {
    const { objects, problems } = parseManifest(text, 'f.yaml');
    expect(objects).toEqual([]);
    expect(problems[0]).toMatchObject({ file: 'f.yaml', code });
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.remedy).not.toBe('');
  });

  test.each([
    '0x33',
    '0o17',
    '0123',
    '1e3',
    '51900.0',
    '+51900',
    '.nan',
    '.inf',
    '-.inf',
    '99999999999999999999',
  ])('the number %s has no single meaning and is refused', (number) => {
    expect(problemsOf(GOOD.replace('51900', number))).toMatchObject([
      {
        field: 'spec.consumerEndpoint.port',
        line: 5,
        value: number,
        message: expect.stringMatching(/plain decimal/) as unknown,
      },
    ]);
  });
});

describe('half-written files', () => {
  test('no beginning of a good file is taken for the whole', () => {
    const text = `${HEAD}metadata:\n  name: half\nspec:\n  selector:\n    names: [vm1]\n  consumerEndpoint:\n    port: 51900\n    address: 203.0.113.10\n`;
    for (let length = 0; length < text.length; length++) {
      const { objects, problems } = parseManifest(text.slice(0, length), 'f.yaml');
      expect({ length, objects: objects.length, refused: problems.length > 0 }).toEqual({
        length,
        objects: 0,
        refused: true,
      });
    }
    expect(names(text)).toEqual(['half']);
  });

  test('the documents before the cut are good', () => {
    expect(names(`${network('a')}---\n${network('b').trimEnd()}x`)).toEqual(['a']);
  });

  test('JSON, a document end mark and CRLF end visibly', () => {
    expect(names(JSON.stringify(networkWith({})))).toEqual(['rental-7f3a']);
    expect(names(`${GOOD}...`)).toEqual(['good']);
    expect(names(GOOD.replaceAll('\n', '\r\n'))).toEqual(['good']);
    expect(names(`\ufeff${GOOD}`)).toEqual(['good']);
  });
});

describe('size', () => {
  test('10 MB of YAML is refused unread', () => {
    const started = performance.now();
    expect(problemsOf(`${GOOD}# ${'x'.repeat(10_000_000)}\n`)).toMatchObject([
      { code: 'VMN_MANIFEST_TOO_LARGE' },
    ]);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('1 MiB is the limit, in bytes of UTF-8', () => {
    const fill = (bytes: number) => `${GOOD}#${'é'.repeat((bytes - GOOD.length - 2) / 2)}\n`.padEnd(0);
    expect(Buffer.byteLength(fill(1024 * 1024))).toBeLessThanOrEqual(1024 * 1024);
    expect(names(fill(1024 * 1024))).toEqual(['good']);
    expect(problemsOf(fill(1024 * 1024 + 2))).toMatchObject([{ code: 'VMN_MANIFEST_TOO_LARGE' }]);
  });

  test('too many documents', () => {
    const limits = { bytes: 10_000, documents: 2, aliases: 1, depth: 8 };
    expect(parseManifest('a\n---\nb\n---\nc\n', 'f', limits).problems).toMatchObject([
      { code: 'VMN_MANIFEST_TOO_LARGE' },
    ]);
  });

  test.each([
    [
      'a billion laughs',
      'a0: &a0 [x]\n' +
        Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]\n`).join(''),
    ],
    [
      'a few aliases that double',
      'a0: &a0 [x]\n' +
        Array.from({ length: 16 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]\n`).join(''),
    ],
    ['an alias to what holds it', 'a: &a [*a]\n'],
    ['very many aliases', `- &a x\n${'- *a\n'.repeat(50_000)}`],
    ['nested lists', `${'['.repeat(50_000)}\n`],
    ['nested block lists', `${'- '.repeat(50_000)}\n`],
    ['nested mappings', Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
    ['very many keys', Array.from({ length: 50_000 }, (_, i) => `k${i}:\n`).join('')],
    ['very many unknown fields', GOOD + Array.from({ length: 20_000 }, (_, i) => `  k${i}: x\n`).join('')],
    ['a very long name', network('a'.repeat(500_000))],
    ['very many names', GOOD.replace('[vm1]', `[${'a, '.repeat(50_000)}]`)],
  ])('%s: refused, soon and in few words', (_, text) => {
    const started = performance.now();
    const { objects, problems } = parseManifest(text, 'f.yaml');
    expect(performance.now() - started).toBeLessThan(5000);
    expect(objects).toEqual([]);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(50);
    expect(problems.map(formatProblem).join('\n').length).toBeLessThan(50_000);
  });

  test('32 aliases in a document that is good otherwise, and not one more', () => {
    const annotated = (aliases: number) => {
      const notes = Array.from({ length: aliases }, (_, i) => `k${i}: *a`).join(', ');
      return GOOD.replace('{name: good}', `{name: good, annotations: {first: &a x, ${notes}}}`);
    };
    expect(names(annotated(32))).toEqual(['good']);
    expect(problemsOf(annotated(33))).toMatchObject([{ message: 'has more than 32 aliases (*name)' }]);
  });

  test('an alias or two are fine', () => {
    const text =
      network('a').replace('[vm1]', '&names [vm1]') +
      '---\n' +
      network('b', SPEC.replace('203.0.113.10', '&a 203.0.113.10'));
    expect(names(`${text}  wireGuard: {dns: [*a]}\n`)).toEqual(['a', 'b']);
  });
});

describe('several documents', () => {
  test('a bad one does not spoil the others', () => {
    const { objects, problems } = parseManifest(
      `${network('a')}---\n{ foo: [\n---\n${network('B')}---\n${network('c')}`,
      'f.yaml',
    );
    expect(objects.map(({ object, index }) => [object.metadata.name, index])).toEqual([
      ['a', 0],
      ['c', 3],
    ]);
    expect(new Set(problems.map(({ document }) => document))).toEqual(new Set([2, 3]));
  });

  test('empty ones in between are ignored', () => {
    expect(names(`---\n${network('a')}---\n---\n# nothing\n---\n${network('b')}`)).toEqual(['a', 'b']);
    expect(problemsOf(`---\n${network('a')}---\n`)).toEqual([]);
  });

  test('both kinds', () => {
    const kind = 'apiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: strict}\n';
    expect(parseManifest(`${kind}---\n${GOOD}`, 'f').objects.map((object) => object.kind)).toEqual([
      'VMNetworkClass',
      'VMNetwork',
    ]);
    expect(problemsOf(kind.replace('strict}', 'strict, namespace: a}'))).toMatchObject([
      { field: 'metadata.namespace' },
    ]);
  });
});

describe('problems', () => {
  test('say file, line, object, field, value and remedy', () => {
    const text = `---\n${network('a')}---\n${HEAD}metadata: {name: b, namespace: n}\nspec:\n  selector: {names: [vm]}\n  consumerEndpoint:\n    address: 203.0.113.10\n    port: 65536\n`;
    const [problem] = parseManifest(text, 'net.yaml').problems;
    expect(problem).toEqual({
      file: 'net.yaml',
      document: 2,
      line: 16,
      object: 'VMNetwork n/b',
      field: 'spec.consumerEndpoint.port',
      value: '65536',
      message: 'must be at most 65535',
      remedy: "UDP port of the consumer's WireGuard, 1 to 65535. Example: port: 51900",
      code: 'VMN_MANIFEST_INVALID',
    });
    expect(problem && formatProblem(problem)).toBe(
      [
        'net.yaml:16: spec.consumerEndpoint.port must be at most 65535 [VMN_MANIFEST_INVALID]',
        '  object: VMNetwork n/b (document 2)',
        '  value:  65536',
        "  remedy: UDP port of the consumer's WireGuard, 1 to 65535. Example: port: 51900",
      ].join('\n'),
    );
  });

  test('a missing field is shown at what should hold it', () => {
    expect(problemsOf(`${HEAD}metadata: {name: a}\nspec:\n  selector: {names: [vm]}\n`)).toMatchObject([
      { line: 4, field: 'spec.consumerEndpoint', message: expect.stringMatching(/^is required/) as unknown },
    ]);
  });

  test('a hostile value stays data', () => {
    const hostile = '"\\e[2J\\e]0;owned\\a\\u202e\\u200bok\\r\\nf.yaml: all good"';
    const { problems } = parseManifest(
      GOOD.replace('203.0.113.10', hostile).replace('good', hostile),
      '\u001b[31mf\nyaml',
    );
    expect(problems.length).toBeGreaterThan(0);
    for (const problem of problems) {
      expect(formatProblem(problem)).toMatch(/^[\x20-\x7e\n…]*$/u);
      expect(
        formatProblem(problem)
          .split('\n')
          .slice(1)
          .every((line) => line.startsWith('  ')),
      ).toBe(true);
    }
    expect(problems[0]?.value).toContain('\\u{1b}[2J');
  });
});

describe('duplicates', () => {
  const parsed = (text: string, file: string) => parseManifest(text, file).objects;

  test('all copies are named, across files and within one', () => {
    const objects = [
      ...parsed(network('a'), 'one.yaml'),
      ...parsed(`${network('b')}---\n${network('a')}`, 'two.yaml'),
    ];
    const problems = findDuplicates(objects);
    expect(problems).toMatchObject([
      {
        file: 'one.yaml',
        document: 1,
        object: 'VMNetwork default/a',
        message: 'is declared more than once, also in two.yaml (document 2)',
      },
      {
        file: 'two.yaml',
        document: 2,
        object: 'VMNetwork default/a',
        message: 'is declared more than once, also in one.yaml (document 1)',
      },
    ]);
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(['VMN_MANIFEST_DUPLICATE']));
    expect(findDuplicates(parsed(`${network('a')}---\n${network('a')}`, 'f'))).toHaveLength(2);
  });

  test('an explicit default namespace is the default namespace', () => {
    expect(
      findDuplicates(
        parsed(`${network('a')}---\n${GOOD.replace('{name: good}', '{name: a, namespace: default}')}`, 'f'),
      ),
    ).toHaveLength(2);
  });

  test('a hostile file name stays data', () => {
    const problems = findDuplicates(parsed(`${network('a')}---\n${network('a')}`, '\u001b[2Jf\n'));
    for (const { message } of problems) expect(message).toContain('\\u{1b}[2Jf\\n');
    for (const problem of problems) expect(formatProblem(problem).split('\n')).toHaveLength(3);
  });

  test('another namespace or kind is another object', () => {
    const kind = 'apiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: a}\n';
    const other = GOOD.replace('{name: good}', '{name: a, namespace: b}');
    expect(findDuplicates(parsed(`${network('a')}---\n${kind}---\n${other}`, 'f'))).toEqual([]);
  });
});
