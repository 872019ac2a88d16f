import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog, countsOf, isOfLeadership } from '../../../../bench/fleet/audit-log.ts';

const line = (auditID: string, verb: string, objectRef?: object, code = 200): string =>
  `${JSON.stringify({ kind: 'Event', auditID, verb, objectRef, responseStatus: { code } })}\n`;
const NETWORK = { resource: 'vmnetworks', namespace: 'n', name: 'ä' };

describe('the audit log', () => {
  let folder = '';
  let path = '';
  let log: AuditLog;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmn-audit-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    path = join(folder, 'audit.log');
    writeFileSync(path, '');
    log = new AuditLog(path);
  });

  test('tells each request once, whenever it is read', () => {
    appendFileSync(path, line('1', 'get', NETWORK));
    expect(log.read()).toEqual([
      { verb: 'get', resource: 'vmnetworks', namespace: 'n', name: 'ä', code: 200 },
    ]);
    expect(log.read()).toEqual([]);
    appendFileSync(path, line('2', 'update', { ...NETWORK, subresource: 'status' }, 409) + line('3', 'get'));
    expect(log.read()).toMatchObject([
      { verb: 'update', resource: 'vmnetworks/status', code: 409 },
      { verb: 'get', resource: '', name: '' },
    ]);
  });

  test('leaves a line that is being written for later', () => {
    const whole = line('1', 'get', NETWORK);
    appendFileSync(path, whole + whole.slice(0, 20));
    expect(log.read()).toHaveLength(1);
    appendFileSync(path, whole.slice(20));
    expect(log.read()).toHaveLength(1);
  });

  test('counts a watch when it begins and not again when it ends', () => {
    appendFileSync(path, line('1', 'watch', NETWORK) + line('2', 'watch', NETWORK));
    expect(log.read()).toHaveLength(2);
    appendFileSync(path, line('1', 'watch', NETWORK));
    expect(log.read()).toEqual([]);
  });
});

test('requests are counted by verb and resource', () => {
  const request = { namespace: '', name: '', code: 200 };
  const counts = countsOf([
    { ...request, verb: 'get', resource: 'a' },
    { ...request, verb: 'get', resource: 'a' },
    { ...request, verb: 'get', resource: 'a/status' },
  ]);
  expect([...counts]).toEqual([
    ['get a', 2],
    ['get a/status', 1],
  ]);
});

test.each([
  [{ verb: 'update', resource: 'leases', name: 'vmnetwork-controller' }, true],
  [{ verb: 'create', resource: 'leases', name: '' }, true],
  [{ verb: 'get', resource: 'leases', name: 'node.host-1' }, false],
  [{ verb: 'list', resource: 'leases', name: '' }, false],
  [{ verb: 'update', resource: 'vmnetworks', name: 'vmnetwork-controller' }, false],
])('%j keeps the leadership: %j', (request, expected) => {
  expect(isOfLeadership({ ...request, namespace: 'vmnetwork-system', code: 200 })).toBe(expected);
});
