/** Requests to the API server as data, so that a table can hold what is asked and what must come of it. */
import type { Answer, ApiCaller } from '../control-plane/api-caller.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
}

export const API = '/apis/vmnetwork.io/v1alpha1';

export const get = (path: string): ApiRequest => ({ method: 'GET', path });
export const create = (path: string, body: unknown): ApiRequest => ({ method: 'POST', path, body });
export const replace = (path: string, body: unknown): ApiRequest => ({ method: 'PUT', path, body });
export const remove = (path: string): ApiRequest => ({ method: 'DELETE', path });
/** JSON merge patch, RFC 7386. */
export const merge = (path: string, body: unknown): ApiRequest => ({
  method: 'PATCH',
  path,
  body,
  contentType: 'application/merge-patch+json',
});
/** Server-side apply, forced. */
export const apply = (path: string, body: unknown): ApiRequest => ({
  method: 'PATCH',
  path: `${path}?fieldManager=test&force=true`,
  body,
  contentType: 'application/apply-patch+yaml',
});
/** The same request, judged in full but not carried out. */
export const dry = (request: ApiRequest): ApiRequest => ({
  ...request,
  path: `${request.path}${request.path.includes('?') ? '&' : '?'}dryRun=All`,
});

/** The merge patch as a whole object, for those who may replace and not patch; `reader` may read it. */
export async function rewrite(reader: ApiCaller, path: string, change: object): Promise<ApiRequest> {
  return replace(path, merged(await reader.must('GET', path), change));
}

function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, merged(result.get(name), value));
  }
  return Object.fromEntries(result);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function send(caller: ApiCaller, { method, path, body, contentType }: ApiRequest): Promise<Answer> {
  return caller.call(method, path, body, contentType === undefined ? {} : { contentType });
}

/** `accepted`, or what the server says: `refused by NAME: TEXT` where a policy of that name spoke, else the status. */
export function verdictOf({ status, body }: Answer): string {
  if (status < 400) return 'accepted';
  const { message = '' } = body as { message?: string };
  const spoken = /ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: ([^]*)$/.exec(
    message,
  );
  return spoken === null ? `${String(status)} ${message}` : `refused by ${spoken[1]!}: ${spoken[2]!}`;
}

export async function verdict(caller: ApiCaller, request: ApiRequest): Promise<string> {
  return verdictOf(await send(caller, request));
}
