import { describe, expect, jest, test } from '@jest/globals';
import { parseAgentOptions, usageExitCode } from '../../../src/agent/options.ts';

const parse = (...argv: string[]): unknown => parseAgentOptions(argv, '1.2.3', 'node-1');

describe('the command line of vmnet-agent', () => {
  test('needs only the manifests folder', () => {
    expect(parse('--manifests', '/m')).toEqual({
      manifests: '/m',
      stateDir: '/var/lib/vmnetwork',
      runDir: '/run/vmnetwork',
      bpffs: '/sys/fs/bpf/vmnet',
      pool: '100.64.0.0/16',
      nodeName: 'node-1',
      logLevel: 'info',
      resyncSeconds: 30,
    });
  });

  test.each([
    [['--manifests']],
    [[]],
    [['--manifests', '/m', '--pool', '100.64.0.0']],
    [['--manifests', '/m', '--pool', '0.0.0.0/0']],
    [['--manifests', '/m', '--pool', '010.0.0.0/16']],
    [['--manifests', '/m', '--resync-seconds', 'soon']],
    [['--manifests', '/m', '--resync-seconds', '0']],
    [['--manifests', '/m', '--log-level', 'loud']],
    [['--manifests', '/m', '--surprise']],
    [['--manifests', '/m', 'extra']],
  ])('%j is refused with exit code 2', (argv) => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    let thrown: unknown;
    try {
      parse(...argv);
    } catch (error) {
      thrown = error;
    }
    expect(write.mock.calls.map(([text]) => text).join('')).toMatch(/error: .*\nSee: vmnet-agent --help/s);
    write.mockRestore();
    expect(usageExitCode(thrown)).toBe(2);
  });

  test('--help is no error, and tells the exit codes', () => {
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    expect(() => parse('--help')).toThrow();
    const help = write.mock.calls.map(([text]) => text).join('');
    write.mockRestore();
    for (const word of ['--manifests <dir>', '--pool', 'SIGKILL', 'Exit codes:'])
      expect(help).toContain(word);
  });

  test('what has nothing to do with the command line is not swallowed', () => {
    expect(usageExitCode(new Error('other'))).toBeNull();
  });
});
