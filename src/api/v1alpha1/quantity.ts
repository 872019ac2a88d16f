import { z } from 'zod';

/**
 * A count, byte or bit total. Never negative, and at most 2^53 - 1: a larger one would be rounded on its way through
 * JSON, and the filter would enforce another number than the one written.
 */
export const quantitySchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
