import { ERRORS } from '../../lib/errors.ts';
import type { Problem } from '../../api/manifest.ts';
import type { HostProblem } from '../attachment/pass.ts';
import type { AttachmentResult } from '../attachment/rounds.ts';

/** A fault of the host in the shape of a manifest's: `file` names what it is about. */
export function hostProblem({ on, error }: HostProblem): Problem {
  return { file: on, message: error.message, remedy: error.remedy, code: error.code };
}

/** What is not known of the VMs of this host; each a sentence. */
export function directoryProblem(sentence: string): HostProblem {
  const { remedy } = ERRORS.VMN_VMS_UNSEEN;
  return { on: 'VMs of this host', error: { code: 'VMN_VMS_UNSEEN', message: sentence, remedy } };
}

/** What keeps an attachment from being as wanted, or null. */
export function attachmentProblem({ desired, tap, observed, error }: AttachmentResult): Problem | null {
  if (error === null) return null;
  const subject = desired.vm === null ? `tap ${observed === null ? tap : observed.tap}` : `VM ${desired.vm}`;
  return { file: subject, message: error.message, remedy: error.remedy, code: error.code };
}
