import { describe, expect, jest, test } from '@jest/globals';
import { parseAgentOptions, usageExitCode } from '../../../src/agent/options.ts';

const AROUND = { version: '1.2.3', hostname: 'Node-1', env: {} };
const parse = (...argv: string[]): unknown => parseAgentOptions(argv, AROUND);

describe('the command line of vmnet-agent', () => {
  test('needs only the manifests folder', () => {
    expect(parse('--manifests', '/m')).toEqual({
      source: { kind: 'manifests', dir: '/m' },
      stateDir: '/var/lib/vmnetwork',
      runDir: '/run/vmnetwork',
      bpffs: '/sys/fs/bpf/vmnet',
      pool: '100.64.0.0/16',
      nodeName: 'Node-1',
      logLevel: 'info',
      resyncSeconds: 30,
      takeoverSeconds: 10,
      managedInterfaces: [],
    });
  });

  test('takes patterns of taps that others make', () => {
    expect(parse('--manifests', '/m', '--managed-interfaces', 'vnet*,tap7,vnet1')).toMatchObject({
      managedInterfaces: ['tap7', 'vnet*'],
    });
  });

  test('serves health and metrics where it is told to', () => {
    expect(parse('--manifests', '/m', '--health-address', '127.0.0.1:9100')).toMatchObject({
      healthAddress: { host: '127.0.0.1', port: 9100 },
    });
    expect(parse('--manifests', '/m', '--health-address', ':9100')).toMatchObject({
      healthAddress: { host: '::', port: 9100 },
    });
  });

  test('or a way to the API server', () => {
    expect(parse('--kubeconfig', '/k', '--context', 'c', '--namespace', 'n')).toMatchObject({
      source: { kind: 'cluster', kubeconfig: '/k', context: 'c', namespace: 'n' },
      // As the kubelet spells it.
      nodeName: 'node-1',
    });
    expect(parse('--in-cluster')).toMatchObject({
      source: { kind: 'cluster', kubeconfig: undefined, context: undefined, namespace: 'vmnetwork-system' },
    });
    expect(parse('--in-cluster', '--node-name', 'other')).toMatchObject({ nodeName: 'other' });
    const env = { NODE_NAME: 'from-pod', POD_NAMESPACE: 'system', KUBECONFIG: '/not/asked' };
    expect(parseAgentOptions(['--in-cluster'], { ...AROUND, env })).toMatchObject({
      source: { namespace: 'system' },
      nodeName: 'from-pod',
    });
    expect(() => parseAgentOptions([], { ...AROUND, env })).toThrow();
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
    [['--manifests', '/m', '--health-address', 'localhost:9100']],
    [['--manifests', '/m', '--managed-interfaces', '*']],
    [['--manifests', '/m', '--managed-interfaces', 'eth*']],
    [['--manifests', '/m', '--surprise']],
    [['--manifests', '/m', 'extra']],
    [['--manifests', '/m', '--kubeconfig', '/k']],
    [['--manifests', '/m', '--in-cluster']],
    [['--manifests', '/m', '--context', 'c']],
    [['--manifests', '/m', '--namespace', 'n']],
    [['--kubeconfig', '/k', '--in-cluster']],
    [['--in-cluster', '--context', 'c']],
    [['--context', 'c']],
    [['--in-cluster', '--namespace', 'No Namespace']],
    [['--in-cluster', '--node-name', 'No Node']],
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
    for (const word of [
      '--manifests <dir>',
      '--kubeconfig <file>',
      '--in-cluster',
      '--pool',
      'SIGKILL',
      'Exit codes:',
    ])
      expect(help).toContain(word);
  });

  test('what has nothing to do with the command line is not swallowed', () => {
    expect(usageExitCode(new Error('other'))).toBeNull();
  });
});
