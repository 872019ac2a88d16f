import { expect, test } from '@jest/globals';
import { VmnError } from '../../../src/lib/errors.ts';
import { createLogger, isLogLevel } from '../../../src/lib/log.ts';

function capture() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

test('one JSON object a line, with level and time in words', () => {
  const { lines, destination } = capture();
  createLogger({ name: 'vmnet-agent', destination }).info({ vm: 'a\nb' }, 'attached');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
    name: 'vmnet-agent',
    vm: 'a\nb',
    msg: 'attached',
  });
});

test('secrets do not reach it, however deep', () => {
  const { lines, destination } = capture();
  const secret = { presharedKey: 's3cret', privateKey: 's3cret' };
  createLogger({ destination }).error(
    { ...secret, spec: { ...secret, wireGuard: { ...secret, peer: secret } } },
    'x',
  );
  expect(lines.join('')).not.toContain('s3cret');
  expect(lines.join('')).toContain('[redacted]');
});

test('an error keeps its code and remedy', () => {
  const { lines, destination } = capture();
  createLogger({ destination }).error(
    { err: new VmnError('VMN_NETLINK', { attempted: 'set the link up' }) },
    'x',
  );
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    err: { code: 'VMN_NETLINK', attempted: 'set the link up' },
  });
});

test('levels', () => {
  const { lines, destination } = capture();
  const logger = createLogger({ level: 'warn', destination });
  logger.info('no');
  logger.warn('yes');
  expect(lines).toHaveLength(1);
  expect([isLogLevel('debug'), isLogLevel('loud')]).toEqual([true, false]);
});
