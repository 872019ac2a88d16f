import { answerTo } from '../../test/support/scripted-agent/answer.ts';
import type { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { GOOD } from '../../test/support/scripted-agent/behaviour.ts';
import { ATTACHMENTS } from '../../test/support/scripted-agent/kinds.ts';
import type { AnyObject, Attachment } from '../../test/support/scripted-agent/objects.ts';
import { crew } from './crew.ts';

const AT_A_TIME = 16;
const IDENTITY = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkAttachment' };

/** Says of each attachment, once, what the agent of its host would: programmed, read back, enforced. */
export async function answerAll(
  client: ApiClient,
  attachments: readonly Attachment[],
  signal: AbortSignal,
): Promise<void> {
  await crew(attachments, AT_A_TIME, signal, async (attachment) => {
    const { name, namespace = '' } = attachment.metadata;
    const card = { mac: attachment.spec.interface.mac, engine: 'tcx' };
    const status = answerTo(attachment, card, GOOD, new Date());
    const answer = { ...IDENTITY, metadata: { name, namespace }, status } as AnyObject;
    await client.apply(ATTACHMENTS, answer, { namespace, name, subresource: 'status' }, 'vmnetwork-agent');
  });
}
