import { describe, expect, test } from '@jest/globals';
import { invoke } from './invoke.ts';
import { manifest } from './manifest-text.ts';
import { scratch } from './scratch.ts';
import { vmnetctl } from './vmnetctl.ts';

const files = scratch();

interface Answer {
  valid: boolean;
  files: { file: string; valid: boolean; objects: string[]; problems: { code: string; field?: string }[] }[];
  warnings: { network: string; reason: string }[];
}

describe('vmnetctl validate', () => {
  test('a valid file', async () => {
    const file = files.write('good.yaml', manifest());
    expect(await invoke(['validate', file])).toEqual({
      code: 0,
      stdout: `ok  ${file}: VMNetwork tenant-a/rental-7f3a\n`,
      stderr: '',
    });
  });

  test('standard input', async () => {
    const { code, stdout } = await vmnetctl(['validate', '-'], { input: manifest() });
    expect([code, stdout]).toEqual([0, 'ok  -: VMNetwork tenant-a/rental-7f3a\n']);
  });

  test('a bad field: file, line, field, value and remedy; the good file beside it is still checked', async () => {
    const bad = files.write('bad.yaml', manifest({ endpoint: '010.0.0.1' }));
    const good = files.write('good.yaml', manifest());
    const { code, stdout } = await invoke(['validate', bad, good]);
    expect(code).toBe(1);
    expect(stdout).toContain(`invalid  ${bad}:5: spec.consumerEndpoint.address must be an IPv4 address`);
    expect(stdout).toContain('"010.0.0.1"');
    expect(stdout).toMatch(/remedy: \S/);
    expect(stdout).toContain(`ok  ${good}`);
  });

  test('many problems: in the order of the file, whose they are said once, and not without end', async () => {
    const fields = [
      '  mod: Filtered',
      '  endpointGraceSeconds: -4',
      '  violation: {action: Kill, threshold: 0}',
    ];
    const bad = files.write(
      'bad.yaml',
      manifest({ name: 'Rental_7', endpoint: 'fd00::1', more: fields.join('\n') + '\n' }),
    );
    const { stdout } = await invoke(['validate', bad]);
    const blocks = stdout.split('\n\n');
    expect(blocks.map((block) => /^invalid {2}\S+:(\d+): (\S+)/.exec(block)?.slice(1).join(' '))).toEqual([
      '3 metadata.name',
      '5 spec.consumerEndpoint.address',
      '7 spec.mod',
      '8 spec.endpointGraceSeconds',
      '9 spec.violation.action',
      '9 spec.violation.threshold',
    ]);
    expect(stdout.match(/object: VMNetwork tenant-a\/Rental_7/g)).toHaveLength(1);
    const worse = files.write(
      'worse.yaml',
      [manifest(), ...new Array<string>(30).fill(manifest({ endpoint: 'x' }))].join('---\n'),
    );
    expect((await invoke(['validate', worse])).stdout).toMatch(/\n\nand 10 more; -o json shows all\n$/);
  });

  test('as JSON', async () => {
    const bad = files.write('bad.yaml', manifest({ endpoint: '1.2.3' }));
    const { code, stdout } = await invoke(['validate', '-o', 'json', bad]);
    const answer = JSON.parse(stdout) as Answer;
    expect([code, answer.valid]).toEqual([1, false]);
    expect(answer.files[0]).toMatchObject({
      file: bad,
      valid: false,
      problems: [{ code: 'VMN_MANIFEST_INVALID', field: 'spec.consumerEndpoint.address' }],
    });
  });

  test('an object declared in two files is a problem of both', async () => {
    const one = files.write('one.yaml', manifest());
    const two = files.write('two.yaml', manifest({ vm: 'other' }));
    const { code, stdout } = await invoke(['validate', '-o', 'json', one, two]);
    const { files: checked } = JSON.parse(stdout) as Answer;
    expect(code).toBe(1);
    expect(checked.map(({ problems }) => problems.map((problem) => problem.code))).toEqual([
      ['VMN_MANIFEST_DUPLICATE'],
      ['VMN_MANIFEST_DUPLICATE'],
    ]);
  });

  test('copies of one network are one problem, not also a conflict of the network with itself', async () => {
    const one = files.write('one.yaml', manifest());
    const two = files.write('two.yaml', manifest());
    const { code, stdout } = await invoke(['validate', '-o', 'json', one, two]);
    const { files: checked, warnings } = JSON.parse(stdout) as Answer;
    expect([code, warnings]).toEqual([1, []]);
    expect(checked.flatMap(({ problems }) => problems)).toHaveLength(2);
  });

  test('the same file named twice is no duplicate', async () => {
    const one = files.write('one.yaml', manifest());
    expect(await invoke(['validate', one, one])).toMatchObject({ code: 0 });
  });

  test('what this version refuses, and a VM that two networks claim, are warnings', async () => {
    const text = [
      manifest({ name: 'a', more: '  limits: {packetsPerSecond: 2000000000}\n' }),
      manifest({ name: 'b' }),
    ].join('---\n');
    const file = files.write('refused.yaml', text);
    const { code, stdout } = await invoke(['validate', file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning {2}VMNetwork tenant-a\/a: Unsupported: spec\.limits\.packetsPerSecond/m);
    expect(stdout).toMatch(/^warning {2}VMNetwork tenant-a\/b: Conflict: VM rental-7f3a/m);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['an empty file', '', 'VMN_MANIFEST_SYNTAX'],
    ['not YAML', '{{{ : [\n', 'VMN_MANIFEST_SYNTAX'],
    ['a half-written file', manifest().slice(0, -3), 'VMN_MANIFEST_SYNTAX'],
    ['binary', Uint8Array.of(0, 255, 254, 1, 10), 'VMN_MANIFEST_SYNTAX'],
    ['10 MB', `${manifest()}# ${'x'.repeat(10_000_000)}\n`, 'VMN_MANIFEST_TOO_LARGE'],
  ])('%s is invalid', async (_, content, code) => {
    const outcome = await invoke(['validate', files.write('odd.yaml', content)]);
    expect(outcome).toMatchObject({ code: 1, stderr: '' });
    expect(outcome.stdout).toContain(`[${code}]`);
    expect(outcome.stdout.length).toBeLessThan(4000);
  });

  test.each(['/nonexistent.yaml', '/'])('%s cannot be read', async (path) => {
    const outcome = await invoke(['validate', path]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toContain(`invalid  ${path}: cannot be read: `);
    expect(outcome.stdout).toContain('[VMN_MANIFEST_UNREADABLE]');
  });

  test('an endless device ends', async () => {
    expect(await invoke(['validate', '/dev/zero'])).toMatchObject({ code: 1 });
  });

  test('hostile values and file names do not reach the terminal', async () => {
    const file = files.write(
      '\u001b[31mred.yaml',
      manifest({ vm: '"\\e[2J\u202e\\r"', endpoint: '"\\e]0;x\\a"' }),
    );
    const outcome = await invoke(['validate', file]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout.replaceAll('\n', '')).not.toMatch(/[\p{C}]/u);
  });
});
