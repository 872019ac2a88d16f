import { z } from 'zod';
import { cidrSchema } from '../../api/v1alpha1/cidr.ts';
import { consumerEndpointSchema } from '../../api/v1alpha1/consumer-endpoint.ts';
import { wireGuardKeySchema } from '../../api/v1alpha1/wireguard-key.ts';
import { wireGuardSchema } from '../../api/v1alpha1/wireguard.ts';
import { InputError } from '../input-error.ts';

/*
 * What is used of objects and of the agent's status, checked where it comes in: everything that is no comment in the result
 * was read by one of these. Open to fields that a newer API may add.
 */

const { peerPublicKey, presharedKeySecretRef, addresses, allowedIPs, mtu } = wireGuardSchema.shape;

const specSchema = z.object({
  mode: z.string().default('Filtered'),
  consumerEndpoint: z.object(consumerEndpointSchema.shape).optional(),
  wireGuard: z.object({ peerPublicKey, presharedKeySecretRef, addresses, allowedIPs, mtu }).prefault({}),
});

const peersSchema = z.array(
  z.object({
    attachment: z.string(),
    publicKey: wireGuardKeySchema,
    nextPublicKey: wireGuardKeySchema.optional(),
    addresses: z.array(cidrSchema).optional(),
  }),
);

/** A VMNetwork, as far as the consumer's end depends on it. */
export const seenNetworkSchema = z.object({
  metadata: z.object({ generation: z.number().optional() }),
  spec: specSchema,
  status: z
    .object({ observedGeneration: z.number().optional(), peers: peersSchema.default([]) })
    .prefault({}),
});

/** What an agent tells of a guest. Absent and null: it was given no tunnel. */
export const seenGuestSchema = z.object({
  publicKey: wireGuardKeySchema,
  nextPublicKey: wireGuardKeySchema.optional(),
  addresses: z.array(cidrSchema).optional(),
});

/** @throws InputError (unreadable) that names the field and what is wrong with it */
export function checked<T extends z.ZodType>(
  schema: T,
  value: unknown,
  on: string,
  remedy: string,
): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new InputError(on, `${field}: ${issue?.message ?? 'is not what it should be'}`, remedy);
}
