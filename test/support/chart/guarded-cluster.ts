/** A control plane with the chart in it, as `helm template` renders it, whose guardrails are in force. */
import { ControlPlane, type Cluster } from '../control-plane/index.ts';
import { poll } from '../lab/index.ts';
import { Callers } from './callers.ts';
import { CHART, Helm, SYSTEM_NAMESPACE, type Values } from './helm.ts';
import { join } from 'node:path';

export interface GuardedCluster {
  cluster: ControlPlane;
  callers: Callers;
  stop: () => Promise<void>;
}

/** Resolves when every policy of the chart refuses what it has to. */
export async function startGuardedCluster(values: Values = {}): Promise<GuardedCluster> {
  const cluster = await ControlPlane.start();
  try {
    await cluster.installCrds(join(CHART, 'crds'));
    await cluster.ensureNamespace(SYSTEM_NAMESPACE);
    const objects = await new Helm(cluster.helm, cluster.folder).template(values);
    await cluster.apply(objects, SYSTEM_NAMESPACE);
    await untilPoliciesAreInForce(cluster);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  const callers = new Callers(cluster);
  const stop = async (): Promise<void> => {
    callers.close();
    await cluster.stop();
  };
  return { cluster, callers, stop };
}

let probes = 0;

/**
 * The API server takes up policies a moment after they are stored, in their order. So one more is added that refuses one
 * thing: once that is refused, all that were there before are in force.
 */
export async function untilPoliciesAreInForce(cluster: Cluster): Promise<void> {
  const name = `probe-${String(process.pid)}-${String(++probes)}`;
  const admission = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
  await cluster.apply([
    {
      ...admission,
      kind: 'ValidatingAdmissionPolicy',
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
          ],
        },
        validations: [{ expression: `object.metadata.name != '${name}'` }],
      },
    },
    {
      ...admission,
      kind: 'ValidatingAdmissionPolicyBinding',
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ]);
  const probe = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
  await poll('admission policies to be in force', async () => {
    const { status } = await cluster.api.call(
      'POST',
      '/api/v1/namespaces/default/configmaps?dryRun=All',
      probe,
    );
    return status === 422;
  });
}
