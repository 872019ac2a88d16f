import { describe, expect, test } from '@jest/globals';
import {
  ApiError,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isGone,
  isNotFound,
  isTooManyRequests,
} from '../../../../src/kube/api-error.ts';
import { apiErrorOf, objectIn, retryAfterOf } from '../../../../src/kube/transport/answer.ts';
import { statusBody } from './scripted-server.ts';

const NOW = Date.UTC(2026, 0, 1);

function answer(status: number, body: object | string, headers = {}) {
  return { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) };
}

describe('an answer that is no success', () => {
  test('says what was asked, the code, the reason and the message of the server', () => {
    const causes = [{ reason: 'FieldValueInvalid', field: 'spec.mode', message: 'must be X' }];
    const error = apiErrorOf('PUT /x', answer(422, statusBody(422, 'Invalid', 'no good', { causes })), NOW);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 422, reason: 'Invalid', causes });
    expect(error.message).toBe('PUT /x: 422 Invalid: no good');
  });

  test.each([
    [404, 'NotFound', isNotFound],
    [409, 'AlreadyExists', isAlreadyExists],
    [409, 'Conflict', isConflict],
    [410, 'Expired', isGone],
    [410, 'Gone', isGone],
    [429, 'TooManyRequests', isTooManyRequests],
    [403, 'Forbidden', isForbidden],
  ])('%d %s is known as what it is, and as nothing else', (code, reason, is) => {
    const every = [isNotFound, isAlreadyExists, isConflict, isGone, isTooManyRequests, isForbidden];
    const error = apiErrorOf('GET /x', answer(code, statusBody(code, reason)), NOW);
    expect(every.filter((predicate) => predicate(error))).toEqual([is]);
    expect(every.some((predicate) => predicate(new Error('other')))).toBe(false);
  });

  test('of a proxy that knows no Status has a reason too, and no control characters in its message', () => {
    const error = apiErrorOf('GET /x', answer(502, '<h1>\u001b[31mBad\u202e</h1>'), NOW);
    expect(error).toMatchObject({ status: 502, reason: 'BadGateway' });
    expect(error.message).toBe('GET /x: 502 Bad Gateway: <h1> [31mBad </h1>');
  });

  test('carries the patience that is asked for, from the header or the Status', () => {
    const busy = statusBody(429, 'TooManyRequests', 'busy', { retryAfterSeconds: 3 });
    expect(apiErrorOf('GET /x', answer(429, busy), NOW).retryAfterMs).toBe(3000);
    expect(apiErrorOf('GET /x', answer(429, busy, { 'retry-after': '7' }), NOW).retryAfterMs).toBe(7000);
    expect(apiErrorOf('GET /x', answer(429, 'busy'), NOW).retryAfterMs).toBeUndefined();
  });
});

test('Retry-After is seconds or a date, and nothing else', () => {
  expect(retryAfterOf('5', NOW)).toBe(5000);
  expect(retryAfterOf('Thu, 01 Jan 2026 00:00:30 GMT', NOW)).toBe(30_000);
  expect(retryAfterOf('Wed, 31 Dec 2025 00:00:00 GMT', NOW)).toBe(0);
  expect(retryAfterOf('soon', NOW)).toBeUndefined();
  expect(retryAfterOf(undefined, NOW)).toBeUndefined();
  expect(retryAfterOf('99999999999', NOW)).toBe(86_400_000);
});

test('a success that is not a JSON object is unreadable', () => {
  for (const body of ['', 'ok', '[]', 'null', '"x"', '{']) {
    expect(() => objectIn('GET /x', answer(200, body), NOW)).toThrow(
      expect.objectContaining({ code: 'BAD_RESPONSE' }),
    );
  }
  expect(objectIn('GET /x', answer(201, { a: 1 }), NOW)).toEqual({ a: 1 });
});
