/** What a request to the API server asks for, read off its method and path as the API server itself does. */

export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  /** Of paths that are no resource's: /readyz, /apis, /openapi. */
  | 'other';

export interface SeenRequest {
  verb: Verb;
  /** Without the query. */
  path: string;
  query: string;
  /** Plural and lower case, with its subresource: `vmnetworks`, `vmnetworks/status`; empty where there is none. */
  resource: string;
  namespace: string;
  name: string;
  /** Of the client's certificate; empty for clients with a token. */
  user: string;
  /** By the monotonic clock, when its head had come. */
  atMs: number;
  /** What the client was told; null while it has not been, or when the connection was cut before. */
  status: number | null;
}

const VERBS: Readonly<Record<string, Verb>> = { POST: 'create', PUT: 'update', PATCH: 'patch' };

export function seenRequest(method: string, url: string, user: string): SeenRequest {
  const { pathname, searchParams, search } = new URL(url, 'https://any');
  const place = placeOf(pathname);
  return {
    verb: verbOf(method, place, searchParams),
    path: pathname,
    query: search.slice(1),
    resource: place?.resource ?? '',
    namespace: place?.namespace ?? '',
    name: place?.name ?? '',
    user,
    atMs: performance.now(),
    status: null,
  };
}

interface Place {
  resource: string;
  namespace: string;
  name: string;
}

function placeOf(path: string): Place | null {
  const match = /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(.+)$/.exec(path);
  if (match === null) return null;
  let parts = (match[1] ?? '').split('/').map(decodeURIComponent);
  let namespace = '';
  if (parts[0] === 'namespaces' && parts.length > 2 && !['status', 'finalize'].includes(parts[2] ?? '')) {
    namespace = parts[1] ?? '';
    parts = parts.slice(2);
  }
  const [plural = '', name = '', subresource] = parts;
  return { resource: subresource === undefined ? plural : `${plural}/${subresource}`, namespace, name };
}

function verbOf(method: string, place: Place | null, query: URLSearchParams): Verb {
  if (place === null) return 'other';
  if (method === 'GET' || method === 'HEAD') {
    if (['1', 'true'].includes(query.get('watch') ?? '')) return 'watch';
    return place.name === '' ? 'list' : 'get';
  }
  if (method === 'DELETE') return place.name === '' ? 'deletecollection' : 'delete';
  return VERBS[method] ?? 'other';
}
