import { describe, expect, test } from '@jest/globals';
import { parseControllerOptions, usageExitCode } from '../../../src/controller/options.ts';

const around = { version: '0.1.0', hostname: 'host', env: {} };

/** What is written while it runs, and what it threw. */
function refusal(argv: string[]): { text: string; exitCode: number | null } {
  const written: string[] = [];
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (text) => written.push(String(text)) > 0;
  try {
    parseControllerOptions(argv, around);
    return { text: '', exitCode: 0 };
  } catch (error) {
    return { text: written.join(''), exitCode: usageExitCode(error) };
  } finally {
    process.stderr.write = write;
  }
}

describe('the command line of vmnet-controller', () => {
  test('says nothing: all has a default', () => {
    expect(parseControllerOptions([], around)).toEqual({
      ...{ namespace: 'vmnetwork-system', identity: 'host', leaderElect: true, leaseSeconds: 15, workers: 4 },
      ...{ healthAddress: { host: '::', port: 8080 }, logLevel: 'info' },
    });
  });

  test('a pod is told by its environment', () => {
    const env = { POD_NAMESPACE: 'elsewhere', POD_NAME: 'controller-0' };
    expect(parseControllerOptions([], { ...around, env })).toMatchObject({
      namespace: 'elsewhere',
      identity: 'controller-0',
    });
  });

  test.each([
    [':9090', { host: '::', port: 9090 }],
    ['9090', { host: '::', port: 9090 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
  ])('--health-address %s', (text, expected) => {
    expect(parseControllerOptions(['--health-address', text], around).healthAddress).toEqual(expected);
  });

  test('--leader-elect false', () => {
    expect(parseControllerOptions(['--leader-elect=false'], around).leaderElect).toBe(false);
  });

  test.each([
    [['--workers', '0'], /--workers a whole number from 1 to 256/],
    [['--workers', '1.5'], /--workers a whole number/],
    [['--lease-seconds', '4'], /--lease-seconds a whole number from 5 to 300/],
    [['--leader-elect', 'maybe'], /Give true or false/],
    [['--health-address', 'localhost:x'], /Give a port, or an address and a port/],
    [['--health-address', ':65536'], /Give a port/],
    [['--log-level', 'loud'], /Allowed choices are/],
    [['--kubeconfg', 'x'], /Did you mean --kubeconfig/],
    [['surplus'], /too many arguments/],
  ])('%p is refused with its remedy', (argv, expected) => {
    const { text, exitCode } = refusal(argv);
    expect(exitCode).toBe(2);
    expect(text).toMatch(expected);
  });
});
