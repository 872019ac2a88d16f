import { isVmnError } from '../../lib/errors.ts';
import { CannotOpen } from '../../wireguard/sealed-key.ts';
import type { GuestSaid } from './guest-order.ts';

/** What is said of guests, in words that hold no secret and no path but the image's. */

export const PENDING: GuestSaid = {
  status: 'Unknown',
  reason: 'Pending',
  message: 'its seed image is being made',
};

/** The guest has the image before it. Whether it reads it is its own business, until the consumer has answered it. */
export function delivered(isAnswered: boolean): GuestSaid {
  return isAnswered
    ? {
        status: 'True',
        reason: 'Provisioned',
        message: "it has its seed image, and the consumer's endpoint has answered it since",
      }
    : {
        status: 'Unknown',
        reason: 'Delivered',
        message:
          'it has its seed image, and has given no sign: cloud-init reads it at the next boot, if the guest has one',
      };
}

export function notSeen(path: string): GuestSaid {
  return {
    status: 'False',
    reason: 'NotDelivered',
    message: `its QEMU does not see ${path}: it has another view of the file system. Give --run-dir a folder that both see, or start the VM with the image as a disk`,
  };
}

export function takenOut(): GuestSaid {
  const message = 'somebody took its seed image out; it is given again when the VM is started anew';
  return { status: 'False', reason: 'NotDelivered', message };
}

/** Of what kept key or image from being made. */
export function failedBy(error: unknown): GuestSaid {
  if (error instanceof CannotOpen)
    return { status: 'False', reason: 'InvalidSecret', message: error.message };
  const message = isVmnError(error)
    ? `${error.message}. ${error.remedy}`
    : // What breaks a rule of the documents is told without its value, which may be a key.
      'its documents cannot be made; see the log of the agent';
  return { status: 'False', reason: 'NotDelivered', message };
}
