import type { KubeObject } from './resource.ts';

/**
 * The body of a PUT of the status of a custom resource. The API server takes all but the status from what is stored
 * (`statusStrategy.PrepareForUpdate` of its apiextensions), so the spec, which may be large, need not be sent. The metadata must be: a
 * label that is not sent stays, but whoever applied it is no longer known to manage it, and could not take it back.
 *
 * Validation, CEL rules and ValidatingAdmissionPolicies see the whole object; only what mutates at admission, and matches the status, sees
 * this one.
 */
export function onlyStatus<S>(
  { apiVersion, kind, metadata }: KubeObject,
  status: S,
): KubeObject & { status: S } {
  return { apiVersion, kind, metadata, status };
}
