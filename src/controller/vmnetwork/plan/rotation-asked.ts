import { createHash } from 'node:crypto';

/** Annotation of a VMNetwork, and of its attachments: each new value asks for another key for its VMs. See docs/provisioning.md. */
export const ROTATE_KEY = 'vmnetwork.io/rotate-key';

/** What is kept of its value to know it again, 43 characters; undefined: nothing is asked for, as by an empty one. */
export function rotationAsked(annotations: Readonly<Record<string, string>> | undefined): string | undefined {
  const value = annotations?.[ROTATE_KEY];
  return value === undefined || value === ''
    ? undefined
    : createHash('sha256').update(value).digest('base64url');
}
