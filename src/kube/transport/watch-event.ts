import type { WatchEvent } from '../client.ts';
import type { KubeObject } from '../resource.ts';
import { isStatus, statusError } from './answer.ts';
import { withoutManagedFields } from './managed-fields.ts';
import { TransportError } from './transport-error.ts';

const TYPES: readonly string[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'];

/** One line of a watch. Throws `ApiError` for an ERROR event, `TransportError` for what is no event. */
export function watchEventOf<T extends KubeObject>(what: string, line: unknown): WatchEvent<T> {
  if (typeof line !== 'object' || line === null) throw noEvent(what);
  const { type, object } = line as Record<string, unknown>;
  if (type === 'ERROR' && isStatus(object)) throw statusError(what, object, 500);
  if (typeof type !== 'string' || !TYPES.includes(type) || !isObject(object)) throw noEvent(what);
  return { type: type as WatchEvent<T>['type'], object: withoutManagedFields(object as T) };
}

function isObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null) return false;
  const { metadata } = value as Record<string, unknown>;
  return typeof metadata === 'object' && metadata !== null;
}

function noEvent(what: string): TransportError {
  return new TransportError('BAD_RESPONSE', `${what}: a line of the stream is no watch event`);
}
