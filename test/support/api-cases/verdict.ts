/** What either judge says of an object: zod, and the API server with strict field validation and without storing. */
import type { ApiCaller } from '../control-plane/api-caller.ts';
import {
  vmNetworkAttachmentSchema,
  vmNetworkClassSchema,
  vmNetworkNodeSchema,
  vmNetworkSchema,
} from '../../../src/api/v1alpha1/index.ts';
import { CLUSTER_KINDS, type ApiObject, type Kind } from './full-objects.ts';

const SCHEMAS = {
  VMNetwork: vmNetworkSchema,
  VMNetworkClass: vmNetworkClassSchema,
  VMNetworkAttachment: vmNetworkAttachmentSchema,
  VMNetworkNode: vmNetworkNodeSchema,
} as const;

const PLURALS: Readonly<Record<Kind, string>> = {
  VMNetwork: 'vmnetworks',
  VMNetworkClass: 'vmnetworkclasses',
  VMNetworkAttachment: 'vmnetworkattachments',
  VMNetworkNode: 'vmnetworknodes',
};

export interface Verdict {
  readonly accepted: boolean;
  /** `field: message`, one each; empty if accepted. */
  readonly causes: readonly string[];
  /** With defaults; null if refused. */
  readonly spec: unknown;
  readonly status: unknown;
}

export function zodVerdict(object: ApiObject): Verdict {
  const result = SCHEMAS[object.kind].safeParse(object);
  if (!result.success) {
    const causes = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return { accepted: false, causes, spec: null, status: null };
  }
  // Without what is undefined, as JSON would carry it.
  const { spec, status } = JSON.parse(JSON.stringify(result.data)) as Partial<ApiObject>;
  return { accepted: true, causes: [], spec, status };
}

export function collectionOf(kind: Kind, namespace: string): string {
  const place = CLUSTER_KINDS.includes(kind) ? '' : `/namespaces/${namespace}`;
  return `/apis/vmnetwork.io/v1alpha1${place}/${PLURALS[kind]}`;
}

/** Of creating it. The API server takes no status with that. */
export function createVerdict(api: ApiCaller, object: ApiObject): Promise<Verdict> {
  const path = collectionOf(object.kind, object.metadata.namespace ?? '');
  return verdictOf(api, 'POST', path, object);
}

/** Of the status of an object that is there. */
export function statusVerdict(api: ApiCaller, object: ApiObject): Promise<Verdict> {
  const collection = collectionOf(object.kind, object.metadata.namespace ?? '');
  return verdictOf(api, 'PUT', `${collection}/${object.metadata.name}/status`, object);
}

/** Of replacing the object that is there. */
export function updateVerdict(api: ApiCaller, object: ApiObject): Promise<Verdict> {
  const collection = collectionOf(object.kind, object.metadata.namespace ?? '');
  return verdictOf(api, 'PUT', `${collection}/${object.metadata.name}`, object);
}

interface Failure {
  readonly message: string;
  readonly details?: { readonly causes?: readonly { field: string; message: string }[] };
}

async function verdictOf(api: ApiCaller, method: string, path: string, object: ApiObject): Promise<Verdict> {
  const { status: code, body } = await api.call(method, `${path}?dryRun=All&fieldValidation=Strict`, object);
  if (code < 300) {
    const { spec, status } = body as ApiObject;
    return { accepted: true, causes: [], spec, status };
  }
  // Only a verdict on the object counts; anything else is a fault of the test.
  if (code !== 422 && code !== 400) throw new Error(`${method} ${path}: ${code} ${JSON.stringify(body)}`);
  const { message, details } = body as Failure;
  const causes = (details?.causes ?? []).map((cause) => `${cause.field}: ${cause.message}`);
  return { accepted: false, causes: causes.length > 0 ? causes : [message], spec: null, status: null };
}
